package config

import (
	"bytes"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// Show renders the settings as a configuration file that makes the same ones, with where each value came from as a comment.
func (s *Settings) Show() ([]byte, error) {
	root := &yaml.Node{Kind: yaml.MappingNode}
	s.show(root, settingSpecs())
	if len(s.Tenants) > 0 {
		tenants := &yaml.Node{Kind: yaml.MappingNode}
		for _, alias := range slices.Sorted(maps.Keys(s.Tenants)) {
			own, tenant := &yaml.Node{Kind: yaml.MappingNode}, s.Tenants[alias]
			tenant.show(own, tenantSpecs())
			tenants.Content = append(tenants.Content, textNode(alias), own)
		}
		root.Content = append(root.Content, textNode(tenantsKey), tenants)
	}
	var page bytes.Buffer
	encoder := yaml.NewEncoder(&page)
	encoder.SetIndent(2)
	if err := encoder.Encode(root); err != nil {
		return nil, err
	}
	return page.Bytes(), encoder.Close()
}

func (s *Settings) show(to *yaml.Node, specs []settingSpec) {
	for _, spec := range specs {
		value, origin := s.shown(spec), s.origins[spec.flag].describe(spec.flag)
		if value.Tag == "!!null" && origin == "default" {
			origin = "not set"
		}
		value.LineComment = origin
		to.Content = append(to.Content, textNode(spec.key), value)
	}
}

// shown is the value of a setting without its parts that may be secret.
func (s *Settings) shown(spec settingSpec) *yaml.Node {
	switch value := s.field(spec).Interface().(type) {
	case string:
		switch {
		case value == "":
			return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null"}
		case spec.secret && tryOpen(value) != nil:
			return textNode("***") // it may be the secret itself, given in place of a path
		default:
			return textNode(redacted(value))
		}
	case time.Duration:
		return &yaml.Node{Kind: yaml.ScalarNode, Value: value.String()}
	default:
		node := new(yaml.Node)
		if node.Encode(value) != nil {
			return textNode("***") // no type of a setting is one that YAML cannot encode
		}
		return node
	}
}

// redacted takes the user out of a URL.
func redacted(value string) string {
	if !strings.Contains(value, "://") || !strings.Contains(value, "@") {
		return value
	}
	parsed, err := url.Parse(value)
	switch {
	case err != nil:
		return "***"
	case parsed.User == nil:
		return value
	}
	parsed.User = nil
	return strings.Replace(parsed.String(), "://", "://***@", 1)
}

func textNode(value string) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: value}
}
