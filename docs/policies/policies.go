// Package policies gives access to the handbook's policies, which the demo uses.
package policies

import (
	"bytes"
	_ "embed"
)

//go:embed entra-app-roles.yaml
var entraAppRoles []byte

//go:embed on-behalf-of.yaml
var onBehalfOf []byte

// EntraAppRoles returns the handbook's policy for Entra app roles, as YAML.
func EntraAppRoles() []byte { return bytes.Clone(entraAppRoles) }

// OnBehalfOf returns the handbook's rules that have Graph asked on behalf of the caller, as YAML.
func OnBehalfOf() []byte { return bytes.Clone(onBehalfOf) }
