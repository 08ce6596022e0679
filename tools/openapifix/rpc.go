package main

import (
	"regexp"
	"slices"
	"strings"

	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// rpcExtension is the member of an operation that names its RPC, for pages that show both.
const rpcExtension = "x-parley-rpc"

// resourceField finds the request field that a path template fills: `parent` in /v1/{parent=users/*}/events.
var resourceField = regexp.MustCompile(`\{([a-z_]+)=`)

// rpc describes the RPC behind an operation: its full name, its proto file, its request message, whether it streams, the enumerations
// of its request fields, and the request field that holds the resource named in the path, with the pattern of that resource.
func rpc(method protoreflect.MethodDescriptor, path string) object {
	described := object{
		"method":  string(method.Parent().FullName()) + "/" + string(method.Name()),
		"request": string(method.Input().Name()),
		"file":    method.ParentFile().Path(),
		"streams": method.IsStreamingServer(),
	}
	if enums := enumsOf(method.Input().Fields()); len(enums) > 0 {
		described["enums"] = enums
	}
	rule, _ := proto.GetExtension(method.Options(), annotations.E_Http).(*annotations.HttpRule)
	for _, each := range append([]*annotations.HttpRule{rule}, rule.GetAdditionalBindings()...) {
		template := each.GetGet() + each.GetPost()
		if field := resourceField.FindStringSubmatch(template); field != nil {
			described["field"] = field[1]
			described["pattern"] = resourcePattern(path)
			break
		}
	}
	return described
}

// enumsOf returns the names and proto files of the enumerations of fields, by the JSON name of each field.
func enumsOf(fields protoreflect.FieldDescriptors) object {
	enums := object{}
	for i := range fields.Len() {
		if enum := fields.Get(i).Enum(); enum != nil {
			enums[fields.Get(i).JSONName()] = object{"name": string(enum.Name()), "file": enum.ParentFile().Path()}
		}
	}
	return enums
}

// resourcePattern returns the resource name in a path, from its first segment behind the version to its last parameter.
func resourcePattern(path string) string {
	segments := strings.Split(strings.TrimPrefix(path, "/v1/"), "/")
	slices.Reverse(segments)
	last := slices.IndexFunc(segments, func(segment string) bool { return strings.HasPrefix(segment, "{") })
	if last < 0 {
		return ""
	}
	kept := segments[last:]
	slices.Reverse(kept)
	name, _, _ := strings.Cut(strings.Join(kept, "/"), "}:")
	return strings.TrimSuffix(name, "}") + "}"
}

var (
	errorRow = regexp.MustCompile("(?m)^\\| ([A-Z_]+) \\| (\\d{3}) \\| `([A-Z_]+)` \\| (✓?) ?\\| (.*) \\| (.*) \\|$")
	otherRow = regexp.MustCompile("(?m)^\\| `([A-Z_]+)` \\| (.*) \\| (.*) \\|$")
)

// reasons lists the rows of the handbook's page on errors, in its order.
func reasons(page []byte) []object {
	var list []object
	for _, row := range errorRow.FindAllStringSubmatch(string(page), -1) {
		list = append(list, object{
			"kind": "error", "code": row[1], "status": row[2], "reason": row[3], "gap": row[4] != "", "what": row[5], "help": row[6],
		})
	}
	for _, section := range []struct{ heading, kind string }{{"### Reasons of gaps alone", "gap"}, {"### Codes of notices", "notice"}} {
		_, rows, _ := strings.Cut(string(page), section.heading)
		rows, _, _ = strings.Cut(rows, "\n#")
		for _, row := range otherRow.FindAllStringSubmatch(rows, -1) {
			list = append(list, object{"kind": section.kind, "reason": row[1], "what": row[2], "help": row[3]})
		}
	}
	return list
}
