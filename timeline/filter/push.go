package filter

import (
	"slices"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/source"
)

// Pushed is the part of a filter that Graph is asked to evaluate for one source.
type Pushed struct {
	Clause source.Clause
	// Fields are the paths in it.
	Fields []string
}

// Push returns the comparisons that every match must fulfil and that Graph can evaluate for a source: an equality, several equalities
// of one field joined by or, or such of the fields of a sender. Each field is pushed once, and one term with several fields.
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
		nodes := term.alternatives()
		if len(nodes) == 0 || slices.ContainsFunc(nodes, (*node).isPattern) || !p.add(src, nodes) {
			continue // Graph compares whole texts
		}
		for _, n := range nodes {
			if !slices.Contains(p.Fields, n.path) {
				p.Fields = append(p.Fields, n.path)
			}
		}
	}
	return p
}

// isPattern reports whether a comparison is with a text that has wildcards, or with anything at all.
func (n *node) isPattern() bool { return n.value.pattern != nil || n.present }

// alternatives returns a comparison, or equalities that are joined by or; nil for other terms.
func (n *node) alternatives() []*node {
	switch {
	case n.join == "":
		return []*node{n}
	case n.join != "or" || slices.ContainsFunc(n.children, func(child *node) bool { return child.join != "" || child.op != equal }):
		return nil
	default:
		return n.children
	}
}

// oneField returns the alternatives of a term that are all of one field, and the field.
func (n *node) oneField() (string, []*node) {
	nodes := n.alternatives()
	if len(nodes) == 0 || slices.ContainsFunc(nodes, func(other *node) bool { return other.path != nodes[0].path }) {
		return "", nil
	}
	return nodes[0].path, nodes
}

// add adds comparisons to the clause, if Graph can evaluate them.
func (p *Pushed) add(src parleyv1.Source, nodes []*node) bool {
	first, c, api := nodes[0], &p.Clause, source.Describe(src)
	if first.op != equal && first.op != contains && (first.path != "kind" || first.op != unequal) {
		return false
	}
	switch {
	case src == parleyv1.Source_SOURCE_COPILOT:
		return addClasses(c, nodes)
	case src == parleyv1.Source_SOURCE_CALL:
		if len(nodes) > 1 || first.path != participantID || c.ParticipantID != "" {
			return false
		}
		c.ParticipantID = first.value.text
		return true
	case !api.HasMessages():
		return false
	case len(nodes) == 1 && first.path == "kind":
		return !c.SystemOnly && !c.NoSystem && addKind(c, first)
	default:
		return addSenders(c, nodes)
	}
}

// addClasses adds application classes.
func addClasses(c *source.Clause, nodes []*node) bool {
	for _, n := range nodes {
		if n.path != appClass && (n.path != app || !isKnownClass(n.value.text)) {
			return false
		}
	}
	if len(c.AppClasses) > 0 {
		return false
	}
	c.AppClasses = literals(nodes)
	return true
}

// addSenders adds conditions on the sender: of one field to those that all must hold, of several to those of which one must hold.
func addSenders(c *source.Clause, nodes []*node) bool {
	var s source.Sender
	lists := map[string]*[]string{actorID: &s.UserIDs, actorType: &s.UserTypes, actorApplicationType: &s.ApplicationTypes}
	paths := 0
	for _, n := range nodes {
		list, ok := lists[n.path]
		word := n.value.text
		if n.field.kind == enum {
			word = member(n.field.enum, n.value.number)
		}
		if !ok || word == "" {
			return false
		}
		if len(*list) == 0 {
			paths++
		}
		*list = append(*list, word)
	}
	to := &c.AnySender
	if paths == 1 {
		to = &c.Sender
	}
	return to.Add(s)
}

// PushChats returns the comparisons that Graph is asked to evaluate for a list of chats: one member's name, one installed app.
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

// chatTerms are the comparisons that PushChats returns.
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

// addKind asks for system messages alone, or for none.
func addKind(c *source.Clause, n *node) bool {
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
