package rest

import (
	"fmt"
	"strings"

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
	// segments are those of a path; "*" is any. The ones from first up to last, joined, are the value of the field bound.
	segments    []string
	first, last int
	bound       protoreflect.Name // by proto name; empty = the path fills none
	// request and answer are the method's messages.
	request, answer protoreflect.MessageType
	// streams says that the answer is a stream of messages.
	streams bool
}

// Short says whether the answer to a request target is one message: it is for no stream, as far as its last segment tells.
func (h *Handler) Short(target string) bool {
	path, _, _ := strings.Cut(target, "?")
	if !strings.HasPrefix(path, apiPath) {
		return false
	}
	last := path[strings.LastIndexByte(path, '/')+1:]
	return strings.IndexByte(last, '%') < 0 && !h.streams[last]
}

// download says that the answer is a stream of raw bytes.
func (r *route) download() bool {
	return r.streams && r.answer.Descriptor().FullName() == (*httpbody.HttpBody)(nil).ProtoReflect().Descriptor().FullName()
}

// compile reads the template of a route: literal segments and at most one variable, whose segments are literals or `*`. A
// verb is part of the last segment, which is a literal then.
func (r *route) compile() error {
	before, rest, found := strings.Cut(strings.TrimPrefix(r.pattern, "/"), "{")
	if !found {
		r.segments = strings.Split(before, "/")
		return nil
	}
	variable, after, closed := strings.Cut(rest, "}")
	name, shape, shaped := strings.Cut(variable, "=")
	if !shaped {
		shape = "*"
	}
	if !closed || strings.ContainsAny(after, "{}") || before != "" && !strings.HasSuffix(before, "/") || after != "" && !strings.HasPrefix(after, "/") {
		return fmt.Errorf("rest: the path %s is not understood", r.pattern)
	}
	if before != "" {
		r.segments = strings.Split(strings.TrimSuffix(before, "/"), "/")
	}
	r.first, r.bound = len(r.segments), protoreflect.Name(name)
	r.segments = append(r.segments, strings.Split(shape, "/")...)
	r.last = len(r.segments)
	if after != "" {
		r.segments = append(r.segments, strings.Split(strings.TrimPrefix(after, "/"), "/")...)
	}
	return nil
}

// match says whether the segments of a path are those of the route, and returns the value of its variable.
func (r *route) match(path []string) (value string, ok bool) {
	if len(path) != len(r.segments) {
		return "", false
	}
	for i, want := range r.segments {
		if want != "*" && want != path[i] {
			return "", false
		}
	}
	return strings.Join(path[r.first:r.last], "/"), true
}

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
		found := &route{
			method:  fmt.Sprintf("/%s/%s", method.Parent().FullName(), method.Name()),
			pattern: pattern, request: request, answer: answer,
			streams: method.IsStreamingServer(),
		}
		if err := found.compile(); err != nil {
			return nil, err
		}
		routes = append(routes, found)
	}
	return routes, nil
}
