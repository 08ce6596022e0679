package merge

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/internal/ledger"
	"github.com/parley-gateway/parley/timeline/chunk"
	"github.com/parley-gateway/parley/timeline/cursor"
	"github.com/parley-gateway/parley/timeline/fetch"
	"github.com/parley-gateway/parley/timeline/frame"
	"github.com/parley-gateway/parley/timeline/window"
)

var noon = time.Date(2026, 11, 19, 12, 0, 0, 0, time.UTC)

// hour is the window of the hour that begins n hours after noon.
func hour(n int) window.Window {
	start := noon.Add(time.Duration(n) * time.Hour)
	return window.Window{Span: window.Span{Start: start, End: start.Add(time.Hour)}, Level: window.Hour}
}

// part is the part of a window from one minute to another.
func part(w window.Window, from, to int) window.Window {
	w.Start, w.End = w.Start.Add(time.Duration(from)*time.Minute), w.Start.Add(time.Duration(to)*time.Minute)
	return w
}

// testMerger is a merger over readers whose windows are constructed.
type testMerger struct {
	*Merger
	desc bool
}

func newTestMerger(desc bool) *testMerger { return &testMerger{&Merger{desc: desc}, desc} }

// reader adds a reader of a source over the two hours after noon. from is its position in a token; nil = a new walk.
func (m *testMerger) reader(src parleyv1.Source, from *cursor.Source) *sourceReader {
	r := &sourceReader{src: src, desc: m.desc, fetch: &fetch.Reader{Source: src, Desc: m.desc}}
	r.state = parleyv1.SourceState_SOURCE_STATE_READ
	r.interval = window.Span{Start: noon, End: noon.Add(2 * time.Hour)}
	r.fetch.Limit(ledger.New(ledger.Config{}).Open(0), 0)
	r.reached = r.interval.Begin(m.desc)
	r.fingerprint.wasOutOfWindow = func(hash uint64) bool { return m.seen.HasOutOfWindow(hash ^ uint64(src)) }
	if from != nil {
		r.restore(from, true)
		r.resumeFrom = r.position
	}
	m.readers = append(m.readers, r)
	return r
}

// reading is the result of a window with the given rows. A row is a key at a number of seconds after noon, or a row out of the window.
func (m *testMerger) reading(w window.Window, rows ...row) *fetch.Result {
	res := &fetch.Result{Window: w}
	var edge []chunk.Stamp
	for _, row := range rows {
		e := chunk.Entry{Time: noon.Add(row.at), Key: row.key, Hash: chunk.Hash(row.key, 0), At: chunk.NotInChunk}
		switch {
		case row.out:
			e.OutOfWindow = true
		case !w.Has(e.Time):
			edge = append(edge, chunk.Stamp{Time: e.Time, Hash: e.Hash})
			continue
		}
		res.Entries = append(res.Entries, e)
	}
	order := &fetch.Reader{Desc: m.desc}
	slices.SortFunc(res.Entries, func(x, y chunk.Entry) int { return order.Compare(&x, &y) })
	res.Chunk = chunk.New(res.Entries)
	res.Chunk.Edge = edge
	return res
}

// enter makes a result the current window, as after its reading.
func enter(r *sourceReader, res *fetch.Result) {
	r.hold(res)
	r.enter(res)
}

// row is a row of a constructed window.
type row struct {
	key string
	at  time.Duration // after noon
	out bool          // out of the window
}

func at(key string, after time.Duration) row { return row{key: key, at: after} }
func outside(key string) row                 { return row{key: key, at: -40 * 24 * time.Hour, out: true} }

// deliver delivers the next events, at most n, and returns their keys.
func (m *testMerger) deliver(n int) (keys []string) {
	for len(keys) < n && m.Step() == frame.Ready {
		head := m.Head()
		keys = append(keys, head.Key)
		m.addSeen(head, m.headReader.src)
		m.headReader.advance(1)
	}
	return keys
}

// all is more events than any test has.
const all = 100

