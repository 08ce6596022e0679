package parley

import (
	"embed"
	"io/fs"
)

//go:embed gen/openapi/openapi.json
var openAPI string

//go:embed gen/descriptor/parley.binpb
var descriptor string

//go:embed gen/descriptor/parley-full.binpb
var fullDescriptor string

//go:embed web/explorer/site
var explorer embed.FS

// explorerSite returns the files of the explorer, as they are built from web/explorer.
func explorerSite() fs.FS {
	site, err := fs.Sub(explorer, "web/explorer/site")
	if err != nil {
		return explorer // the folder is in the program: it does not happen
	}
	return site
}

// OpenAPI returns the OpenAPI 3.1 document of the REST API, as JSON.
func OpenAPI() []byte { return []byte(openAPI) }

// Descriptor returns the serialized google.protobuf.FileDescriptorSet of parley.v1 for generators of clients: with imports, comments
// and the messages of google.rpc that errors are made of, without options that only the gateway reads.
func Descriptor() []byte { return []byte(descriptor) }

// FullDescriptor returns the same set with every option: the rules of requests (protovalidate), and the Graph property behind
// each field.
func FullDescriptor() []byte { return []byte(fullDescriptor) }
