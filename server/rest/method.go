package rest

import (
	"fmt"
	"regexp"

	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/genproto/googleapis/api/httpbody"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
)

const apiPackage = "parley.v1"

// method is a method of the API under one of its paths.
type method struct {
	// name is the full gRPC name, "/parley.v1.EventService/ListEvents".
	name    string
	request protoreflect.MessageDescriptor
	// empty is a request without fields, which nobody changes.
	empty proto.Message
	// inPath are the fields that the path fills.
	inPath map[protoreflect.Name]bool
	// stream says that the answer is a stream: of frames, or of the bytes of a download.
	stream, download bool
	// post says that the path takes a POST as well, with the request as its JSON body.
	post bool
}

const resumeField protoreflect.Name = "resume_token"

// variable is a variable of a path template, with or without the shape of its value.
var variable = regexp.MustCompile(`\{([a-z_.]+)(=[^}]*)?\}`)

// findMethods lists the methods of the API by their path templates, as runtime.Pattern writes them.
func findMethods() (map[string]*method, error) {
	found := map[string]*method{}
	var failed error
	protoregistry.GlobalFiles.RangeFilesByPackage(apiPackage, func(file protoreflect.FileDescriptor) bool {
		services := file.Services()
		for i := range services.Len() {
			methods := services.Get(i).Methods()
			for j := range methods.Len() {
				if failed = addMethod(found, methods.Get(j)); failed != nil {
					return false
				}
			}
		}
		return true
	})
	return found, failed
}

func addMethod(found map[string]*method, desc protoreflect.MethodDescriptor) error {
	rule, ok := proto.GetExtension(desc.Options(), annotations.E_Http).(*annotations.HttpRule)
	if !ok || rule == nil {
		return nil
	}
	posts := map[string]bool{} // paths that take a body
	for _, binding := range append([]*annotations.HttpRule{rule}, rule.GetAdditionalBindings()...) {
		template := binding.GetGet()
		if post := binding.GetPost(); post != "" && binding.GetBody() == "*" && variable.FindString(post) == "" {
			posts[post] = true
			continue
		}
		if template == "" {
			return fmt.Errorf("rest: %s: only GET is served, and POST of a body beside it", desc.FullName())
		}
		kind, err := protoregistry.GlobalTypes.FindMessageByName(desc.Input().FullName())
		if err != nil {
			return fmt.Errorf("rest: %s: %w", desc.FullName(), err)
		}
		m := &method{
			name:    fmt.Sprintf("/%s/%s", desc.Parent().FullName(), desc.Name()),
			request: desc.Input(), empty: kind.Zero().Interface(), inPath: map[protoreflect.Name]bool{},
			stream:   desc.IsStreamingServer(),
			download: desc.Output().FullName() == (*httpbody.HttpBody)(nil).ProtoReflect().Descriptor().FullName(),
		}
		for _, part := range variable.FindAllStringSubmatch(template, -1) {
			m.inPath[protoreflect.Name(part[1])] = true
		}
		template = variable.ReplaceAllStringFunc(template, withShape)
		m.post = posts[template]
		if found[template] != nil {
			return fmt.Errorf("rest: two methods have the path %s", template)
		}
		found[template] = m
	}
	return nil
}

// withShape writes a variable without a shape as the one segment that it is.
func withShape(text string) string {
	if part := variable.FindStringSubmatch(text); part[2] == "" {
		return "{" + part[1] + "=*}"
	}
	return text
}
