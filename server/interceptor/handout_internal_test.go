package interceptor

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/genproto/googleapis/api/httpbody"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/server/inproc"
	"github.com/parley-gateway/parley/timeline"
)

// fill sets the fields of an answer or a frame that are counted: each list gets two elements, data two bytes, complete is true.
func fill(m protoreflect.Message) {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		switch field := fields.Get(i); {
		case field.Name() == "batch":
			fill(m.Mutable(field).Message())
		case field.Name() == "complete":
			m.Set(field, protoreflect.ValueOfBool(true))
		case field.Name() == "data":
			m.Set(field, protoreflect.ValueOfBytes([]byte("ab")))
		case field.IsList() && field.Message() != nil:
			list := m.Mutable(field).List()
			list.Append(list.NewElement())
			list.Append(list.NewElement())
		}
	}
}

// TestHandoutOfEveryMethod: no method of the API hands out data that its audit record does not count.
func TestHandoutOfEveryMethod(t *testing.T) {
	t.Parallel()
	methods := 0
	protoregistry.GlobalFiles.RangeFilesByPackage("parley.v1", func(file protoreflect.FileDescriptor) bool {
		for i := range file.Services().Len() {
			all := file.Services().Get(i).Methods()
			for j := range all.Len() {
				methods++
				kind, err := protoregistry.GlobalTypes.FindMessageByName(all.Get(j).Output().FullName())
				if err != nil {
					t.Fatal(err)
				}
				message := kind.New()
				fill(message)
				answer := message.Interface()
				var out handout
				if page, ok := answer.(*parleyv1.ListEventsResponse); ok {
					out.add(&timeline.Page{Message: page, Count: 2})
				} else {
					out.add(answer)
				}
				if out.rows+out.bytes == 0 {
					t.Errorf("%s: %T is not counted", all.Get(j).FullName(), answer)
				}
			}
		}
		return true
	})
	if methods == 0 {
		t.Error("no methods")
	}
}

// TestHandoutOfAStream: batches add up, the summary says whether they are complete.
func TestHandoutOfAStream(t *testing.T) {
	t.Parallel()
	var out handout
	for _, message := range []any{
		&timeline.Batch{Count: 3},
		&parleyv1.StreamEventsResponse{Frame: &parleyv1.StreamEventsResponse_Batch{Batch: &parleyv1.EventBatch{Events: []*parleyv1.Event{{}, {}}}}},
		&parleyv1.StreamEventsResponse{Frame: &parleyv1.StreamEventsResponse_Checkpoint{Checkpoint: &parleyv1.Checkpoint{}}},
	} {
		out.add(message)
	}
	if out.rows != 5 || out.complete != nil {
		t.Errorf("%+v", out)
	}
	out.add(&parleyv1.StreamEventsResponse{Frame: &parleyv1.StreamEventsResponse_Summary{Summary: &parleyv1.Summary{Complete: true}}})
	out.add(&httpbody.HttpBody{Data: []byte("abc")})
	if diff := cmp.Diff(handout{rows: 5, bytes: 3, complete: new(true)}, out, cmp.AllowUnexported(handout{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// sending is a stream whose SendMsg ends with an error.
type sending struct {
	grpc.ServerStream

	err error
}

// SendMsg implements grpc.ServerStream.
func (s sending) SendMsg(any) error { return s.err }

// TestMessagesThatMayBeOutAreCounted: a message of a stream counts unless it is certain that nothing of it went out.
func TestMessagesThatMayBeOutAreCounted(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		err     error
		counted bool
	}{
		"sent":                            {nil, true},
		"the caller left within it":       {inproc.ErrTaken, true},
		"the same, below a wrapper":       {fmt.Errorf("send: %w", inproc.ErrTaken), true},
		"the call was over":               {context.Canceled, false},
		"over gRPC, the client was gone":  {status.Error(codes.Canceled, "context canceled"), false},
		"over gRPC, it was not encodable": {status.Error(codes.Internal, "grpc: error while marshaling"), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var want handout
			if test.counted {
				want = handout{rows: 3, bytes: 2}
			}
			stream := &audited{ServerStream: sending{err: test.err}}
			for _, message := range []any{&timeline.Batch{Count: 3}, &httpbody.HttpBody{Data: []byte("ab")}} {
				if err := stream.SendMsg(message); !errors.Is(err, test.err) {
					t.Errorf("%v", err)
				}
			}
			if diff := cmp.Diff(want, stream.out, cmp.AllowUnexported(handout{})); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
