//go:build !race

package wirejson_test

import (
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/parley-gateway/parley/eventwire/wirejson"
	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
)

// message is an event of the usual sort, encoded.
func message(tb testing.TB) []byte {
	tb.Helper()
	raw, err := proto.Marshal(&parleyv1.Event{
		Name: "users/u/events/chat,19:a@thread.v2,1", Uid: "uid", Version: 7, EventTime: timestamppb.Now(), CreateTime: timestamppb.Now(),
		Actor:  &parleyv1.IdentitySet{User: &parleyv1.Identity{Id: "u", DisplayName: "Ada"}},
		Body:   &parleyv1.Body{Content: "<p>\"x\"</p>", PlainText: "\"x\"\n", ContentSize: 10},
		Detail: &parleyv1.Event_Chat{Chat: &parleyv1.ChatDetail{Reactions: []*parleyv1.Reaction{{ReactionType: "like"}}}},
	})
	if err != nil {
		tb.Fatal(err)
	}
	return raw
}

func TestEncoderAllocations(t *testing.T) {
	encoder := wirejson.NewEncoder((*parleyv1.Event)(nil).ProtoReflect().Type())
	raw, b := message(t), make([]byte, 0, 4096)
	if got := testing.AllocsPerRun(100, func() {
		if _, err := encoder.Append(b, raw); err != nil {
			t.Fatal(err)
		}
	}); got > 0 {
		t.Errorf("%.0f allocations", got)
	}
}

func BenchmarkGolden(b *testing.B) {
	encoder := wirejson.NewEncoder((*parleyv1.Event)(nil).ProtoReflect().Type())
	raws := make([][]byte, 0, 64)
	size := 0
	for _, e := range events(b) {
		raw, err := proto.Marshal(e)
		if err != nil {
			b.Fatal(err)
		}
		raws, size = append(raws, raw), size+len(raw)
	}
	out := []byte(nil)
	b.SetBytes(int64(size))
	b.ReportAllocs()
	for b.Loop() {
		out = out[:0]
		for _, raw := range raws {
			var err error
			if out, err = encoder.Append(out, raw); err != nil {
				b.Fatal(err)
			}
		}
	}
}

func BenchmarkEncoder(b *testing.B) {
	encoder := wirejson.NewEncoder((*parleyv1.Event)(nil).ProtoReflect().Type())
	raw, out := message(b), []byte(nil)
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		var err error
		if out, err = encoder.Append(out[:0], raw); err != nil {
			b.Fatal(err)
		}
	}
}
