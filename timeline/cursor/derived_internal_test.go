package cursor

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/internal/cursorpb"
)

// fullDerived uses every field of a position in derived conversations.
func fullDerived() *Derived {
	return &Derived{
		End: time.Date(2026, 11, 30, 12, 0, 0, 123456789, time.UTC), Last: time.Date(2026, 11, 29, 1, 2, 3, 4, time.UTC), Key: "\x00users/u/conversations/x", Finished: true, Delivered: 1<<63 + 1, Restarted: true,
		ChatsState: parleyv1.SourceState_SOURCE_STATE_THROTTLED, ChatsReason: parleyv1.ErrorReason_ERROR_REASON_GRAPH_THROTTLED,
		Counts: []Counts{{Events: 1, Pages: 2, FromCache: 3, Requests: 4}, {Events: 1 << 40}},
		Doubts: []Doubt{
			{parleyv1.Source_SOURCE_COPILOT, parleyv1.ErrorReason_ERROR_REASON_PAGING_LOOP}, {parleyv1.Source_SOURCE_CONVERSATION, parleyv1.ErrorReason_ERROR_REASON_GRAPH_UNAVAILABLE},
		},
	}
}

// TestDerivedRoundTrip: what was packed comes out again, and a position at its beginning stays one.
func TestDerivedRoundTrip(t *testing.T) {
	t.Parallel()
	for name, d := range map[string]*Derived{
		"full": fullDerived(), "none": nil, "the beginning": {End: time.Unix(1, 2).UTC(), Counts: []Counts{{}}},
	} {
		plain, err := (&Pages{Link: "l", Derived: d}).encode()
		if err != nil {
			t.Fatal(err)
		}
		got, err := decodePages(plain)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if diff := cmp.Diff(d, got.Derived); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// TestDoubtsAreBounded: a doubt is kept once, and a token does not grow with the number of readings.
func TestDoubtsAreBounded(t *testing.T) {
	t.Parallel()
	d := &Derived{}
	for i := range 3 * maxDoubts {
		for range 2 {
			d.AddDoubt(Doubt{parleyv1.Source_SOURCE_CALL, parleyv1.ErrorReason(i + 1)})
		}
	}
	if len(d.Doubts) != maxDoubts || d.Doubts[1].Reason != 2 {
		t.Errorf("doubts %v", d.Doubts)
	}
}

// TestDerivedOutOfBoundsIsMalformed: every part is checked against the bounds of what is packed.
func TestDerivedOutOfBoundsIsMalformed(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(m *cursorpb.Derived){
		"no times": func(m *cursorpb.Derived) { m.Times = nil },
		"a time too many": func(m *cursorpb.Derived) {
			m.Times = packTimes(time.Unix(0, 0), time.Unix(1, 0), time.Unix(2, 0), time.Unix(3, 0))
		},
		"a negative nano":  func(m *cursorpb.Derived) { m.Times.Nanos = []int32{-1} },
		"a state":          func(m *cursorpb.Derived) { m.ChatsState = 1 << 8 },
		"a reason":         func(m *cursorpb.Derived) { m.ChatsReason = maxReason + 1 },
		"a count too few":  func(m *cursorpb.Derived) { m.Counts = m.GetCounts()[1:] },
		"a negative count": func(m *cursorpb.Derived) { m.Counts[0] = 1 << 63 },
		"many counts":      func(m *cursorpb.Derived) { m.Counts = make([]uint64, derivedCounts*(maxSources+1)) },
		"half a doubt":     func(m *cursorpb.Derived) { m.Doubts = m.GetDoubts()[1:] },
		"a doubt's source": func(m *cursorpb.Derived) { m.Doubts[0] = 1 << 8 },
		"a doubt's reason": func(m *cursorpb.Derived) { m.Doubts[1] = maxReason + 1 },
		"many doubts":      func(m *cursorpb.Derived) { m.Doubts = make([]uint32, 2*maxDoubts+2) },
	} {
		m := fullDerived().pack()
		change(m)
		if _, err := unpackDerived(m); err != ErrMalformed { //nolint:errorlint // the very error
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzDerived checks that no content breaks the decoder of this part, and that what it accepts comes back.
func FuzzDerived(f *testing.F) {
	for _, d := range []*Derived{fullDerived(), {End: time.Unix(1, 0)}} {
		data, err := proto.Marshal(d.pack())
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		m := &cursorpb.Derived{}
		if proto.Unmarshal(data, m) != nil {
			return
		}
		d, err := unpackDerived(m)
		if err != nil {
			return
		}
		again, err := unpackDerived(d.pack())
		if err != nil {
			t.Fatalf("packed again: %v", err)
		}
		if diff := cmp.Diff(d, again); diff != "" {
			t.Error(diff)
		}
	})
}
