package chunk

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/parley-gateway/parley/eventwire"
	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
)

// TestLargeEventsAreTruncatedToTheLimit: a truncated event fits, names the truncated fields, and is no smaller than need be.
func TestLargeEventsAreTruncatedToTheLimit(t *testing.T) {
	t.Parallel()
	const limit = 1 << 20
	sessions := make([]*parleyv1.CallSession, 60000)
	for i := range sessions {
		sessions[i] = &parleyv1.CallSession{Id: "a session of a call", Modalities: []parleyv1.Modality{parleyv1.Modality_MODALITY_AUDIO}}
	}
	for name, test := range map[string]struct {
		event *parleyv1.Event
		least int // bytes that stay
	}{
		"body.content":  {&parleyv1.Event{Body: &parleyv1.Body{Content: strings.Repeat("\u00e4", 1<<20)}}, limit - 128},
		"call.sessions": {&parleyv1.Event{Detail: &parleyv1.Event_Call{Call: &parleyv1.CallDetail{Sessions: sessions}}}, limit / 2},
	} {
		got := shrink(test.event, limit)
		if n := eventwire.FramedSize(proto.Size(got)); n > limit || n < test.least {
			t.Errorf("%s: truncated to %d bytes, want %d to %d", name, n, test.least, limit)
		}
		if truncated := got.GetTruncatedFields(); len(truncated) != 1 || truncated[0] != name || got.GetCall().GetPartial() != (name == "call.sessions") {
			t.Errorf("%s: truncated %v", name, truncated)
		}
	}
}
