package filter

import (
	"slices"

	"github.com/parley-gateway/parley/resource"
	"github.com/parley-gateway/parley/source"
)

const (
	userID            = "id"
	userPrincipalName = "user_principal_name"
	displayName       = "display_name"
)

// PushUsers returns the comparisons that Graph is asked to evaluate for a list of users, and their fields: equalities of ids and of
// user principal names, and one display name or its beginning.
func (f *Filter) PushUsers() (q source.UserQuery, fields []string) {
	if f == nil {
		return q, nil
	}
	terms := []*node{f.root}
	if f.root.join == "and" {
		terms = f.root.children
	}
	for _, term := range terms {
		path, nodes := term.oneField()
		if path != "" && !slices.Contains(fields, path) && addUsers(&q, path, nodes) {
			fields = append(fields, path)
		}
	}
	return q, fields
}

// addUsers adds comparisons of one field to the query, if Graph can evaluate them.
func addUsers(q *source.UserQuery, path string, nodes []*node) bool {
	first := nodes[0]
	if first.op != equal || len(nodes) > source.MaxUserTerms {
		return false
	}
	pattern := slices.ContainsFunc(nodes, (*node).isPattern)
	switch {
	case path == displayName && len(nodes) == 1:
		if !pattern {
			q.DisplayName = first.value.text
			return true
		}
		q.NamePrefix = first.prefix()
		return q.NamePrefix != ""
	case pattern:
		return false
	case path == userID:
		// Graph refuses a filter with an id of another form, which no user has.
		if slices.ContainsFunc(nodes, func(n *node) bool { return !resource.IsObjectID(n.value.text) }) {
			return false
		}
		q.IDs = literals(nodes)
	case path == userPrincipalName:
		q.PrincipalNames = literals(nodes)
	default:
		return false
	}
	return true
}

// prefix is the text before a wildcard that ends the literal and is the only one; empty for other patterns.
func (n *node) prefix() string {
	if len(n.wild) != 1 || n.wild[0] != len(n.literal)-1 {
		return ""
	}
	return n.literal[:n.wild[0]]
}
