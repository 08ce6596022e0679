package graphmap_test

import (
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
)

// finder looks for everything that a record holds in the message that came of it. It finds fields by
// `declaringType.property` in the contract's options, which is another way than the table's own.
type finder struct {
	schema   *schema
	found    map[string]bool // `declaring.property` of every scalar or list that was found
	leaves   int
	unmapped map[string]any // what has to be in unmapped, and nothing else
	problems []string
	index    *optionIndex
}

// optionIndex remembers the fields and members that options name.
type optionIndex struct {
	fields  map[protoreflect.FullName]map[string]protoreflect.FieldDescriptor
	members map[protoreflect.FullName]map[string]protoreflect.EnumNumber
}

func newFinder(s *schema, found map[string]bool, index *optionIndex) *finder {
	return &finder{schema: s, found: found, index: index}
}

func newIndex() *optionIndex {
	return &optionIndex{
		fields:  map[protoreflect.FullName]map[string]protoreflect.FieldDescriptor{},
		members: map[protoreflect.FullName]map[string]protoreflect.EnumNumber{},
	}
}

func (f *finder) problemf(path []string, format string, args ...any) {
	f.problems = append(f.problems, strings.Join(path, ".")+": "+fmt.Sprintf(format, args...))
}

// object checks all members of o against the messages that stand for it.
func (f *finder) object(path []string, o *object, messages ...protoreflect.Message) {
	for _, m := range o.members {
		at := slices.Concat(path, []string{m.name})
		switch value := m.value.(type) {
		case extra:
			if value.value == nil {
				continue
			}
			if m.property.name == "" {
				f.expect(at, value.value)
				continue
			}
		case leaf:
			if m.property.name == "" { // an annotation
				continue
			}
		}
		message, fd := f.field(o.typ, m.property, messages)
		if fd == nil {
			f.problemf(at, "no field is filled by %s.%s", m.property.declaring, m.name)
			continue
		}
		f.found[m.property.declaring+"."+m.name] = true
		f.member(at, m.value, message, fd)
	}
	f.typeName(path, o, messages)
}

// typeName checks that the unknown type of an object is told where the model has a field for it.
func (f *finder) typeName(path []string, o *object, messages []protoreflect.Message) {
	if o.unknown == "" {
		return
	}
	if message, fd := f.field(o.typ, graphProperty{name: "@odata.type"}, messages); fd != nil {
		if got := message.Get(fd).String(); got != o.unknown {
			f.problemf(path, "type %q instead of %q", got, o.unknown)
		}
	}
}

// field finds the field that names the property in its options.
func (f *finder) field(typ string, p graphProperty, messages []protoreflect.Message) (protoreflect.Message, protoreflect.FieldDescriptor) {
	for _, declaring := range f.schema.chain(typ) {
		for _, message := range messages {
			if fd := f.options(message.Descriptor())[declaring+"."+p.name]; fd != nil {
				return message, fd
			}
		}
	}
	return nil, nil
}

// options maps the properties that a message's options name to its fields.
func (f *finder) options(md protoreflect.MessageDescriptor) map[string]protoreflect.FieldDescriptor {
	if known, ok := f.index.fields[md.FullName()]; ok {
		return known
	}
	index := map[string]protoreflect.FieldDescriptor{}
	for i := range md.Fields().Len() {
		options, _ := proto.GetExtension(md.Fields().Get(i).Options(), parleyv1.E_Graph).([]string)
		for _, option := range options {
			index[option] = md.Fields().Get(i)
		}
	}
	f.index.fields[md.FullName()] = index
	return index
}

func (f *finder) member(path []string, value any, m protoreflect.Message, fd protoreflect.FieldDescriptor) {
	switch value := value.(type) {
	case *object:
		if !m.Has(fd) {
			f.problemf(path, "%s is absent", fd.FullName())
			return
		}
		f.object(path, value, m.Get(fd).Message())
	case []any:
		f.list(path, value, m, fd)
	case leaf:
		f.leaves++
		f.leaf(path, value, m, fd)
	case extra:
		f.leaves++
		want, ok := plain(value.value).(map[string]any)
		if got, isStruct := m.Get(fd).Message().Interface().(*structpb.Struct); !ok || !isStruct || !maps.EqualFunc(got.GetFields(), want, same) {
			f.problemf(path, "open object is %v instead of %v", got, want)
		}
	}
}

// list checks a list of objects, of texts or of enumeration members, whose unknown ones are in a list of their own.
func (f *finder) list(path []string, values []any, m protoreflect.Message, fd protoreflect.FieldDescriptor) {
	list := m.Get(fd).List()
	var other protoreflect.List
	if fd.Enum() != nil {
		other = m.Get(sibling(fd)).List()
	}
	known, unknown := 0, 0
	for i, value := range values {
		at := slices.Concat(path, []string{strconv.Itoa(i)})
		text, isLeaf := value.(leaf)
		if isLeaf && other != nil && f.memberNumber(fd.Enum(), text.text) == 0 {
			f.unknownMember(at, text.text)
			if unknown >= other.Len() || other.Get(unknown).String() != text.text {
				f.problemf(at, "unknown member %q is lost", text.text)
			}
			unknown++
			continue
		}
		if known >= list.Len() {
			f.problemf(at, "element is lost")
			return
		}
		got := list.Get(known)
		known++
		f.leaves++
		switch value := value.(type) {
		case *object:
			f.object(at, value, got.Message())
		case leaf:
			if fd.Enum() != nil && got.Enum() != f.memberNumber(fd.Enum(), value.text) || fd.Enum() == nil && got.String() != value.text {
				f.problemf(at, "%v instead of %q", got, value.text)
			}
		}
	}
	if list.Len() != known {
		f.problemf(path, "%d elements too many", list.Len()-known)
	}
}

