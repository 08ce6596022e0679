package config

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

const (
	// DefaultAlias names the only tenant of a deployment that is configured by scalar settings.
	DefaultAlias = "default"

	tenantsKey = "tenants"
	graphGroup = "Microsoft Graph"
	maxTenants = 1000
)

// aliasForm is the form of a tenant's alias, which stands in headers, policies, metrics and audit records.
var aliasForm = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,62}$`)

// graphKeys are the YAML keys of the settings that a tenant may have of its own, by field number.
func graphKeys() map[string]int {
	keys := make(map[string]int)
	fields := reflect.TypeFor[Settings]()
	for i := range fields.NumField() {
		if tag := fields.Field(i).Tag; tag.Get("group") == graphGroup {
			keys[keyOf(tag.Get("name"))] = i
		}
	}
	return keys
}

// readTenants reads `tenants:`, a mapping of aliases to settings of Microsoft Graph.
func (f *File) readTenants(node *yaml.Node) error {
	if node.Kind != yaml.MappingNode || len(node.Content) == 0 || len(node.Content) > 2*maxTenants {
		return fmt.Errorf("%s:%d: tenants: expected `alias:` mappings, at least one", f.path, node.Line)
	}
	known := graphKeys()
	f.tenants = make(map[string]map[string]entry)
	var errs []error
	fail := func(at *yaml.Node, format string, args ...any) {
		errs = append(errs, fmt.Errorf("%s:%d: tenants: %s", f.path, at.Line, fmt.Sprintf(format, args...)))
	}
	for i := 0; i+1 < len(node.Content); i += 2 {
		alias, settings := node.Content[i], node.Content[i+1]
		switch {
		case !aliasForm.MatchString(alias.Value):
			fail(alias, "%q is not an alias; use up to 63 lower-case letters, digits and dashes", alias.Value)
			continue
		case f.tenants[alias.Value] != nil:
			fail(alias, "%s is there twice", alias.Value)
			continue
		case settings.Kind != yaml.MappingNode:
			fail(settings, "%s: expected `key: value` lines", alias.Value)
			continue
		}
		values := make(map[string]entry)
		for j := 0; j+1 < len(settings.Content); j += 2 {
			key, value := settings.Content[j], settings.Content[j+1]
			_, ok := known[key.Value]
			_, twice := values[key.Value]
			switch {
			case !ok:
				fail(key, "%s: unknown key %q; known are %s", alias.Value, key.Value, strings.Join(slices.Sorted(maps.Keys(known)), ", "))
			case twice:
				fail(key, "%s: %s is set twice", alias.Value, key.Value)
			case value.Kind != yaml.ScalarNode:
				fail(value, "%s: %s: expected one value", alias.Value, key.Value)
			case value.Tag != "!!null":
				values[key.Value] = entry{value: value.Value, line: key.Line}
			}
		}
		f.tenants[alias.Value] = values
	}
	return errors.Join(errs...)
}

// LoadTenants reads the tenants of a configuration file into the settings. A tenant has every setting of Microsoft Graph;
// those that it does not set are as for the deployment, the tenant id excepted.
func (s *Settings) LoadTenants(path string) error {
	file, err := Load(path)
	if err != nil {
		return err
	}
	if len(file.tenants) == 0 {
		return nil
	}
	keys := graphKeys()
	s.Tenants = make(map[string]Settings, len(file.tenants))
	for alias, values := range file.tenants {
		own := *s
		own.Tenants = nil
		own.GraphTenantID = ""
		target := reflect.ValueOf(&own).Elem()
		for key, e := range values {
			target.Field(keys[key]).SetString(e.value)
		}
		s.Tenants[alias] = own
	}
	return nil
}

// ByAlias returns the settings of each tenant; those of the only one stand under DefaultAlias.
func (s *Settings) ByAlias() map[string]Settings {
	if len(s.Tenants) > 0 {
		return s.Tenants
	}
	return map[string]Settings{DefaultAlias: *s}
}

// checkTenants checks the Graph settings of every tenant.
func (s *Settings) checkTenants(fail failer) {
	if len(s.Tenants) == 0 {
		s.checkGraph(fail)
		return
	}
	if s.GraphTenantID != "" {
		fail("PARLEY_GRAPH_TENANT_ID", "contradicts tenants: in the configuration file, where each has its own; unset it")
	}
	seen := make(map[string]string)
	for _, alias := range slices.Sorted(maps.Keys(s.Tenants)) {
		own := s.Tenants[alias]
		failOwn := func(setting, format string, args ...any) {
			fail("tenants."+alias+"."+strings.ToLower(strings.TrimPrefix(setting, "PARLEY_")), format, args...)
		}
		own.checkGraph(failOwn)
		switch other, twice := seen[own.Tenant()]; {
		case own.GraphTenantID == "" && own.GraphCredential == "none":
			failOwn("PARLEY_GRAPH_TENANT_ID", "is needed: tenants are told apart by it")
		case twice:
			failOwn("PARLEY_GRAPH_TENANT_ID", "is that of %s, too", other)
		}
		seen[own.Tenant()] = alias
	}
}
