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

// route is one method under one of its path patterns.
type route struct {
	// method is the full gRPC name, "/parley.v1.EventService/ListEvents".
	method string
	// pattern is the google.api.http template.
	pattern string
	// bound are the request fields that the path fills, by proto name.
	bound map[protoreflect.Name]bool
	// request and answer are the method's messages.
	request, answer protoreflect.MessageType
	// streams says that the answer is a stream of messages.
	streams bool
}

// download says that the answer is a stream of raw bytes.
func (r *route) download() bool {
	return r.streams && r.answer.Descriptor().FullName() == (*httpbody.HttpBody)(nil).ProtoReflect().Descriptor().FullName()
}

// variable finds "{name=" and "{name}" in a template.
var variable = regexp.MustCompile(`\{([a-z_]+)[=}]`)

// findRoutes lists every GET route of the API's services.
func findRoutes() ([]*route, error) {
	var routes []*route
	var failed error
	protoregistry.GlobalFiles.RangeFilesByPackage(apiPackage, func(file protoreflect.FileDescriptor) bool {
		services := file.Services()
		for i := range services.Len() {
			methods := services.Get(i).Methods()
			for j := range methods.Len() {
				found, err := routesOf(methods.Get(j))
				if err != nil {
					failed = err
					return false
				}
				routes = append(routes, found...)
			}
		}
		return true
	})
	if failed != nil {
		return nil, failed
	}
	if len(routes) == 0 {
		return nil, fmt.Errorf("rest: no method of %s has a path", apiPackage)
	}
	return routes, nil
}

func routesOf(method protoreflect.MethodDescriptor) ([]*route, error) {
	rule, ok := proto.GetExtension(method.Options(), annotations.E_Http).(*annotations.HttpRule)
	if !ok || rule == nil {
		return nil, nil
	}
	request, err := protoregistry.GlobalTypes.FindMessageByName(method.Input().FullName())
	if err != nil {
		return nil, fmt.Errorf("rest: %s: %w", method.FullName(), err)
	}
	answer, err := protoregistry.GlobalTypes.FindMessageByName(method.Output().FullName())
	if err != nil {
		return nil, fmt.Errorf("rest: %s: %w", method.FullName(), err)
	}
	var routes []*route
	for _, binding := range append([]*annotations.HttpRule{rule}, rule.GetAdditionalBindings()...) {
		pattern := binding.GetGet()
		if pattern == "" {
			return nil, fmt.Errorf("rest: %s: only GET is served", method.FullName())
		}
		bound := make(map[protoreflect.Name]bool)
		for _, match := range variable.FindAllStringSubmatch(pattern, -1) {
			bound[protoreflect.Name(match[1])] = true
		}
		routes = append(routes, &route{
			method:  fmt.Sprintf("/%s/%s", method.Parent().FullName(), method.Name()),
			pattern: pattern, bound: bound, request: request, answer: answer,
			streams: method.IsStreamingServer(),
		})
	}
	return routes, nil
}
