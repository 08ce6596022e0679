package chaos_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/graphsim"
	"github.com/parley-gateway/parley/graphsim/faults"
	"github.com/parley-gateway/parley/timeline/failure"
	"github.com/parley-gateway/parley/timeline/query"
)

//nolint:gochecknoglobals // flags of the test binary; see `make chaos`
var (
	schedules = flag.Int("chaos.schedules", 300, "how many schedules of faults are tried")
	first     = flag.Uint64("chaos.first", 1, "seed of the first schedule; a failure names its seed")
)

// kinds are the faults that schedules are made of. Those that end a chain in a way that no client can tell from its real end
// are left out.
func kinds() []string {
	return slices.DeleteFunc(faults.Kinds(), func(kind string) bool {
		return kind == faults.EmptyEnd || kind == faults.EmptyPage || kind == faults.OneOfN ||
			kind == faults.RefuseOrder || kind == faults.IgnoreOrder // of lists of chats alone
	})
}

// schedule draws one to four faults.
func schedule(r *rand.Rand) []faults.Fault {
	all := kinds()
	pick := func(values ...string) string { return values[r.IntN(len(values))] }
	planned := make([]faults.Fault, 0, 4)
	for range 1 + r.IntN(4) {
		f := faults.Fault{Kind: all[r.IntN(len(all))], Match: pick("", "", graphsim.SourceChat, graphsim.SourceCopilot, graphsim.SourceCall)}
		switch r.IntN(5) {
		case 0:
			f.Rate = 0.05 + 0.9*r.Float64()
		case 1:
			f.Page = 1 + r.IntN(4)
		case 2:
			f.After, f.Times = r.IntN(12), 1+r.IntN(6)
		case 3:
			f.FromMS = r.Int64N(5000)
			f.UntilMS = f.FromMS + 1 + r.Int64N(120_000)
		default:
			f.Every = 2 + r.IntN(5)
		}
		switch f.Kind {
		case faults.OutOfWindow:
			// Calls are asked for without the interval when rows lie outside: such a row is then not seen to be asked for.
			f.Match = pick(graphsim.SourceChat, graphsim.SourceCopilot)
		case faults.Status, faults.ErrorIn200, faults.NestedError, faults.HTMLError:
			f.Status = []int{429, 429, 500, 502, 503, 504, 400, 401, 402, 403, 404, 410}[r.IntN(12)]
			f.RetryAfter = pick("", "", "1", "0.4", "7", "+30", "600", "soon", "-3", "99999999999")
		case faults.RefusePage:
			f.Status = []int{0, 0, 410, 500}[r.IntN(4)]
		case faults.Slow, faults.Hang, faults.Stall:
			f.DelayMS = []int{0, 1, 900, 95_000}[r.IntN(4)]
		case faults.Drip:
			f.Chunk, f.DelayMS = 200+r.IntN(2000), 1+r.IntN(400)
		}
		planned = append(planned, f)
	}
	return planned
}

// TestChaos tries seeded schedules of faults. The clock is virtual: waiting costs nothing.
func TestChaos(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	requests := w.requests()
	names := slices.Sorted(maps.Keys(requests))
	truths := map[string][]string{}
	for _, name := range names {
		truths[name] = w.truth(t, requests[name])
		t.Log(name, len(truths[name]))
	}
	stop := mostOf(t)
	const lanes = 4
	for lane := range lanes {
		t.Run(fmt.Sprint("lane ", lane), func(t *testing.T) {
			t.Parallel()
			ends := map[string]int{}
			for n := lane; n < *schedules; n += lanes {
				if time.Now().After(stop) {
					t.Logf("time is up before schedule %d of %d", n, *schedules)
					break
				}
				seed := *first + uint64(n)
				r := rand.New(rand.NewPCG(seed, 0xc4a05))
				name := names[r.IntN(len(names))]
				run := &trial{w: w, req: requests[name], truth: truths[name], seed: seed, faults: schedule(r)}
				run.keeps, run.frames = r.IntN(3) > 0, max(0, r.IntN(24)-12)
				run.patience = []time.Duration{0, 0, 5 * time.Second, time.Minute, 20 * time.Minute}[r.IntN(5)]
				inVirtualTime(t, func(t *testing.T) {
					t.Helper()
					ends[run.check(t)]++
					if t.Failed() {
						t.Logf("schedule %d, request %q, pages kept %t, frames %d, patience %v:%s", seed, name, run.keeps, run.frames, run.patience, show(run.faults))
					}
				})
			}
			t.Log(ends)
		})
	}
}

// mostOf is when most of the time is up that the tests may take: a machine that is busy with other things tries fewer schedules.
func mostOf(t *testing.T) time.Time {
	t.Helper()
	deadline, ok := t.Deadline()
	if !ok {
		return time.Now().Add(24 * time.Hour)
	}
	return time.Now().Add(time.Until(deadline) / 3 * 2)
}

