package view

import (
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/parley-gateway/parley/internal/nearmiss"
)

// Mask is a selection of fields of one message type: a read mask as AIP-157 describes it. It is immutable and safe for concurrent use.
type Mask struct {
	fields *fieldSet
}

// PathError says which path of a selection names no field.
type PathError struct {
	// Path is the path as it was given.
	Path string
	// Message is the fault in English, with the fields that are known.
	Message string
}

// Error names the path first.
func (e *PathError) Error() string { return fmt.Sprintf("%q %s", e.Path, e.Message) }

var _ error = (*PathError)(nil)

// NewMask returns the selection of the fields at the given paths. A path is names of fields joined by dots, in the proto or the JSON
// spelling; it leads through lists and through messages of parley.v1. A field is selected with all that is in it, unless its path goes
// on. The error is a *PathError.
func NewMask(md protoreflect.MessageDescriptor, paths ...string) (*Mask, error) {
	m := &Mask{newFieldSet()}
	for _, path := range paths {
		if err := m.fields.add(md, path); err != nil {
			return nil, err
		}
	}
	return m, nil
}

func newFieldSet() *fieldSet {
	return &fieldSet{kept: map[protoreflect.FieldNumber]*fieldSet{}, wire: map[protoreflect.FieldNumber]encoding{}}
}

// add selects the field at a path.
func (s *fieldSet) add(md protoreflect.MessageDescriptor, path string) error {
	at := s
	parts := strings.Split(path, ".")
	for i, part := range parts {
		if !isModel(md) {
			return &PathError{path, "goes on below " + strings.Join(parts[:i], ".") + ", which can only be selected whole"}
		}
		fd := fieldByName(md, part)
		if fd == nil {
			known := fieldNames(md)
			below := ""
			if i > 0 {
				below = " below " + strings.Join(parts[:i], ".")
			}
			return &PathError{path, "is not a field" + below + ";" + nearmiss.Hint(part, known) + " known are " + strings.Join(known, ", ")}
		}
		inner, selected := at.kept[fd.Number()]
		switch {
		case selected && inner == nil:
			inner = newFieldSet() // a whole field stays whole: only the rest of the path is checked
		case i == len(parts)-1:
			at.kept[fd.Number()], at.wire[fd.Number()] = nil, encodingOf(fd)
		case !selected:
			inner = newFieldSet()
			at.kept[fd.Number()], at.wire[fd.Number()] = inner, encodingOf(fd)
		}
		at, md = inner, fd.Message()
		if fd.IsMap() {
			md = nil
		}
	}
	return nil
}

// isModel reports whether fields of the message type can be selected: messages of other packages are values.
func isModel(md protoreflect.MessageDescriptor) bool {
	return md != nil && md.ParentFile().Package() == modelPackage
}

// fieldByName returns a field by either spelling of its name.
func fieldByName(md protoreflect.MessageDescriptor, name string) protoreflect.FieldDescriptor {
	if fd := md.Fields().ByTextName(name); fd != nil {
		return fd
	}
	return md.Fields().ByJSONName(name)
}

// fieldNames are the proto names of all fields.
func fieldNames(md protoreflect.MessageDescriptor) []string {
	names := make([]string, 0, md.Fields().Len())
	for i := range md.Fields().Len() {
		names = append(names, string(md.Fields().Get(i).Name()))
	}
	slices.Sort(names)
	return names
}

// Apply returns the selected fields of msg. msg is never changed; the answer may share with it what both have.
func (m *Mask) Apply(msg proto.Message) proto.Message {
	r := msg.ProtoReflect()
	if !r.IsValid() {
		return msg
	}
	kept, _ := m.fields.prune(r)
	return kept.Interface()
}

// AppendTo appends the selected fields of an encoded message: the same ones that Apply keeps of the message. The error is ErrWire.
func (m *Mask) AppendTo(dst, wire []byte) ([]byte, error) { return m.fields.pruneWire(dst, wire) }

// AppendList appends an encoded list field with the selected fields of each of its messages. The error is ErrWire.
func (m *Mask) AppendList(dst, list []byte) ([]byte, error) {
	for len(list) > 0 {
		number, kind, head := protowire.ConsumeTag(list)
		if head < 0 || kind != protowire.BytesType {
			return dst, fmt.Errorf("%w: a list field of messages was expected", ErrWire)
		}
		message, size := protowire.ConsumeBytes(list[head:])
		if size < 0 {
			return dst, fmt.Errorf("%w: %w", ErrWire, protowire.ParseError(size))
		}
		list = list[head+size:]
		// The length is known once the message is pruned; room for it is left as the whole message would need.
		dst = protowire.AppendTag(dst, number, kind)
		at := len(dst)
		room := protowire.SizeVarint(uint64(len(message)))
		dst = append(dst, make([]byte, room)...)
		var err error
		if dst, err = m.fields.pruneWire(dst, message); err != nil {
			return dst, err
		}
		length := uint64(len(dst) - at - room)
		if used := protowire.SizeVarint(length); used < room {
			copy(dst[at+used:], dst[at+room:])
			dst = dst[:len(dst)-room+used]
		}
		protowire.AppendVarint(dst[:at], length)
	}
	return dst, nil
}
