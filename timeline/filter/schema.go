package filter

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/parley-gateway/parley/eventwire/view"
	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/internal/nearmiss"
	"github.com/parley-gateway/parley/resource"
)

// kind is the type of a field's values.
type kind int

const (
	text kind = iota
	enum
	instant
	conversation // a resource name, or the id in it
	hidden       // Graph alone knows it
	flag         // true or false
	message      // may be asked only whether it is there
	application  // the name of an application: its class without the prefix that all have
	person       // the display names of identities
	day          // a day as text of the form yyyy-MM-dd, which orders like its days
)

// value is a checked literal.
type value struct {
	text    string
	pattern pattern // of a text with wildcards; nil for none
	number  protoreflect.EnumNumber
	time    time.Time
	flag    bool
}

// field is a field that filters may name.
type field struct {
	path    string
	model   string // path in the message where it is another one
	kind    kind
	wild    bool // a * in a literal is a wildcard; else it is a character, as in ids
	list    bool // the path leads through a list: any element may match
	enum    protoreflect.EnumDescriptor
	sources []parleyv1.Source // whose records can have it; nil = all
}

// actor is the field of events that stands for the display names of who did it.
const actor = "actor"

// Fields of events that Graph can evaluate.
const (
	app                  = "copilot.app"
	appClass             = "copilot.app_class"
	actorID              = "actor.user.id"
	actorType            = "actor.user.identity_type"
	actorApplicationType = "actor.application.identity_type"
	participantID        = "call.participants.id"
)

// modelPath is the path of the field in its message.
func (f *field) modelPath() string { return cmp.Or(f.model, f.path) }

// Schema is the set of fields of one method.
type Schema struct {
	message protoreflect.MessageDescriptor
	fields  []*field
}

// Events are the fields of events.
func Events() *Schema {
	m := (*parleyv1.Event)(nil).ProtoReflect().Descriptor()
	only := func(src ...parleyv1.Source) []parleyv1.Source { return src }
	identity := parleyv1.IdentityType(0).Descriptor()
	texts := only(parleyv1.Source_SOURCE_COPILOT, parleyv1.Source_SOURCE_CHAT, parleyv1.Source_SOURCE_RETAINED_CHAT)
	return &Schema{m, []*field{
		{path: appClass, kind: text, wild: true, sources: only(parleyv1.Source_SOURCE_COPILOT)},
		{path: app, model: appClass, kind: application, sources: only(parleyv1.Source_SOURCE_COPILOT)},
		{path: "correlation_id", kind: text, sources: only(parleyv1.Source_SOURCE_COPILOT)},
		{path: actor, model: "actor.user.display_name", kind: person, wild: true},
		{path: actorID, kind: text},
		{path: actorType, kind: enum, enum: identity},
		{path: actorApplicationType, kind: enum, enum: identity},
		{path: "kind", kind: enum, enum: parleyv1.EventKind(0).Descriptor()},
		{path: "body.plain_text", kind: text, wild: true, sources: texts},
		{path: "attachments", kind: message, list: true, sources: texts},
		{path: "attachments.name", kind: text, wild: true, list: true, sources: texts},
		{path: "mentions", kind: message, list: true, sources: texts},
		{path: "mentions.user.id", model: "mentions.mentioned.user.id", kind: text, list: true, sources: texts},
		{path: "links", kind: message, list: true, sources: only(parleyv1.Source_SOURCE_COPILOT)},
		{path: "links.url", kind: text, wild: true, list: true, sources: only(parleyv1.Source_SOURCE_COPILOT)},
		{path: "reply_to", kind: text, sources: only(parleyv1.Source_SOURCE_CHAT, parleyv1.Source_SOURCE_RETAINED_CHAT)},
		{path: participantID, kind: text, list: true, sources: only(parleyv1.Source_SOURCE_CALL)},
		{path: "conversation", kind: conversation},
		{path: "event_time", kind: instant},
		{path: "create_time", kind: instant},
	}}
}

