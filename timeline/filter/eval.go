package filter

import (
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/timestamppb"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/source"
)

// Result is the result of a filter on a record.
type Result int

// The results. Unknown: the record lacks a field that Graph alone can see.
const (
	False Result = iota
	Unknown
	True
)

// Match evaluates the filter. A nil Filter matches everything.
func (f *Filter) Match(m proto.Message) Result {
	if f == nil {
		return True
	}
	r := m.ProtoReflect()
	return f.root.eval(func(n *node) Result { return n.match(r) })
}

// MatchWire is Match for an encoded event. Only the fields that the filter looks at are decoded.
func (f *Filter) MatchWire(wire []byte) (Result, error) {
	if f == nil {
		return True, nil
	}
	needed, err := f.needs.AppendTo(make([]byte, 0, 256), wire)
	if err != nil {
		return False, fmt.Errorf("filter an event: %w", err)
	}
	event := &parleyv1.Event{}
	if err := proto.Unmarshal(needed, event); err != nil {
		return False, fmt.Errorf("filter an event: %w", err)
	}
	return f.Match(event), nil
}

// Possible reports whether any event of a source can match: a source that cannot need not be asked.
func (f *Filter) Possible(src parleyv1.Source) bool {
	if f == nil {
		return true
	}
	return f.root.eval(func(n *node) Result { return n.bySource(src) }) != False
}

// eval joins the results of the comparisons: and is the least of them, or the greatest.
func (n *node) eval(compare func(*node) Result) Result {
	switch n.join {
	case "and":
		v := True
		for _, child := range n.children {
			v = min(v, child.eval(compare))
		}
		return v
	case "or":
		v := False
		for _, child := range n.children {
			v = max(v, child.eval(compare))
		}
		return v
	case "not":
		return True - n.children[0].eval(compare)
	default:
		return compare(n)
	}
}

// resultOf is the result of a comparison that can be made.
func resultOf(b bool) Result {
	if b {
		return True
	}
	return False
}

// bySource returns the result of a comparison as far as the source alone decides it.
func (n *node) bySource(src parleyv1.Source) Result {
	if n.field.sources != nil && !slices.Contains(n.field.sources, src) {
		return resultOf(n.op == unequal)
	}
	if n.path != "kind" || n.field.enum != parleyv1.EventKind(0).Descriptor() {
		return Unknown
	}
	kinds := source.Describe(src).Kinds
	asked := parleyv1.EventKind(n.value.number)
	if len(kinds) == 1 { // a record of this source is nothing else
		return resultOf((asked == kinds[0]) != (n.op == unequal))
	}
	if slices.Contains(kinds, asked) || asked == parleyv1.EventKind_EVENT_KIND_OTHER || len(kinds) == 0 {
		return Unknown
	}
	return resultOf(n.op == unequal)
}

// match compares one record.
func (n *node) match(m protoreflect.Message) Result {
	if n.field.kind == hidden {
		return Unknown
	}
	if n.path == participantID {
		event, _ := m.Interface().(*parleyv1.Event)
		return n.attended(event.GetCall())
	}
	if n.path == memberName {
		chat, _ := m.Interface().(*parleyv1.Conversation)
		if chat.GetMembersTruncated() || len(chat.GetMembers()) == 0 {
			// The name may be among the members that the list leaves out.
			if v := n.anyEqual(m); v == True {
				return n.negated(true)
			}
			return Unknown
		}
	}
	if n.field.kind == flag {
		if user, _ := m.Interface().(*parleyv1.User); user.GetCopilot() == nil {
			return Unknown // Graph did not send the plans
		}
	}
	if n.op == unequal {
		return n.negated(n.anyEqual(m) == True)
	}
	return n.anyEqual(m)
}

// attended compares who took part in a call; a record that names nobody leaves it open.
func (n *node) attended(call *parleyv1.CallDetail) Result {
	switch {
	case call == nil:
		return False
	case source.Attended(call, n.value.text):
		return True
	case call.GetPartial() && len(call.GetParticipants()) == 0, !source.NamesPeople(call):
		return Unknown
	default:
		return False
	}
}

