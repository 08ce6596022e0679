package authz

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// mapping reads a mapping of known keys; nil when it is none.
func (p *parser) mapping(node *yaml.Node, what string, known ...string) map[string]*yaml.Node {
	if node.Kind != yaml.MappingNode {
		p.failf(node, "%s must be `key: value` lines; keys are %s", what, strings.Join(known, ", "))
		return nil
	}
	parts := make(map[string]*yaml.Node, len(node.Content)/2)
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		switch {
		case key.Kind != yaml.ScalarNode || !slices.Contains(known, key.Value):
			p.unknown(key, "key of "+what, key.Value, known)
		case parts[key.Value] != nil:
			p.failf(key, "%s is set twice", key.Value)
		case value.Kind == yaml.AliasNode || value.Anchor != "":
			p.failf(value, "anchors and aliases are not read; write the value out")
		default:
			parts[key.Value] = value
		}
	}
	return parts
}

// unknown notes a name that is not among the known ones.
func (p *parser) unknown(node *yaml.Node, what, name string, known []string) {
	p.failf(node, "unknown %s %q; known are %s", what, shorten(name), strings.Join(known, ", "))
}

// shorten returns at most the first 64 bytes of a value, for a message.
func shorten(text string) string {
	const most = 64
	if len(text) > most {
		return text[:most] + "…"
	}
	return text
}

// text reads one non-empty text; empty when there is none.
func (p *parser) text(node *yaml.Node) string {
	if node == nil || node.Kind != yaml.ScalarNode || node.Tag == "!!null" {
		return ""
	}
	return node.Value
}

// texts reads one text or a list of texts; none of them may be empty.
func (p *parser) texts(node *yaml.Node, what string) []string {
	if node == nil {
		return nil
	}
	nodes := []*yaml.Node{node}
	if node.Kind == yaml.SequenceNode {
		nodes = node.Content
	}
	var all []string
	for _, each := range nodes {
		text := p.text(each)
		if text == "" || strings.TrimSpace(text) != text {
			p.failf(each, "%s must be a text or a list of texts", what)
			continue
		}
		all = append(all, text)
	}
	if len(nodes) == 0 {
		p.failf(node, "%s is an empty list: it would match nobody or allow nothing", what)
	}
	return all
}

func (p *parser) isEvery(node *yaml.Node) bool {
	return node.Kind == yaml.ScalarNode && node.Value == every
}

// choose reads `all` or some of the known names.
func choose[T any](p *parser, node *yaml.Node, what string, known []string, value func(string) T) []T {
	if node == nil {
		return nil
	}
	names := known
	if !p.isEvery(node) {
		names = p.texts(node, what)
	}
	chosen := make([]T, 0, len(names))
	for _, name := range names {
		if !slices.Contains(known, name) {
			p.unknown(node, what, name, append([]string{every}, known...))
			continue
		}
		chosen = append(chosen, value(name))
	}
	return chosen
}