// Conversations are the fields of conversations.
func Conversations() *Schema {
	m := (*parleyv1.Conversation)(nil).ProtoReflect().Descriptor()
	return &Schema{m, []*field{
		{path: memberName, kind: text, wild: true, list: true},
		{path: installedApps, kind: hidden, list: true},
		{path: "kind", kind: enum, enum: parleyv1.ConversationKind(0).Descriptor()},
	}}
}

// Usage are the fields of usage rows: who, and each day of last activity.
func Usage() *Schema {
	m := (*parleyv1.CopilotUsageRow)(nil).ProtoReflect().Descriptor()
	fields := []*field{{path: userPrincipalName, kind: text, wild: true}}
	for i := range m.Fields().Len() {
		if name := string(m.Fields().Get(i).Name()); strings.HasSuffix(name, "last_activity_date") {
			fields = append(fields, &field{path: name, kind: day})
		}
	}
	return &Schema{m, fields}
}

// Users are the fields of users.
func Users() *Schema {
	return &Schema{(*parleyv1.User)(nil).ProtoReflect().Descriptor(), []*field{
		{path: userID, kind: text},
		{path: userPrincipalName, kind: text, wild: true},
		{path: displayName, kind: text, wild: true},
		{path: "copilot.licensed", kind: flag},
	}}
}

// Filter is a checked filter. It is immutable and safe for concurrent use.
type Filter struct {
	root *node
	// needs are the fields that a comparison looks at.
	needs *view.Mask
}

// Compile parses and checks a filter against a schema. Readers of the view METADATA may name marked fields only. A filter
// without any term is nil. Errors are *Error.
func Compile(filter string, s *Schema, v parleyv1.EventView) (*Filter, error) {
	root, err := parse(filter)
	if err != nil || root == nil {
		return nil, err
	}
	if err := s.check(root, v, true); err != nil {
		return nil, err
	}
	var paths []string
	root.each(func(n *node) { paths = append(paths, n.needs()...) })
	needs, err := view.NewMask(s.message, paths...)
	if err != nil {
		return nil, fmt.Errorf("fields of the filter: %w", err)
	}
	return &Filter{root, needs}, nil
}

// needs are the paths of the fields that the comparison looks at.
func (n *node) needs() []string {
	switch {
	case n.field.kind == hidden:
		return nil
	case n.field.kind == person:
		return []string{actor}
	case n.path == participantID:
		return []string{"call"}
	default:
		return []string{n.field.modelPath()}
	}
}

// check resolves fields and literals. top says that every match must fulfil the node.
func (s *Schema) check(n *node, v parleyv1.EventView, top bool) error {
	for _, child := range n.children {
		if err := s.check(child, v, top && n.join == "and"); err != nil {
			return err
		}
	}
	if n.join != "" {
		return nil
	}
	at := slices.IndexFunc(s.fields, func(f *field) bool { return f.path == n.path })
	if at < 0 {
		paths := make([]string, 0, len(s.fields))
		for _, f := range s.fields {
			paths = append(paths, f.path)
		}
		return &Error{n.position, "unknown field;" + nearmiss.Hint(n.path, paths) + " known are " + strings.Join(paths, ", ")}
	}
	n.field = s.fields[at]
	if v == parleyv1.EventView_EVENT_VIEW_METADATA && !view.ShownInMetadata(s.message, n.field.modelPath()) {
		var allowed []string
		for _, f := range s.fields {
			if view.ShownInMetadata(s.message, f.modelPath()) {
				allowed = append(allowed, f.path)
			}
		}
		return &Error{n.position, n.path + " may not be named by readers of the view METADATA; they may name " + strings.Join(allowed, ", ")}
	}
	if n.field.graphOnly() && (!top || n.op != equal && n.op != contains || n.isBareWildcard()) {
		return &Error{n.position, n.path + " is evaluated by Graph: it may stand alone or beside AND only, with = or : and a text"}
	}
	return n.resolve()
}