// trial is one schedule on one request.
type trial struct {
	w        *world
	req      query.Events
	truth    []string
	seed     uint64
	faults   []faults.Fault
	keeps    bool
	frames   int           // after which the reader leaves; 0 = never
	patience time.Duration // deadline; 0 = none
}

// check runs the first call with faults and what it leads to without them. It tells how the first call ended.
func (c *trial) check(t *testing.T) string {
	t.Helper()
	b := newBed(t, c.w, c.keeps)
	defer b.close()
	b.behave(t, c.w, c.faults, c.seed)
	ctx, cancel := context.WithCancel(t.Context())
	if c.patience > 0 {
		ctx, cancel = context.WithTimeout(t.Context(), c.patience)
	}
	s := b.read(ctx, c.req, "", c.frames)
	cancel()
	c.sound(t, s)
	got := slices.Clone(s.events)
	ended := "complete"
	switch {
	case s.err != nil:
		ended = "error"
		var stream *failure.StreamError
		if errors.As(s.err, &stream) && stream.ResumeToken != s.token {
			t.Error("the error carries another token than the last checkpoint")
		}
	case !s.summary.GetComplete():
		ended = "incomplete"
	case !slices.Equal(keys(got), c.truth):
		t.Error("complete, but not the exact set")
		c.same(t, got)
	}
	// Retry-After, the pause after 402 and negative answers pass; kept pages of settled windows do not.
	b.behave(t, c.w, nil, 0)
	time.Sleep(61 * time.Minute)
	// A walk that came to its end goes on as well where a source stopped; else its gaps are asked for.
	if s.err != nil || !s.summary.GetComplete() && c.seed%2 == 0 {
		got = append(got, c.resume(t, b, s, &s)...)
	}
	if s.summary.GetComplete() {
		c.same(t, got)
		return ended
	}
	got = append(got, c.mend(t, b, s.summary)...)
	c.same(t, got)
	return ended
}

// resume goes on from the last token, or from the beginning where there is none.
func (c *trial) resume(t *testing.T, b *bed, s *told, last **told) []*parleyv1.Event {
	t.Helper()
	again := b.read(t.Context(), c.req, s.token, 0)
	c.sound(t, again)
	if again.err != nil {
		t.Fatalf("resumed without faults: %v", again.err)
	}
	if s.token == "" && !again.summary.GetComplete() {
		t.Errorf("from the beginning, without faults: %v", again.summary)
	}
	known := map[string]bool{}
	for _, e := range s.events[:s.settled] {
		known[version(e)] = true
	}
	for _, e := range again.events {
		if known[version(e)] {
			t.Errorf("%s came again behind its checkpoint", version(e))
		}
	}
	*last = again
	return again.events
}

// mend asks for every gap of a summary.
func (c *trial) mend(t *testing.T, b *bed, summary *parleyv1.Summary) []*parleyv1.Event {
	t.Helper()
	var got []*parleyv1.Event
	gaps := 0
	for _, report := range summary.GetSources() {
		for _, gap := range report.GetGaps() {
			gaps++
			req := c.req
			req.Sources = []parleyv1.Source{report.GetSource()}
			req.Start, req.End = gap.GetInterval().GetStartTime().AsTime(), gap.GetInterval().GetEndTime().AsTime()
			s := b.read(t.Context(), req, "", 0)
			c.sound(t, s)
			if s.err != nil || !s.summary.GetComplete() {
				t.Errorf("the gap %v, asked alone: %v %v", gap, s.err, s.summary)
			}
			got = append(got, s.events...)
		}
	}
	if gaps == 0 {
		t.Errorf("incomplete without a gap: %v", summary)
	}
	return got
}

// sound checks one stream by itself: order, and no version twice.
func (c *trial) sound(t *testing.T, s *told) {
	t.Helper()
	seen := map[string]bool{}
	var before time.Time
	for _, e := range s.events {
		if seen[version(e)] {
			t.Errorf("%s came twice", version(e))
		}
		seen[version(e)] = true
		if _, known := slices.BinarySearch(c.truth, version(e)); !known {
			t.Errorf("%s is not Graph's", version(e))
		}
		if e.GetOutOfWindow() {
			continue
		}
		at := e.GetEventTime().AsTime()
		if !before.IsZero() && (c.req.OrderBy == query.EventTime && at.Before(before) || c.req.OrderBy != query.EventTime && at.After(before)) {
			t.Errorf("%s at %v comes behind %v", version(e), at, before)
		}
		before = at
	}
}

// same compares what came in all with the truth.
func (c *trial) same(t *testing.T, events []*parleyv1.Event) {
	t.Helper()
	got := slices.Compact(keys(events))
	missing := slices.DeleteFunc(slices.Clone(c.truth), func(key string) bool {
		_, there := slices.BinarySearch(got, key)
		return there
	})
	if len(missing) > 0 || len(got) != len(c.truth) {
		t.Errorf("%d of %d in all; missing %.5q", len(got), len(c.truth), missing)
	}
}