func TestSourcesAreMergedInOneOrder(t *testing.T) {
	t.Parallel()
	const chat, copilot = parleyv1.Source_SOURCE_CHAT, parleyv1.Source_SOURCE_COPILOT
	for name, test := range map[string]struct {
		desc bool
		rows map[parleyv1.Source][]row
		want string
	}{
		"one source":      {rows: map[parleyv1.Source][]row{chat: {at("b", 2), at("a", 1)}}, want: "a b"},
		"two sources":     {rows: map[parleyv1.Source][]row{chat: {at("a", 1), at("c", 3)}, copilot: {at("b", 2), at("d", 4)}}, want: "a b c d"},
		"descending":      {desc: true, rows: map[parleyv1.Source][]row{chat: {at("a", 1), at("c", 3)}, copilot: {at("b", 2)}}, want: "c b a"},
		"same time, keys": {rows: map[parleyv1.Source][]row{chat: {at("z", 1), at("y", 1)}}, want: "y z"},
		"same time, sources": {
			rows: map[parleyv1.Source][]row{chat: {at("of chat", 1)}, copilot: {at("of copilot", 1)}},
			want: map[bool]string{true: "of chat of copilot", false: "of copilot of chat"}[chat < copilot],
		},
		"out of the window, at its end": {rows: map[parleyv1.Source][]row{chat: {outside("x"), at("b", 2)}, copilot: {at("c", 3)}}, want: "b c x"},
		"out of the window, descending": {
			desc: true, rows: map[parleyv1.Source][]row{chat: {outside("x"), at("b", 2)}, copilot: {at("c", 3)}}, want: "c b x",
		},
		"a version twice": {rows: map[parleyv1.Source][]row{chat: {at("a", 1), outside("a")}}, want: "a"},
		"one version of two sources": {
			rows: map[parleyv1.Source][]row{chat: {at("same", 1)}, copilot: {at("same", 2)}}, want: "same same",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newTestMerger(test.desc)
			for src, rows := range test.rows {
				r := m.reader(src, nil)
				enter(r, m.reading(window.Window{Span: r.interval, Level: window.Day}, rows...))
			}
			if got := strings.Join(m.deliver(all), " "); got != test.want {
				t.Errorf("%s, want %s", got, test.want)
			}
		})
	}
}

// TestResumeSkipsRowsThatAreDatedOtherwise delivers a part of the windows of one call, and goes on in another call for which Graph dates
// rows otherwise.
func TestResumeSkipsRowsThatAreDatedOtherwise(t *testing.T) {
	t.Parallel()
	minute := func(n int) time.Duration { return time.Duration(n) * time.Minute }
	five := []row{at("a", minute(1)), at("b", minute(2)), at("c", minute(3)), at("d", minute(4)), at("e", minute(5))}
	without := func(keys ...string) []row {
		return slices.DeleteFunc(slices.Clone(five), func(r row) bool { return slices.Contains(keys, r.key) })
	}
	type reading struct {
		window window.Window
		rows   []row
	}
	for name, test := range map[string]struct {
		desc      bool
		first     []reading
		delivered int
		second    []reading
		want      string
	}{
		"nothing changed": {first: []reading{{hour(0), five}}, delivered: 3, second: []reading{{hour(0), five}}, want: "d e"},
		"a delivered row is dated otherwise": {
			first: []reading{{hour(0), five}}, delivered: 3, second: []reading{{hour(0), append(without("b"), outside("b"))}}, want: "d e",
		},
		"descending": {
			desc: true, first: []reading{{hour(0), five}}, delivered: 3,
			second: []reading{{hour(0), append(without("d"), outside("d"))}}, want: "b a",
		},
		"a row that was not delivered is": {
			first: []reading{{hour(0), five}}, delivered: 3, second: []reading{{hour(0), append(without("d"), outside("d"))}}, want: "e d",
		},
		"both are": {
			first: []reading{{hour(0), five}}, delivered: 3,
			second: []reading{{hour(0), append(without("b", "d"), outside("b"), outside("d"))}}, want: "e d",
		},
		"a row from within the second before the window": {
			first:     []reading{{hour(0), []row{at("a", minute(60)-300*time.Millisecond)}}, {hour(1), []row{at("b", minute(61)), at("c", minute(62))}}},
			delivered: 2,
			second:    []reading{{hour(1), []row{outside("a"), at("b", minute(61)), at("c", minute(62))}}},
			want:      "c",
		},
		"the same row, dated as before": {
			first:     []reading{{hour(0), []row{at("a", minute(60)-300*time.Millisecond)}}, {hour(1), []row{at("b", minute(61)), at("c", minute(62))}}},
			delivered: 2,
			second:    []reading{{hour(1), []row{at("a", minute(60)-300*time.Millisecond), at("b", minute(61)), outside("x"), at("c", minute(62))}}},
			want:      "c x",
		},
		"the window comes in pieces, the row with the last one": {
			first: []reading{{hour(0), five}}, delivered: 4,
			second: []reading{{part(hour(0), 0, 3), []row{five[1]}}, {part(hour(0), 3, 60), []row{five[2], five[3], five[4], outside("a")}}},
			want:   "e",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newTestMerger(test.desc)
			r := m.reader(parleyv1.Source_SOURCE_CHAT, nil)
			left := test.delivered
			for i, reading := range test.first {
				if i > 0 {
					r.leave()
				}
				enter(r, m.reading(reading.window, reading.rows...))
				for ; left > 0 && r.head() != nil; left-- {
					r.advance(1)
				}
			}
			saved := r.save(false)

			m = newTestMerger(test.desc)
			r = m.reader(parleyv1.Source_SOURCE_CHAT, &saved)
			var got []string
			for i, reading := range test.second {
				if i > 0 {
					r.leave()
				}
				enter(r, m.reading(reading.window, reading.rows...))
				for r.head() != nil {
					if m.isDuplicate(r, r.head()) {
						r.skipDuplicate()
						continue
					}
					got = append(got, r.head().Key)
					r.advance(1)
				}
			}
			if diff := cmp.Diff(test.want, strings.Join(got, " ")); diff != "" {
				t.Errorf("events of the second call (-want +got):\n%s", diff)
			}
		})
	}
}

