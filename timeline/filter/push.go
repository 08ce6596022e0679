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

// Push returns the comparisons that every match must fulfil and that Graph can evaluate for a source: an equality, or several
// equalities of one field joined by or. Each field is pushed once.
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
		if path != "" && !slices.Contains(p.Fields, path) && p.add(src, path, nodes) {
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

// add adds comparisons of one field to the clause, if Graph can evaluate them.
func (p *Pushed) add(src parleyv1.Source, path string, nodes []*node) bool {
	first := nodes[0]
	if slices.ContainsFunc(nodes, (*node).isPattern) {
		return false // Graph compares whole texts
	}
	if first.op != equal && first.op != contains && (path != "kind" || first.op != unequal) {
		return false
	}
	c, api := &p.Clause, source.Describe(src)
	switch {
	case src == parleyv1.Source_SOURCE_COPILOT && path == "copilot.app_class":
		c.AppClasses = literals(nodes)
	case src == parleyv1.Source_SOURCE_CALL && path == "call.participants.id" && len(nodes) == 1:
		c.ParticipantID = first.value.text
	case !api.HasMessages():
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
		return addKind(c, first)
	default:
		return false
	}
	return true
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