// negated turns "is equal" into the result of = or !=.
func (n *node) negated(same bool) Result { return resultOf(same != (n.op == unequal)) }

// anyEqual reports whether any value that the path leads to compares; != counts as = here.
func (n *node) anyEqual(m protoreflect.Message) Result {
	found := False
	compare := func(v protoreflect.Value) {
		if n.present || n.compare(v) {
			found = True
		}
	}
	if n.field.kind == person {
		names(m, compare)
	} else {
		values(m, strings.Split(n.field.modelPath(), "."), compare)
	}
	return found
}

// names visits the display names of the identities of an event's actor.
func names(m protoreflect.Message, visit func(protoreflect.Value)) {
	event, _ := m.Interface().(*parleyv1.Event)
	event.GetActor().ProtoReflect().Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		if fd.Message() != nil {
			values(v.Message(), []string{"display_name"}, visit)
		}
		return true
	})
}

// values visits what a path leads to; unset fields lead nowhere.
func values(m protoreflect.Message, path []string, visit func(protoreflect.Value)) {
	f := m.Descriptor().Fields().ByTextName(path[0])
	if f == nil || !m.Has(f) {
		return
	}
	step := func(v protoreflect.Value) {
		if len(path) == 1 {
			visit(v)
		} else if f.Message() != nil {
			values(v.Message(), path[1:], visit)
		}
	}
	v := m.Get(f)
	if !f.IsList() {
		step(v)
		return
	}
	for i := range v.List().Len() {
		step(v.List().Get(i))
	}
}

func (n *node) compare(v protoreflect.Value) bool {
	switch n.field.kind {
	case application:
		return strings.EqualFold(v.String(), n.value.text)
	case enum:
		return v.Enum() == n.value.number
	case flag:
		return v.Bool() == n.value.flag
	case conversation:
		return sameConversation(v.String(), n.value.text)
	case instant:
		stamp, _ := v.Message().Interface().(*timestamppb.Timestamp)
		return n.ordered(stamp.AsTime().Compare(n.value.time))
	case day:
		return n.ordered(strings.Compare(v.String(), n.value.text))
	default:
		if n.value.pattern != nil {
			return n.value.pattern.match(v.String())
		}
		return strings.EqualFold(v.String(), n.value.text)
	}
}

// ordered reports whether a value compares that is before the literal (negative), after it, or equal.
func (n *node) ordered(order int) bool {
	switch n.op {
	case less:
		return order < 0
	case atMost:
		return order <= 0
	case greater:
		return order > 0
	case atLeast:
		return order >= 0
	default:
		return order == 0
	}
}

// NamesUsers reports whether the filter of usage rows looks at who they are about.
func (f *Filter) NamesUsers() bool { return slices.Contains(f.Evaluated(), userPrincipalName) }

// MatchChat evaluates the filter for a chat. pushed says that Graph was given what PushChats returns; then its word
// is taken for those comparisons, where the chat leaves them open.
func (f *Filter) MatchChat(m proto.Message, pushed bool) Result {
	if f == nil {
		return True
	}
	r, terms := m.ProtoReflect(), []*node(nil)
	if pushed {
		terms = f.chatTerms()
	}
	return f.root.eval(func(n *node) Result {
		v := n.match(r)
		if v == Unknown && slices.Contains(terms, n) {
			return True
		}
		return v
	})
}

// ComparesActors reports whether the filter compares the display names of actors.
func (f *Filter) ComparesActors() bool { return slices.Contains(f.Evaluated(), actor) }

// Evaluated lists the fields that are evaluated here wherever a record holds them.
func (f *Filter) Evaluated() []string {
	if f == nil {
		return nil
	}
	var paths []string
	f.root.each(func(n *node) {
		if n.field.kind != hidden && !slices.Contains(paths, n.path) {
			paths = append(paths, n.path)
		}
	})
	return paths
}