// graphOnly reports whether lists of records lack the field, so that Graph must evaluate it.
func (f *field) graphOnly() bool { return f.kind == hidden || f.path == participantID }

// resolve checks operator and literal against the field's type, and reads the value of the literal.
func (n *node) resolve() error {
	n.present = n.op == contains && n.isBareWildcard()
	if n.present {
		return nil
	}
	if err := n.checkOperator(); err != nil {
		return err
	}
	return n.readLiteral()
}

// checkOperator checks the operator against the field's type.
func (n *node) checkOperator() error {
	f := n.field
	ordered := n.op != equal && n.op != unequal && n.op != contains
	switch {
	case f.kind == message:
		return &Error{n.position, f.path + " can only be asked for whether it is there: " + f.path + ":*"}
	case ordered && f.kind != instant && f.kind != day:
		return &Error{n.position, fmt.Sprintf("%s cannot be compared by %s", f.path, n.op)}
	case n.op == contains && !f.list:
		return &Error{n.position, ": is for lists, and " + f.path + ":* for whether the field is there; write ="}
	case n.literal == "":
		return &Error{n.at, "an empty text cannot be compared"}
	default:
		return nil
	}
}

// readLiteral reads the value of the literal by the field's type.
func (n *node) readLiteral() error {
	f := n.field
	n.value.text = n.literal
	if f.wild && len(n.wild) > 0 {
		n.value.pattern = newPattern(n.literal, n.wild)
	}
	switch f.kind {
	case enum:
		v := f.enum.Values().ByName(protoreflect.Name(n.literal))
		if v == nil || v.Number() == 0 {
			names := memberNames(f.enum)
			return &Error{n.at, "expected a value of " + string(f.enum.Name()) + ";" + nearmiss.Hint(n.literal, names) + " known are " + strings.Join(names, ", ")}
		}
		n.value.number = v.Number()
	case instant:
		t, err := time.Parse(time.RFC3339Nano, n.literal)
		if err != nil {
			return &Error{n.at, `expected a time in RFC 3339, such as "2026-01-31T00:00:00Z", in quotes`}
		}
		n.value.time = t
	case day:
		if _, err := time.Parse(time.DateOnly, n.literal); err != nil {
			return &Error{n.at, `expected a day, such as "2026-01-31", in quotes`}
		}
	case flag:
		if n.literal != "true" && n.literal != "false" {
			return &Error{n.at, "expected true or false"}
		}
		n.value.flag = n.literal == "true"
	case application:
		class, ok := classOf(n.literal)
		if !ok {
			return &Error{n.at, "expected the name of an application, such as " + strings.Join(appNames(), ", ")}
		}
		n.value.text = class
	case text, conversation, hidden, message, person:
	}
	return nil
}

// memberNames are the names of an enum's values but the unspecified one.
func memberNames(enum protoreflect.EnumDescriptor) []string {
	names := make([]string, 0, enum.Values().Len())
	for i := range enum.Values().Len() {
		if value := enum.Values().Get(i); value.Number() != 0 {
			names = append(names, string(value.Name()))
		}
	}
	return names
}

// each visits every comparison.
func (n *node) each(visit func(*node)) {
	if n.join == "" {
		visit(n)
	}
	for _, child := range n.children {
		child.each(visit)
	}
}

// member is Graph's word for an enum value; empty when it has none.
func member(d protoreflect.EnumDescriptor, number protoreflect.EnumNumber) string {
	v := d.Values().ByNumber(number)
	if v == nil {
		return ""
	}
	word, _ := proto.GetExtension(v.Options(), parleyv1.E_GraphMember).(string)
	return word
}

// sameConversation reports whether a literal names the conversation: by its resource name, or by its id.
func sameConversation(name, literal string) bool {
	if name == literal {
		return true
	}
	_, id, err := resource.ParseConversation(name)
	return err == nil && id == literal
}
