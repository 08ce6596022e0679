package cursor

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/internal/cursorpb"
	"github.com/parley-gateway/parley/timeline/chunk"
	"github.com/parley-gateway/parley/timeline/window"
)

// fullEvents is a place that uses all that a token may hold.
func fullEvents() *Events {
	now := time.Date(2026, 11, 22, 10, 11, 12, 13, time.UTC)
	e := &Events{Present: now, EarlierPresent: now.Add(-90 * time.Minute), Start: now.AddDate(-9, 0, 0), End: now, Finished: true}
	for i := range MaxOutOfWindow {
		e.OutOfWindow = append(e.OutOfWindow, ^uint64(i))
	}
	for src := range 3 {
		s := Source{
			State: parleyv1.SourceState_SOURCE_STATE_READ, Reason: parleyv1.ErrorReason_ERROR_REASON_GRAPH_THROTTLED, Answered: true, Finished: src == 1,
			Level: window.Day, Longest: 30 * time.Minute, Rate: window.MaxRate, Reached: now.Add(-time.Hour),
			AcceptedStart: time.Date(2017, 1, 1, 0, 0, 1, 0, time.UTC),
			Counts:        Counts{Events: 1 << 40, Duplicates: 1 << 30, OutOfWindow: 1 << 20, LeftOut: 1 << 20, Pages: 1 << 33, FromCache: 1 << 32, Requests: 1 << 33},
			Fingerprint:   ^uint64(0),
			Window: &Window{
				Window:  window.Window{Span: window.Span{Start: now.Add(-25 * time.Hour), End: now.Add(-time.Hour)}, Level: window.SixHours},
				TooSlow: src == 2,
				Last:    &Event{Time: now.Add(-2*time.Hour + 7), Key: strings.Repeat("k", chunk.MaxKey), OutOfWindow: src == 0},
			},
		}
		for i := range window.MaxGaps {
			at := now.Add(-time.Duration(i+1) * 100 * time.Hour)
			s.Gaps = append(s.Gaps, window.Gap{Span: window.Span{Start: at, End: at.Add(time.Hour)}, Reason: parleyv1.ErrorReason_ERROR_REASON_PAGING_LOOP})
		}
		e.Sources = append(e.Sources, s)
	}
	return e
}

