// Package parley gives access to the generated files that the gateway serves: the OpenAPI document and the descriptor set;
// and to the handbook's policies, which the demo uses. It lies at the root of the module because only there all of them can be
// embedded.
package parley

import _ "embed"

//go:embed gen/openapi/openapi.json
var openAPI string

//go:embed gen/descriptor/parley.binpb
var descriptor string

//go:embed docs/policies/entra-app-roles.yaml
var entraAppRoles string

//go:embed docs/policies/on-behalf-of.yaml
var onBehalfOf string

// OpenAPI returns the OpenAPI 3.1 document of the REST API, as JSON.
func OpenAPI() []byte { return []byte(openAPI) }

// Descriptor returns the serialized google.protobuf.FileDescriptorSet of parley.v1, with imports and comments.
func Descriptor() []byte { return []byte(descriptor) }

// EntraAppRoles returns the handbook's policy for Entra app roles, as YAML.
func EntraAppRoles() []byte { return []byte(entraAppRoles) }

// OnBehalfOf returns the handbook's rules that have Graph asked on behalf of the caller, as YAML.
func OnBehalfOf() []byte { return []byte(onBehalfOf) }