// TestRestOfAStoppedSourceIsAGap resumes a walk whose source had stopped half-way.
func TestRestOfAStoppedSourceIsAGap(t *testing.T) {
	t.Parallel()
	rest := window.Span{Start: noon.Add(time.Hour), End: noon.Add(2 * time.Hour)}
	for name, test := range map[string]struct {
		state     parleyv1.SourceState
		available bool
		requests  int64
		want      []window.Span
		readOn    bool
	}{
		"throttled, available":         {state: parleyv1.SourceState_SOURCE_STATE_THROTTLED, available: true, readOn: true},
		"throttled, not available":     {state: parleyv1.SourceState_SOURCE_STATE_THROTTLED, want: []window.Span{rest}},
		"failed, not available":        {state: parleyv1.SourceState_SOURCE_STATE_FAILED, want: []window.Span{rest}},
		"not permitted":                {state: parleyv1.SourceState_SOURCE_STATE_NOT_PERMITTED, available: true, want: []window.Span{rest}},
		"not permitted, not available": {state: parleyv1.SourceState_SOURCE_STATE_NOT_PERMITTED, requests: 1, want: []window.Span{rest}},
		"never available":              {state: parleyv1.SourceState_SOURCE_STATE_NOT_IN_CLOUD},
		"read, not available":          {state: parleyv1.SourceState_SOURCE_STATE_READ, readOn: true},
		"not applicable":               {state: parleyv1.SourceState_SOURCE_STATE_NOT_APPLICABLE, available: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newTestMerger(false).reader(parleyv1.Source_SOURCE_CHAT, nil)
			r.restore(&cursor.Source{
				State: test.state, Finished: test.state != parleyv1.SourceState_SOURCE_STATE_READ, Reached: rest.Start,
				Counts: cursor.Counts{Requests: test.requests},
			}, test.available)
			r.planRest()
			got := make([]window.Span, 0, 1)
			for _, gap := range r.allGaps() {
				got = append(got, gap.Span)
			}
			if diff := cmp.Diff(test.want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("gaps (-want +got):\n%s", diff)
			}
			if r.finished == test.readOn {
				t.Errorf("finished %v", r.finished)
			}
		})
	}
}
