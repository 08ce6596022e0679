package e2e_test

import (
	"errors"
	"io"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"

	"github.com/parley-gateway/parley/graphsim"
)

// TestReflectionByDefault: who may list the methods of a gateway that asks who calls is its operator's to say.
func TestReflectionByDefault(t *testing.T) {
	t.Parallel()
	guarded := serveGuarded(t)
	conn := dialGRPC(t, guarded.grpc)
	for name, c := range map[string]struct {
		conn *grpc.ClientConn
		code codes.Code
	}{
		"callers are asked": {conn, codes.Unimplemented},
		"nobody is asked":   {serve(t, graphsim.Config{}, nil).conn, codes.OK},
	} {
		stream, err := grpc_reflection_v1.NewServerReflectionClient(c.conn).ServerReflectionInfo(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		request := &grpc_reflection_v1.ServerReflectionRequest{MessageRequest: &grpc_reflection_v1.ServerReflectionRequest_ListServices{}}
		if err := stream.Send(request); err != nil && !errors.Is(err, io.EOF) {
			t.Fatal(err)
		}
		if _, err := stream.Recv(); status.Code(err) != c.code {
			t.Errorf("%s: %v", name, err)
		}
	}
}
