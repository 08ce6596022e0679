package timeline

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/timeline/chunk"
	"github.com/parley-gateway/parley/timeline/window"
)

func fullMark() mark {
	now := time.Date(2026, 11, 22, 10, 11, 12, 13, time.UTC)
	m := mark{now0: now, clock: now.Add(-90 * time.Minute), start: now.AddDate(-9, 0, 0), end: now, finished: true}
	for i := range maxStrays {
		m.strays = append(m.strays, ^uint64(i))
	}
	for src := range 3 {
		s := sourceMark{
			src: parleyv1.Source(src + 1), state: parleyv1.SourceState_SOURCE_STATE_READ, reason: parleyv1.ErrorReason_ERROR_REASON_GRAPH_THROTTLED,
			answered: true, finished: src == 1, level: window.Day, reached: now.Add(-time.Hour),
			tried: src == 2, narrow: 30 * time.Minute, rate: window.MaxRate, begun: chatBeginning,
			counts: counts{events: 1 << 40, duplicates: 1 << 30, strays: 1 << 20, leftOut: 1 << 20, pages: 1 << 33, fromCache: 1 << 32, requests: 1 << 33},
		}
		s.at = &position{
			window: window.Window{Span: window.Span{Start: now.Add(-25 * time.Hour), End: now.Add(-time.Hour)}, Level: window.SixHours},
			time:   now.Add(-2*time.Hour + 7), key: strings.Repeat("k", chunk.MaxKey), stray: src == 0, any: true,
		}
		for i := range maxGaps {
			at := now.Add(-time.Duration(i+1) * 100 * time.Hour)
			s.gaps = append(s.gaps, gap{window.Span{Start: at, End: at.Add(time.Hour)}, parleyv1.ErrorReason_ERROR_REASON_PAGING_LOOP})
		}
		s.sum = ^uint64(0)
		m.sources = append(m.sources, s)
	}
	return m
}

var compareUnexported = cmp.AllowUnexported(mark{}, sourceMark{}, position{}, window.Window{}, window.Span{}, gap{}, counts{}, chainMark{})

func TestMarkRoundTrip(t *testing.T) {
	t.Parallel()
	for name, m := range map[string]mark{"full": fullMark(), "empty": {}, "open start": {now0: time.Unix(1, 0).UTC(), clock: time.Unix(1, 0).UTC(), end: time.Unix(2, 0).UTC()}} {
		data := m.encode()
		// Sealing adds 33 bytes and base64 a third.
		if limit := 1024*3/4 - 33; len(data) > limit {
			t.Errorf("%s: %d bytes, limit %d", name, len(data), limit)
		}
		got, err := decodeMark(data)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if diff := cmp.Diff(&m, got, compareUnexported); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		for cut := range data {
			if _, err := decodeMark(data[:cut]); err == nil {
				t.Errorf("%s: cut after %d bytes, and no error", name, cut)
			}
		}
	}
}

func TestChainMarkRoundTrip(t *testing.T) {
	t.Parallel()
	m := chainMark{
		link: "https://graph.microsoft.com/v1.0/users?$skiptoken=x%3d", index: 17, last: 1 << 63, restarted: true, concealed: true,
		refreshed: "2026-11-20", gaps: []parleyv1.ErrorReason{parleyv1.ErrorReason_ERROR_REASON_PAGING_LOOP}, counts: counts{events: 5, pages: 2},
		repeats: []uint64{1, 1 << 63, 0},
	}
	got, err := decodeChain(m.encode())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(m, got, compareUnexported); diff != "" {
		t.Error(diff)
	}
	events := fullMark()
	if _, err := decodeChain(events.encode()); err == nil {
		t.Error("a cursor over events was taken for one over a chain")
	}
	if _, err := decodeMark(m.encode()); err == nil {
		t.Error("a cursor over a chain was taken for one over events")
	}
}

// FuzzDecode checks that no content, even one that was sealed by a defect, breaks the decoder.
func FuzzDecode(f *testing.F) {
	m := fullMark()
	f.Add(m.encode())
	c := chainMark{link: "https://graph/x"}
	f.Add(c.encode())
	c.repeats = []uint64{7, 1 << 63}
	f.Add(c.encode())
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		if m, err := decodeMark(data); err == nil {
			again, err := decodeMark(m.encode())
			if err != nil {
				t.Fatalf("re-encoded: %v", err)
			}
			if diff := cmp.Diff(m, again, compareUnexported); diff != "" {
				t.Error(diff)
			}
		}
		if c, err := decodeChain(data); err == nil {
			again, err := decodeChain(c.encode())
			if err != nil {
				t.Fatalf("re-encoded: %v", err)
			}
			if !slices.Equal(again.repeats, c.repeats[len(c.repeats)-len(again.repeats):]) || len(again.repeats) < min(len(c.repeats), leastRepeats) {
				t.Errorf("re-encoded: %d digests of %d", len(again.repeats), len(c.repeats))
			}
		}
	})
}

func TestAddGap(t *testing.T) {
	t.Parallel()
	at := func(hour int) time.Time { return time.Date(2026, 1, 1, hour, 0, 0, 0, time.UTC) }
	const a, b = parleyv1.ErrorReason_ERROR_REASON_PAGING_LOOP, parleyv1.ErrorReason_ERROR_REASON_GRAPH_UNAVAILABLE
	g := func(from, to int, reason parleyv1.ErrorReason) gap {
		return gap{window.Span{Start: at(from), End: at(to)}, reason}
	}
	tests := []struct {
		name string
		add  []gap
		want []gap
	}{
		{"once", []gap{g(1, 2, a), g(1, 2, a)}, []gap{g(1, 2, a)}},
		{"inside", []gap{g(1, 9, a), g(2, 3, a)}, []gap{g(1, 9, a)}},
		{"two reasons", []gap{g(1, 2, a), g(1, 2, b)}, []gap{g(1, 2, a), g(1, 2, b)}},
		{"ordered", []gap{g(5, 6, a), g(1, 2, a)}, []gap{g(1, 2, a), g(5, 6, a)}},
		{"adjoining", []gap{g(2, 3, a), g(1, 2, a)}, []gap{g(1, 3, a)}},
	}
	for _, test := range tests {
		var got []gap
		for _, one := range test.add {
			got = addGap(got, one)
		}
		if diff := cmp.Diff(test.want, got, compareUnexported); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
	var many []gap
	for i := range 50 {
		many = addGap(many, gap{window.Span{Start: at(0).AddDate(0, 0, 2*i), End: at(0).AddDate(0, 0, 2*i+1)}, a})
	}
	if len(many) != maxGaps || !many[0].Start.Equal(at(0)) || !many[len(many)-1].End.Equal(at(0).AddDate(0, 0, 99)) {
		t.Errorf("50 gaps became %d that do not cover them: %v", len(many), many)
	}
}
