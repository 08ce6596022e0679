package rest

import (
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/parley-gateway/parley/internal/nearmiss"
	"github.com/parley-gateway/parley/server/apierror"
	"github.com/parley-gateway/parley/server/callinfo"
)

const (
	timestampName protoreflect.FullName = "google.protobuf.Timestamp"
)

// wordEnums are the enums whose members are words that people type, such as `enrich=NAMES`. They stand in requests alone, so that no answer
// shows the member in another spelling.
var wordEnums = []protoreflect.FullName{"parley.v1.Enrichment", "parley.v1.CopilotUsageInclusion", "parley.v1.CopilotUsageReport", "parley.v1.UserSelection"}

// checkQuery checks that each parameter is a field of the request, in either spelling, given once unless it repeats, and of
// a readable value. Fields that the path fills are not parameters. It returns the names that the client used, by the
// path of the field, and errors name a parameter by them. Times and words get the form that the generated handlers read. posted says that the parameters are the
// members of a body.
func (m *method) checkQuery(values url.Values, posted bool) (map[protoreflect.Name]string, error) {
	names := make([]string, 0, len(values))
	for name := range values {
		names = append(names, name)
	}
	slices.Sort(names)
	clientNames := make(map[protoreflect.Name]string, len(names))
	for _, name := range names {
		field, path := m.field(name)
		if field == nil {
			what := "there is no such query parameter;"
			if posted {
				what = "there is no such field;"
			}
			return nil, apierror.Invalid(printable(name), what+m.known(name, isCamelCase(names)))
		}
		if clientNames[path] != "" {
			return nil, apierror.Invalid(name, "the parameter is given in two spellings")
		}
		clientNames[path] = name
		if m.post && !posted && field.IsList() && field.Kind() == protoreflect.StringKind {
			return nil, apierror.Invalid(name, "is too long for a URL; give it in the body of a POST")
		}
		if !field.IsList() && len(values[name]) > 1 {
			return nil, apierror.Invalid(name, "the parameter is given more than once")
		}
		for i, value := range values[name] {
			if isTime(field) {
				value = withColon(value)
				values[name][i] = value
			}
			if field.Kind() == protoreflect.EnumKind && slices.Contains(wordEnums, field.Enum().FullName()) {
				value = fullMember(field.Enum(), value)
				values[name][i] = value
			}
			if problem := checkValue(field, value); problem != "" {
				return nil, apierror.Invalid(name, problem)
			}
		}
	}
	return clientNames, nil
}

// field finds the field of a parameter name, and its path: the field's own name, or for a field of a message the names of both with a dot
// between them. It is nil when there is none.
func (m *method) field(name string) (field protoreflect.FieldDescriptor, path protoreflect.Name) {
	head, rest, nested := strings.Cut(name, ".")
	field = fieldOf(m.request, head)
	if field == nil || m.inPath[field.Name()] {
		return nil, ""
	}
	if !nested {
		return field, field.Name()
	}
	outer := field
	if outer.Message() == nil || outer.IsList() || isTime(outer) {
		return nil, ""
	}
	if field = fieldOf(outer.Message(), rest); field == nil {
		return nil, ""
	}
	return field, outer.Name() + "." + field.Name()
}

// fieldOf finds a field of a message in either spelling; nil when there is none.
func fieldOf(message protoreflect.MessageDescriptor, name string) protoreflect.FieldDescriptor {
	if field := message.Fields().ByTextName(name); field != nil {
		return field
	}
	return message.Fields().ByJSONName(name)
}

// isCamelCase reports whether one of the names that a client sent is in lowerCamelCase, as those of a generated client are.
func isCamelCase(names []string) bool {
	return slices.ContainsFunc(names, func(name string) bool {
		return !strings.Contains(name, "_") && name != strings.ToLower(name)
	})
}

// known says which query parameters there are, and which of them an unknown name may mean, in one of their two spellings.
func (m *method) known(unknown string, camelCase bool) string {
	names := m.names(camelCase)
	names = append(names, callinfo.FieldsParameter)
	return nearmiss.Hint(unknown, names) + " known are " + strings.Join(names, ", ")
}

// names are the names of the parameters, in one of their two spellings.
func (m *method) names(camelCase bool) []string {
	fields := m.request.Fields()
	var names []string
	for i := range fields.Len() {
		field := fields.Get(i)
		name := spelling(field, camelCase)
		switch {
		case m.inPath[field.Name()]:
		case field.Message() != nil && !isTime(field):
			for j := range field.Message().Fields().Len() {
				names = append(names, name+"."+spelling(field.Message().Fields().Get(j), camelCase))
			}
		default:
			names = append(names, name)
		}
	}
	return names
}

