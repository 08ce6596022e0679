package filter

import (
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/timestamppb"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/source"
)

// Verdict is what a filter says about a record.
type Verdict int

// The verdicts. Unknown: the record lacks a field that Graph alone can see.
const (
	False Verdict = iota
	Unknown
	True
)

// Match evaluates the filter. A nil Filter matches everything.
func (f *Filter) Match(m proto.Message) Verdict {
	if f == nil {
		return True
	}
	r := m.ProtoReflect()
	return f.root.eval(func(n *node) Verdict { return n.match(r) })
}

// Possible reports whether any event of a source can match: a source that cannot need not be asked.
func (f *Filter) Possible(src parleyv1.Source) bool {
	if f == nil {
		return true
	}
	return f.root.eval(func(n *node) Verdict { return n.bySource(src) }) != False
}

// eval joins the verdicts of the comparisons: and is the least of them, or the greatest.
func (n *node) eval(compare func(*node) Verdict) Verdict {
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

func verdict(b bool) Verdict {
	if b {
		return True
	}
	return False
}

// bySource is what the source alone says about a comparison.
func (n *node) bySource(src parleyv1.Source) Verdict {
	if n.field.sources != nil && !slices.Contains(n.field.sources, src) {
		return verdict(n.op == unequal)
	}
	if n.path != "kind" || n.field.enum != parleyv1.EventKind(0).Descriptor() {
		return Unknown
	}
	kinds := map[parleyv1.Source][]parleyv1.EventKind{
		parleyv1.Source_SOURCE_COPILOT: {parleyv1.EventKind_EVENT_KIND_PROMPT, parleyv1.EventKind_EVENT_KIND_ANSWER},
		parleyv1.Source_SOURCE_CHAT:    {parleyv1.EventKind_EVENT_KIND_MESSAGE, parleyv1.EventKind_EVENT_KIND_SYSTEM},
		parleyv1.Source_SOURCE_CALL:    {parleyv1.EventKind_EVENT_KIND_CALL},
	}[src]
	asked := parleyv1.EventKind(n.value.number)
	if len(kinds) == 1 { // a record of this source is nothing else
		return verdict((asked == kinds[0]) != (n.op == unequal))
	}
	if slices.Contains(kinds, asked) || asked == parleyv1.EventKind_EVENT_KIND_OTHER || len(kinds) == 0 {
		return Unknown
	}
	return verdict(n.op == unequal)
}

// match compares one record.
func (n *node) match(m protoreflect.Message) Verdict {
	if n.field.kind == hidden {
		return Unknown
	}
	if n.path == "call.participants.id" {
		event, _ := m.Interface().(*parleyv1.Event)
		return n.attended(event.GetCall())
	}
	if n.path == memberName {
		chat, _ := m.Interface().(*parleyv1.Conversation)
		if chat.GetMembersTruncated() || len(chat.GetMembers()) == 0 {
			// The name may be among the members that the list leaves out.
			if v := n.among(m); v == True {
				return n.signed(true)
			}
			return Unknown
		}
	}
	if n.op == unequal {
		return n.signed(n.among(m) == True)
	}
	return n.among(m)
}

// attended compares who took part in a call; a record that names nobody leaves it open.
func (n *node) attended(call *parleyv1.CallDetail) Verdict {
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

// signed turns "is equal" into the verdict of = or !=.
func (n *node) signed(same bool) Verdict { return verdict(same != (n.op == unequal)) }

// among reports whether any value that the path leads to compares; != counts as = here.
func (n *node) among(m protoreflect.Message) Verdict {
	found := False
	values(m, strings.Split(n.path, "."), func(v protoreflect.Value) {
		if n.compare(v) {
			found = True
		}
	})
	return found
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
	case enum:
		return v.Enum() == n.value.number
	case conversation:
		return sameConversation(v.String(), n.value.text)
	case instant:
		stamp, _ := v.Message().Interface().(*timestamppb.Timestamp)
		order := stamp.AsTime().Compare(n.value.time)
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
	default:
		if n.value.pattern != nil {
			return n.value.pattern.match(v.String())
		}
		return strings.EqualFold(v.String(), n.value.text)
	}
}

// Pushed is the part of a filter that Graph is asked to evaluate for one source.
type Pushed struct {
	Clause source.Clause
	// Fields are the paths in it.
	Fields []string
}

// Push finds what every match must fulfil and Graph can evaluate for a source: an equality, or several of one field
// joined by or. Each field is pushed once.
func (f *Filter) Push(src parleyv1.Source) Pushed {
	var p Pushed
	if f == nil {
		return p
	}
	terms := []*node{f.root}
	if f.root.join == "and" {
		terms = f.root.children
	}
	for _, term := range terms {
		path, nodes := term.alternatives()
		if path != "" && !slices.Contains(p.Fields, path) && p.take(src, path, nodes) {
			p.Fields = append(p.Fields, path)
		}
	}
	return p
}

// isPattern reports whether a comparison is with a text that has wildcards.
func (n *node) isPattern() bool { return n.value.pattern != nil }

// alternatives returns the field and comparisons of an equality or of equalities of one field joined by or.
func (n *node) alternatives() (string, []*node) {
	switch {
	case n.join == "":
		return n.path, []*node{n}
	case n.join != "or":
		return "", nil
	}
	path := n.children[0].path
	for _, child := range n.children {
		if child.join != "" || child.path != path || child.op != equal {
			return "", nil
		}
	}
	return path, n.children
}

// take adds comparisons of one field to the clause, if Graph can evaluate them.
func (p *Pushed) take(src parleyv1.Source, path string, nodes []*node) bool {
	first := nodes[0]
	if slices.ContainsFunc(nodes, (*node).isPattern) {
		return false // Graph compares whole texts
	}
	if first.op != equal && first.op != contains && (path != "kind" || first.op != unequal) {
		return false
	}
	c := &p.Clause
	switch {
	case src == parleyv1.Source_SOURCE_COPILOT && path == "copilot.app_class":
		c.AppClasses = literals(nodes)
	case src == parleyv1.Source_SOURCE_CALL && path == "call.participants.id" && len(nodes) == 1:
		c.ParticipantID = first.value.text
	case src != parleyv1.Source_SOURCE_CHAT:
		return false
	case path == "actor.user.id":
		c.UserIDs = literals(nodes)
	case path == "actor.user.identity_type":
		c.UserTypes = members(nodes)
		return len(c.UserTypes) > 0
	case path == "actor.application.identity_type":
		c.ApplicationTypes = members(nodes)
		return len(c.ApplicationTypes) > 0
	case path == "kind" && len(nodes) == 1:
		return takeKind(c, first)
	default:
		return false
	}
	return true
}

// PushChats finds what Graph is asked to evaluate for a list of chats: one member's name, one installed app.
func (f *Filter) PushChats() (member, app string, fields []string) {
	if f == nil {
		return "", "", nil
	}
	for _, n := range f.chatTerms() {
		fields = append(fields, n.path)
		if n.path == memberName {
			member = n.value.text
		} else {
			app = n.value.text
		}
	}
	return member, app, fields
}

const (
	memberName    = "members.display_name"
	installedApps = "installed_apps"
)

// chatTerms are the comparisons that PushChats finds.
func (f *Filter) chatTerms() []*node {
	terms := []*node{f.root}
	if f.root.join == "and" {
		terms = f.root.children
	}
	var found []*node
	for _, n := range terms {
		if n.join != "" || n.op != equal && n.op != contains || n.isPattern() || n.path != memberName && n.path != installedApps {
			continue
		}
		if !slices.ContainsFunc(found, func(other *node) bool { return other.path == n.path }) {
			found = append(found, n)
		}
	}
	return found
}

// MatchChat evaluates the filter for a chat. If Graph was asked for what PushChats finds, its word is taken for those
// comparisons that the chat leaves open, and for no others.
func (f *Filter) MatchChat(m proto.Message, asked bool) Verdict {
	if f == nil {
		return True
	}
	r, terms := m.ProtoReflect(), []*node(nil)
	if asked {
		terms = f.chatTerms()
	}
	return f.root.eval(func(n *node) Verdict {
		v := n.match(r)
		if v == Unknown && slices.Contains(terms, n) {
			return True
		}
		return v
	})
}

// Here lists the fields that are evaluated here wherever a record holds them.
func (f *Filter) Here() []string {
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

// takeKind asks for system messages alone, or for none.
func takeKind(c *source.Clause, n *node) bool {
	switch asked := parleyv1.EventKind(n.value.number); {
	case asked == parleyv1.EventKind_EVENT_KIND_SYSTEM && n.op == equal:
		c.SystemOnly = true
	case asked == parleyv1.EventKind_EVENT_KIND_SYSTEM && n.op == unequal, asked == parleyv1.EventKind_EVENT_KIND_MESSAGE && n.op == equal:
		c.NoSystem = true
	default:
		return false
	}
	return true
}

func literals(nodes []*node) []string {
	list := make([]string, 0, len(nodes))
	for _, n := range nodes {
		list = append(list, n.value.text)
	}
	return list
}

// members are Graph's words for enum values; nil when one has none.
func members(nodes []*node) []string {
	list := make([]string, 0, len(nodes))
	for _, n := range nodes {
		word := member(n.field.enum, n.value.number)
		if word == "" {
			return nil
		}
		list = append(list, word)
	}
	return list
}
