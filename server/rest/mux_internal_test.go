package rest

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/parley-gateway/parley/server/inproc"
)

// recorder is a connection that notes what is called, in the call as well as inproc does, and answers nothing.
type recorder struct {
	method  string
	request proto.Message
}

func (r *recorder) Invoke(ctx context.Context, method string, args, _ any, _ ...grpc.CallOption) error {
	r.method, inproc.FromContext(ctx).Request = method, args
	r.request, _ = args.(proto.Message)
	return status.Error(codes.DataLoss, "noted")
}

func (r *recorder) NewStream(ctx context.Context, _ *grpc.StreamDesc, method string, _ ...grpc.CallOption) (grpc.ClientStream, error) {
	r.method = method
	return &recordedStream{recorder: r, call: inproc.FromContext(ctx)}, nil
}

type recordedStream struct {
	grpc.ClientStream

	recorder *recorder
	call     *inproc.Call
}

func (s *recordedStream) SendMsg(request any) error {
	s.call.Request = request
	s.recorder.request, _ = request.(proto.Message)
	return status.Error(codes.DataLoss, "noted")
}

// TestEveryRuleIsServed: each google.api.http rule of the protos is served by the generated handler of its method, whatever
// the other rules are, and the variables of its path arrive.
func TestEveryRuleIsServed(t *testing.T) {
	t.Parallel()
	noted := &recorder{}
	h, err := New(Config{Conn: noted})
	if err != nil {
		t.Fatal(err)
	}
	rules := 0
	protoregistry.GlobalFiles.RangeFilesByPackage(apiPackage, func(file protoreflect.FileDescriptor) bool {
		for i := range file.Services().Len() {
			methods := file.Services().Get(i).Methods()
			for j := range methods.Len() {
				rule, ok := proto.GetExtension(methods.Get(j).Options(), annotations.E_Http).(*annotations.HttpRule)
				if !ok || rule == nil {
					t.Errorf("%s has no path", methods.Get(j).FullName())
					continue
				}
				for _, binding := range append([]*annotations.HttpRule{rule}, rule.GetAdditionalBindings()...) {
					rules++
					if post := binding.GetPost(); post != "" {
						checkRule(t, h, noted, methods.Get(j), http.MethodPost, post)
						continue
					}
					checkRule(t, h, noted, methods.Get(j), http.MethodGet, binding.GetGet())
				}
			}
		}
		return true
	})
	if rules < 12 {
		t.Errorf("%d rules", rules)
	}
}

// checkRule asks for a path of a template.
func checkRule(t *testing.T, h *Handler, noted *recorder, method protoreflect.MethodDescriptor, verb, template string) {
	t.Helper()
	*noted = recorder{}
	bound := map[string]string{}
	path := variable.ReplaceAllStringFunc(template, func(text string) string {
		part := variable.FindStringSubmatch(withShape(text))
		bound[part[1]] = strings.ReplaceAll(part[2][1:], "*", "19:a@x")
		return bound[part[1]]
	})
	answer := httptest.NewRecorder()
	h.ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), verb, path, http.NoBody))
	want := "/" + string(method.Parent().FullName()) + "/" + string(method.Name())
	if noted.method != want || answer.Code != http.StatusInternalServerError || !strings.Contains(answer.Body.String(), `"status":"DATA_LOSS"`) {
		t.Fatalf("%s is served by %q, want %s: %d %s", path, noted.method, want, answer.Code, answer.Body)
	}
	got := map[string]string{}
	for name := range bound {
		got[name] = noted.request.ProtoReflect().Get(method.Input().Fields().ByName(protoreflect.Name(name))).String()
	}
	if diff := cmp.Diff(bound, got); diff != "" {
		t.Errorf("%s: variables (-want +got):\n%s", path, diff)
	}
}
