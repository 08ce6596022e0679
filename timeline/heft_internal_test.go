package timeline

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
)

// TestRowsAreWeighed: a row of any chain counts as what is longer of its two forms.
func TestRowsAreWeighed(t *testing.T) {
	t.Parallel()
	text := strings.Repeat("\x01", 1000)
	scale := scale{}
	for _, row := range []proto.Message{
		&parleyv1.Conversation{Topic: text}, &parleyv1.CopilotUsageRow{DisplayName: text}, &parleyv1.User{DisplayName: text},
	} {
		raw, err := protojson.Marshal(row)
		if err != nil {
			t.Fatal(err)
		}
		if got := scale.row(row); got < len(raw) || got > len(raw)+100 {
			t.Errorf("%T weighs %d, want %d", row, got, len(raw))
		}
	}
}

// TestShrink: what is cut fits in both forms, is named, and is no smaller than need be.
func TestShrink(t *testing.T) {
	t.Parallel()
	const limit = 2 << 20
	sessions := make([]*parleyv1.CallSession, 60000)
	for i := range sessions {
		sessions[i] = &parleyv1.CallSession{Id: "s", Modalities: []parleyv1.Modality{parleyv1.Modality_MODALITY_AUDIO}}
	}
	for name, event := range map[string]*parleyv1.Event{
		"body.content":  {Body: &parleyv1.Body{Content: strings.Repeat("\x01", 1<<20)}},
		"call.sessions": {Detail: &parleyv1.Event_Call{Call: &parleyv1.CallDetail{Sessions: sessions}}},
	} {
		got := shrink(event, limit)
		if n := heavier(got); n > limit || n < limit/3 {
			t.Errorf("%s: cut to %d", name, n)
		}
		if cut := got.GetTruncatedFields(); len(cut) != 1 || cut[0] != name || got.GetCall().GetPartial() != (name == "call.sessions") {
			t.Errorf("%s: cut %v", name, cut)
		}
	}
}
