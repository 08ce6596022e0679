// Command protodeps writes the .proto files that the public contract imports. They are printed from the descriptors that
// the Go packages below carry, so go.sum pins them and no schema registry is asked.
//
// Usage: protodeps FOLDER
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	_ "buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate" // registers buf/validate
	"github.com/jhump/protoreflect/v2/protoprint"
	_ "google.golang.org/genproto/googleapis/api/annotations" // registers google/api
	_ "google.golang.org/genproto/googleapis/api/httpbody"    // registers google/api/httpbody.proto
	_ "google.golang.org/genproto/googleapis/rpc/errdetails"  // registers google/rpc/error_details.proto
	_ "google.golang.org/genproto/googleapis/rpc/status"      // registers google/rpc/status.proto
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
)

// modules maps a path prefix of imports to the folder (a buf module) that holds them.
var modules = map[string]string{
	"google/api/":   "googleapis",
	"google/rpc/":   "googleapis",
	"buf/validate/": "protovalidate",
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: protodeps FOLDER")
		os.Exit(2)
	}
	if err := write(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "protodeps:", err)
		os.Exit(1)
	}
}

// write replaces folder by the modules' files.
func write(folder string) error {
	if err := os.RemoveAll(folder); err != nil {
		return err
	}
	printer := protoprint.Printer{SortElements: true}
	var failed error
	protoregistry.GlobalFiles.RangeFiles(func(file protoreflect.FileDescriptor) bool {
		for prefix, module := range modules {
			if strings.HasPrefix(file.Path(), prefix) {
				failed = writeFile(&printer, file, filepath.Join(folder, module, file.Path()))
			}
		}
		return failed == nil
	})
	return failed
}

func writeFile(printer *protoprint.Printer, file protoreflect.FileDescriptor, path string) error {
	text, err := printer.PrintProtoToString(file)
	if err != nil {
		return fmt.Errorf("print %s: %w", file.Path(), err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(text), 0o644)
}