// spelling is the name of a field, in one of its two spellings.
func spelling(field protoreflect.FieldDescriptor, camelCase bool) string {
	if camelCase {
		return field.JSONName()
	}
	return string(field.Name())
}

// checkValue returns what is wrong with a value, or "".
func checkValue(field protoreflect.FieldDescriptor, value string) string {
	switch field.Kind() {
	case protoreflect.StringKind:
		return ""
	case protoreflect.BoolKind:
		if _, err := strconv.ParseBool(value); err != nil {
			return "must be true or false"
		}
	case protoreflect.Int32Kind:
		if _, err := strconv.ParseInt(value, 10, 32); err != nil {
			return "must be a whole number"
		}
	case protoreflect.Int64Kind:
		if _, err := strconv.ParseInt(value, 10, 64); err != nil {
			return "must be a whole number"
		}
	case protoreflect.EnumKind:
		return checkEnum(field, value)
	case protoreflect.MessageKind:
		if isTime(field) {
			return checkTime(value)
		}
		return "cannot be given as a query parameter"
	default:
		return "cannot be given as a query parameter"
	}
	return ""
}

// fullMember returns the name of an enum's member that is given without the prefix that all members share, such as NAMES for
// ENRICHMENT_NAMES; any other value as it is.
func fullMember(enum protoreflect.EnumDescriptor, value string) string {
	members := enum.Values()
	first := members.ByNumber(0)
	if first == nil || value == "" || members.ByName(protoreflect.Name(value)) != nil {
		return value
	}
	prefix, ok := strings.CutSuffix(string(first.Name()), "UNSPECIFIED")
	if member := members.ByName(protoreflect.Name(prefix + value)); ok && member != nil && member.Number() != 0 {
		return string(member.Name())
	}
	return value
}

// checkEnum says what is wrong with an enum's value. The choices that it lists are those that the field's rules allow.
func checkEnum(field protoreflect.FieldDescriptor, value string) string {
	members := field.Enum().Values()
	if members.ByName(protoreflect.Name(value)) != nil {
		return ""
	}
	if number, err := strconv.ParseInt(value, 10, 32); err == nil && members.ByNumber(protoreflect.EnumNumber(number)) != nil {
		return ""
	}
	allowed := allowedNumbers(field)
	var names []string
	for i := range members.Len() {
		member := members.Get(i)
		if member.Number() != 0 && (len(allowed) == 0 || slices.Contains(allowed, int32(member.Number()))) {
			names = append(names, string(member.Name()))
		}
	}
	return "must be one of " + strings.Join(names, ", ") + strings.TrimSuffix(";"+nearmiss.Hint(value, names), ";")
}

// allowedNumbers are the values of an enum that a field's rules list; none = all.
func allowedNumbers(field protoreflect.FieldDescriptor) []int32 {
	rules, _ := proto.GetExtension(field.Options(), validate.E_Field).(*validate.FieldRules)
	if field.IsList() {
		rules = rules.GetRepeated().GetItems()
	}
	return rules.GetEnum().GetIn()
}

func isTime(field protoreflect.FieldDescriptor) bool {
	return field.Message() != nil && field.Message().FullName() == timestampName
}

// basicOffset is an offset as ISO 8601's basic form has it, behind a time: the last digit of the time, a sign, four digits.
var basicOffset = regexp.MustCompile(`\d[+-]\d{4}$`)

// withColon writes the offset of a time as RFC 3339 does (`+00:00`). Generated clients send `+0000`: Python's strftime has no
// other form.
func withColon(value string) string {
	if strings.HasSuffix(value, "Z") || !strings.Contains(value, "T") || !basicOffset.MatchString(value) {
		return value
	}
	at := len(value) - len("00")
	return value[:at] + ":" + value[at:]
}

func checkTime(value string) string {
	const form = "must be a time as RFC 3339 writes it, such as 2026-11-01T08:00:00Z"
	t, err := time.Parse(time.RFC3339Nano, value)
	if err != nil {
		if strings.Contains(value, " ") {
			return form + "; a + of an offset is written %2B in a URL"
		}
		return form
	}
	if !timestamppb.New(t).IsValid() {
		return "must lie in the years 1 to 9999"
	}
	return ""
}

// printable returns a parameter name that is safe in an error text.
func printable(name string) string {
	const most = 64
	clean := strings.Map(func(c rune) rune {
		if c < ' ' || c > '~' {
			return '?'
		}
		return c
	}, name)
	if len(clean) > most {
		clean = clean[:most] + "…"
	}
	if clean == "" {
		return "query"
	}
	return clean
}
