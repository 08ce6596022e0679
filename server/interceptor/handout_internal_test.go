package interceptor

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/genproto/googleapis/api/httpbody"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
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