// leaf checks one scalar.
func (f *finder) leaf(path []string, want leaf, m protoreflect.Message, fd protoreflect.FieldDescriptor) {
	got := m.Get(fd)
	var same bool
	switch want.typ {
	case "Boolean":
		same = m.Has(fd) && strconv.FormatBool(got.Bool()) == want.text
	case "Int32", "Int64":
		same = strconv.FormatInt(got.Int(), 10) == want.text
	case "Single":
		same = strconv.FormatFloat(got.Float(), 'f', 2, 32) == want.text
	case "Binary":
		same = base64.StdEncoding.EncodeToString(got.Bytes()) == want.text
	case "DateTimeOffset":
		at, err := time.Parse(time.RFC3339Nano, want.text)
		same = err == nil && proto.Equal(got.Message().Interface(), timestamppb.New(at))
	case "Duration":
		length, err := time.ParseDuration(strings.ToLower(strings.TrimPrefix(want.text, "PT")))
		same = err == nil && proto.Equal(got.Message().Interface(), durationpb.New(length))
	default:
		if fd.Enum() == nil {
			same = got.String() == want.text
			break
		}
		number := f.memberNumber(fd.Enum(), want.text)
		same = got.Enum() == number
		if number == 0 {
			f.unknownMember(path, want.text)
		}
		if other := sibling(fd); number == 0 && other != nil {
			same = m.Get(other).String() == want.text
		} else if number == 0 {
			f.expect(path, want.text)
		}
	}
	if !same {
		f.problemf(path, "%v instead of %s", got, want.text)
	}
}

// unknownMember complains about a member that Graph declares and the contract does not know.
func (f *finder) unknownMember(path []string, text string) {
	if !strings.HasPrefix(text, "future") {
		f.problemf(path, "member %q has no value", text)
	}
}

func sibling(fd protoreflect.FieldDescriptor) protoreflect.FieldDescriptor {
	return fd.ContainingMessage().Fields().ByName(fd.Name() + "_other")
}

// memberNumber is the number of the value that names a member of Graph; 0 for unknown ones.
func (f *finder) memberNumber(ed protoreflect.EnumDescriptor, text string) protoreflect.EnumNumber {
	numbers, ok := f.index.members[ed.FullName()]
	if !ok {
		numbers = map[string]protoreflect.EnumNumber{}
		for i := range ed.Values().Len() {
			value := ed.Values().Get(i)
			if member, _ := proto.GetExtension(value.Options(), parleyv1.E_GraphMember).(string); member != "" {
				numbers[member] = value.Number()
			}
		}
		f.index.members[ed.FullName()] = numbers
	}
	return numbers[text]
}

// expect notes what has to be in unmapped.
func (f *finder) expect(path []string, value any) {
	at := f.unmapped
	for _, key := range path[:len(path)-1] {
		inner, ok := at[key].(map[string]any)
		if !ok {
			inner = map[string]any{}
			at[key] = inner
		}
		at = inner
	}
	f.leaves++
	at[path[len(path)-1]] = plain(value)
}

// plain turns int into float64, which structpb.NewValue does as well, and leaves null members out.
func plain(value any) any {
	switch value := value.(type) {
	case int:
		return float64(value)
	case map[string]any:
		out := map[string]any{}
		for k, v := range value {
			if v != nil {
				out[k] = plain(v)
			}
		}
		return out
	case []any:
		out := make([]any, len(value))
		for i, v := range value {
			out[i] = plain(v)
		}
		return out
	default:
		return value
	}
}

// same reports whether a value of an open object is what is wanted. It does what proto.Equal does without its reflection, which takes most
// of a test's time under the race detector.
func same(got *structpb.Value, want any) bool {
	switch kind := got.GetKind().(type) {
	case *structpb.Value_StructValue:
		members, ok := want.(map[string]any)
		return ok && maps.EqualFunc(kind.StructValue.GetFields(), members, same)
	case *structpb.Value_ListValue:
		elements, ok := want.([]any)
		return ok && slices.EqualFunc(kind.ListValue.GetValues(), elements, same)
	case *structpb.Value_NullValue:
		return want == nil
	case nil:
		return false
	default:
		return got.AsInterface() == want
	}
}

// verify checks a whole record against its messages and what is unmapped of it.
func (f *finder) verify(t reporter, o *object, unmapped *structpb.Struct, messages ...proto.Message) {
	t.Helper()
	f.unmapped = map[string]any{}
	reflected := make([]protoreflect.Message, len(messages))
	for i, m := range messages {
		reflected[i] = m.ProtoReflect()
	}
	f.object(nil, o, reflected...)
	if !maps.EqualFunc(unmapped.GetFields(), f.unmapped, same) {
		f.problems = append(f.problems, fmt.Sprintf("unmapped is %v instead of %v", unmapped, f.unmapped))
	}
	for i, problem := range f.problems {
		if i < 10 {
			t.Error(problem)
		}
	}
	if len(f.problems) > 0 {
		t.Fatal(len(f.problems), "problems in", string(o.encode()))
	}
}
