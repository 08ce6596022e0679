package config

import (
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

const (
	// DefaultAlias names the only tenant of a deployment that is configured by scalar settings.
	DefaultAlias = "default"

	tenantsKey = "tenants"
	graphGroup = "Microsoft Graph"
)

// tenantSpecs returns the settings that a tenant may have of its own.
func tenantSpecs() []settingSpec {
	return slices.DeleteFunc(slices.Clone(settingSpecs()), func(s settingSpec) bool { return !s.graph })
}

// checkTenants checks the mapping from aliases to the settings of tenants, and reports whether protoyaml is to read it.
func (r *fileReader) checkTenants(node *yaml.Node) bool {
	if node.Kind != yaml.MappingNode || len(node.Content) == 0 {
		r.failf(node, "tenants: expected `alias:` mappings, at least one")
		return false
	}
	specs, seen := tenantSpecs(), make(map[string]int)
	var kept []*yaml.Node
	for i := 0; i+1 < len(node.Content); i += 2 {
		alias, own := node.Content[i], node.Content[i+1]
		path := tenantsKey + "." + shorten(alias.Value)
		if first, twice := seen[alias.Value]; twice {
			r.failf(alias, "%s is there twice, first on line %d; remove one of them", path, first)
			continue
		}
		seen[alias.Value] = alias.Line
		switch {
		case alias.Kind != yaml.ScalarNode:
			r.failf(alias, "tenants: expected an alias before the colon")
		case own.Kind != yaml.MappingNode:
			r.failf(own, "%s: expected `key: value` lines", path)
		default:
			r.positions[path] = r.positionOf(alias)
			r.checkMapping(own, path+".", specs)
			kept = append(kept, alias, own)
		}
	}
	node.Content = kept
	return true
}

// setTenants copies the tenants of a file into the settings, which have every other value by then. A tenant inherits each setting of
// Microsoft Graph that it does not set, except the tenant id.
func (s *Settings) setTenants(from *file) {
	own := from.message.GetTenants()
	if len(own) == 0 {
		return
	}
	s.Tenants = make(map[string]Settings, len(own))
	for alias, message := range own {
		path := tenantsKey + "." + shorten(alias)
		tenant := *s
		tenant.Tenants, tenant.GraphTenantID = nil, ""
		tenant.origins = maps.Clone(s.origins)
		missing := Origin{at: from.positions[path], tenant: alias}
		tenant.origins[""] = missing
		for _, spec := range tenantSpecs() {
			if tenant.field(spec).IsZero() {
				tenant.origins[spec.flag] = missing
			}
		}
		tenant.setFromProto(message, func(key string) Origin {
			return Origin{kind: fromFile, at: from.positions[path+"."+key], tenant: alias}
		})
		s.Tenants[alias] = tenant
	}
}

// ByAlias returns the settings of each tenant; those of the only one stand under DefaultAlias.
func (s *Settings) ByAlias() map[string]Settings {
	if len(s.Tenants) > 0 {
		return s.Tenants
	}
	return map[string]Settings{DefaultAlias: *s}
}

// checkTenants checks the Graph settings of every tenant.
func (c *checker) checkTenants() {
	s := c.settings
	if len(s.Tenants) == 0 {
		c.checkGraph()
		return
	}
	if s.GraphTenantID != "" {
		c.failf(&s.GraphTenantID, "contradicts tenants: in the configuration file, where each has its own; unset it")
	}
	seen := make(map[string]string)
	for _, alias := range slices.Sorted(maps.Keys(s.Tenants)) {
		tenant := s.Tenants[alias]
		if tenant.origins == nil { // the settings were made by a program, not read from a file
			tenant.origins = make(Origins)
			for _, spec := range tenantSpecs() {
				tenant.origins[spec.flag] = Origin{tenant: alias}
			}
		}
		own := &checker{settings: &tenant, reported: c.reported, validator: c.validator}
		own.checkValues(tenantSpecs())
		own.checkGraph()
		id := strings.ToLower(tenant.GraphTenantID)
		switch other, twice := seen[id]; {
		case tenant.GraphTenantID == "" && tenant.GraphCredential == "none":
			own.failf(&tenant.GraphTenantID, "is needed: tenants are told apart by it")
		case twice && tenant.GraphTenantID != "":
			own.failf(&tenant.GraphTenantID, "is that of %s, too; give each tenant its own", other)
		}
		seen[id] = alias
		for _, err := range own.errs {
			c.addOnce(err) // once, although each tenant inherits the wrong value
		}
	}
}
