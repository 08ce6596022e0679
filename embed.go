package parley

import _ "embed"

//go:embed gen/openapi/openapi.json
var openAPI string

//go:embed gen/descriptor/parley.binpb
var descriptor string

// OpenAPI returns the OpenAPI 3.1 document of the REST API, as JSON.
func OpenAPI() []byte { return []byte(openAPI) }

// Descriptor returns the serialized google.protobuf.FileDescriptorSet of parley.v1, with imports and comments.
func Descriptor() []byte { return []byte(descriptor) }