func TestEventsRoundTrip(t *testing.T) {
	t.Parallel()
	second := time.Unix(1, 0).UTC()
	for name, e := range map[string]*Events{
		"full": fullEvents(), "empty": {}, "open start": {Present: second, EarlierPresent: second, End: time.Unix(2, 0).UTC()},
	} {
		data, err := e.encode()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if len(data) > room {
			t.Errorf("%s: %d bytes, at most %d", name, len(data), room)
		}
		got, err := decodeEvents(data)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if diff := cmp.Diff(e, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		for cut := range data {
			if _, err := decodeEvents(data[:cut]); err == nil {
				t.Errorf("%s: cut after %d bytes, and no error", name, cut)
			}
		}
	}
}

func TestPagesRoundTrip(t *testing.T) {
	t.Parallel()
	p := &Pages{
		Link: "https://graph.microsoft.com/v1.0/users?$skiptoken=x%3d", Index: 17, Last: 1 << 63, Restarted: true, Concealed: true,
		Refreshed: "2026-11-20", GapReasons: []parleyv1.ErrorReason{parleyv1.ErrorReason_ERROR_REASON_PAGING_LOOP}, Counts: Counts{Events: 5, Pages: 2},
		Delivered: []uint64{1, 1 << 63, 0},
	}
	data, err := p.encode()
	if err != nil {
		t.Fatal(err)
	}
	got, err := decodePages(data)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(p, got); diff != "" {
		t.Error(diff)
	}
	events, err := fullEvents().encode()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := decodePages(events); err == nil {
		t.Error("a cursor over events was taken for one over pages")
	}
	if _, err := decodeEvents(data); err == nil {
		t.Error("a cursor over pages was taken for one over events")
	}
}

// TestOtherVersionsAreToldFromNonsense: a message of another version, or with a field of one, is told from one that makes no sense.
func TestOtherVersionsAreToldFromNonsense(t *testing.T) {
	t.Parallel()
	unread := make([][]byte, 0, 6)
	for _, other := range []uint32{oldest - 1, newest + 1} {
		plain, err := proto.Marshal(&cursorpb.Cursor{Version: other, Position: &cursorpb.Cursor_Pages{Pages: &cursorpb.Pages{}}})
		if err != nil {
			t.Fatal(err)
		}
		unread = append(unread, plain)
	}
	for _, change := range []func(c *cursorpb.Cursor) protoreflect.ProtoMessage{
		func(c *cursorpb.Cursor) protoreflect.ProtoMessage { return c },
		func(c *cursorpb.Cursor) protoreflect.ProtoMessage { return c.GetEvents() },
		func(c *cursorpb.Cursor) protoreflect.ProtoMessage { return c.GetEvents().GetTimes() },
		func(c *cursorpb.Cursor) protoreflect.ProtoMessage { return c.GetEvents().GetSources()[2].GetWindow() },
	} {
		plain, err := fullEvents().encode()
		if err != nil {
			t.Fatal(err)
		}
		c := &cursorpb.Cursor{}
		if err := proto.Unmarshal(plain, c); err != nil {
			t.Fatal(err)
		}
		change(c).ProtoReflect().SetUnknown(protowire.AppendVarint(protowire.AppendTag(nil, 1000, protowire.VarintType), 1))
		if plain, err = proto.Marshal(c); err != nil {
			t.Fatal(err)
		}
		unread = append(unread, plain)
	}
	for i, plain := range unread {
		if _, err := decodePages(plain); err != ErrVersion { //nolint:errorlint // the very error
			t.Errorf("message %d: %v", i, err)
		}
	}
	if _, err := decodePages([]byte{0xff}); err != ErrMalformed { //nolint:errorlint // the very error
		t.Errorf("bytes that are no message: %v", err)
	}
}

// TestEventsOutOfBoundsAreMalformed: every part of a message is checked against the bounds of what this package writes.
func TestEventsOutOfBoundsAreMalformed(t *testing.T) {
	t.Parallel()
	full, err := fullEvents().encode()
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(e *cursorpb.Events, s *cursorpb.Source){
		"no times":          func(e *cursorpb.Events, _ *cursorpb.Source) { e.Times = nil },
		"a time too many":   func(e *cursorpb.Events, _ *cursorpb.Source) { e.Times.Seconds = append(e.Times.Seconds, 1) },
		"more nanos":        func(e *cursorpb.Events, _ *cursorpb.Source) { e.Times.Nanos = make([]int32, 4) },
		"a negative nano":   func(e *cursorpb.Events, _ *cursorpb.Source) { e.Times.Nanos = []int32{-1} },
		"a second of nanos": func(e *cursorpb.Events, _ *cursorpb.Source) { e.Times.Nanos = []int32{1e9 - 1, 1} },
		"a slow clock":      func(e *cursorpb.Events, _ *cursorpb.Source) { e.ClockLag = maxClockLag + 1 },
		"many sources":      func(e *cursorpb.Events, s *cursorpb.Source) { e.Sources = slices.Repeat([]*cursorpb.Source{s}, 9) },
		"many digests":      func(e *cursorpb.Events, _ *cursorpb.Source) { e.OutOfWindow = make([]uint64, MaxOutOfWindow+1) },
		"a state":           func(_ *cursorpb.Events, s *cursorpb.Source) { s.State = 1 << 8 },
		"a reason":          func(_ *cursorpb.Events, s *cursorpb.Source) { s.Reason = maxReason + 1 },
		"a level":           func(_ *cursorpb.Events, s *cursorpb.Source) { s.Level = uint32(window.Era) + 1 },
		"a width":           func(_ *cursorpb.Events, s *cursorpb.Source) { s.Longest = 1 << 31 },
		"a rate":            func(_ *cursorpb.Events, s *cursorpb.Source) { s.Rate = window.MaxRate + 1 },
		"no window":         func(_ *cursorpb.Events, s *cursorpb.Source) { s.Window = nil },
		"a window alone": func(_ *cursorpb.Events, s *cursorpb.Source) {
			s.Times.Seconds, s.Times.Nanos = s.GetTimes().GetSeconds()[:1], nil
		},
		"half a window": func(_ *cursorpb.Events, s *cursorpb.Source) {
			s.Times.Seconds, s.Times.Nanos = s.GetTimes().GetSeconds()[:2], nil
		},
		"a window's level": func(_ *cursorpb.Events, s *cursorpb.Source) { s.Window.Level = uint32(window.Era) + 1 },
		"a count too few":  func(_ *cursorpb.Events, s *cursorpb.Source) { s.Counts = s.GetCounts()[1:] },
		"a negative count": func(_ *cursorpb.Events, s *cursorpb.Source) { s.Counts[0] = 1 << 63 },
		"a gap without end": func(_ *cursorpb.Events, s *cursorpb.Source) {
			s.Gaps.Seconds, s.Gaps.Nanos = s.GetGaps().GetSeconds()[:15], nil
		},
		"a gap's reason":     func(_ *cursorpb.Events, s *cursorpb.Source) { s.GapReasons[0] = maxReason + 1 },
		"a negative begin":   func(_ *cursorpb.Events, s *cursorpb.Source) { s.AcceptedStart = -1 },
		"a begin far behind": func(_ *cursorpb.Events, s *cursorpb.Source) { s.AcceptedStart = maxAcceptedStart + 1 },
	} {
		c := &cursorpb.Cursor{}
		if err := proto.Unmarshal(full, c); err != nil {
			t.Fatal(err)
		}
		change(c.GetEvents(), c.GetEvents().GetSources()[0])
		plain, err := proto.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := decodeEvents(plain); err != ErrMalformed { //nolint:errorlint // the very error
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzDecode checks that no content, even one that was sealed by a defect, breaks the decoder.
func FuzzDecode(f *testing.F) {
	for _, encode := range []func() ([]byte, error){
		fullEvents().encode, (&Pages{Link: "https://graph/x"}).encode,
		(&Pages{Link: "https://graph/x", Delivered: []uint64{7, 1 << 63}}).encode,
	} {
		data, err := encode()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		if e, err := decodeEvents(data); err == nil {
			plain, err := e.encode()
			if err != nil {
				t.Fatal(err)
			}
			again, err := decodeEvents(plain)
			if err != nil {
				t.Fatalf("re-encoded: %v", err)
			}
			if diff := cmp.Diff(e, again); diff != "" {
				t.Error(diff)
			}
		}
		if p, err := decodePages(data); err == nil {
			plain, err := p.encode()
			if err != nil {
				t.Fatal(err)
			}
			again, err := decodePages(plain)
			if err != nil {
				t.Fatalf("re-encoded: %v", err)
			}
			if !slices.Equal(again.Delivered, p.Delivered[len(p.Delivered)-len(again.Delivered):]) || len(again.Delivered) < min(len(p.Delivered), minDelivered) {
				t.Errorf("re-encoded: %d digests of %d", len(again.Delivered), len(p.Delivered))
			}
		}
	})
}
