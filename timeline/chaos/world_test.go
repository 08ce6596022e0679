// Package chaos_test holds one property: whatever Graph does, a walk is either whole and says so, or says what is missing,
// and asking for that brings exactly the rest.
package chaos_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-gateway/parley/cache"
	"github.com/parley-gateway/parley/cache/readers"
	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/graphclient"
	"github.com/parley-gateway/parley/graphclient/graph"
	"github.com/parley-gateway/parley/graphsim"
	"github.com/parley-gateway/parley/graphsim/faults"
	"github.com/parley-gateway/parley/internal/wiretest"
	"github.com/parley-gateway/parley/source"
	"github.com/parley-gateway/parley/timeline"
	"github.com/parley-gateway/parley/timeline/query"
)

const (
	copilot = parleyv1.Source_SOURCE_COPILOT
	chats   = parleyv1.Source_SOURCE_CHAT
	calls   = parleyv1.Source_SOURCE_CALL
)

// today is when all of it happens.
func today() time.Time { return time.Date(2026, 11, 19, 15, 30, 0, 0, time.UTC) }

// world is the tenant that all schedules share. Nothing in it changes.
type world struct {
	sim  *graphsim.Sim
	user string
	chat string // with the most messages
}

func newWorld(t *testing.T) *world {
	t.Helper()
	sim, err := graphsim.New(graphsim.Config{
		Plain: true, Seed: 5, Users: 24, Chats: 60, Messages: 900, Interactions: 500, Calls: 90, Days: 20, Now: today,
		MaxTop: 4, CallPageSize: 3,
	})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{sim: sim}
	o := sim.Oracle("")
	count := func(records iter.Seq[graphsim.Record]) (n int) {
		for range records {
			n++
		}
		return n
	}
	start, end := interval()
	fewest := math.MaxInt
	for person := range o.Users() {
		sum := 0
		for src, least := range map[string]int{graphsim.SourceCopilot: 10, graphsim.SourceChat: 18, graphsim.SourceCall: 3} {
			n := count(o.Records(src, person.ID, start, end))
			if sum += n; n < least {
				sum = math.MaxInt / 4
			}
		}
		if sum < fewest {
			fewest, w.user = sum, person.ID
		}
	}
	fewest = math.MaxInt
	for chat := range o.Chats(w.user) {
		if n := count(o.ChatMessages(chat, start, end)); n >= 15 && n < fewest {
			fewest, w.chat = n, chat
		}
	}
	if w.chat == "" {
		t.Fatal("no user and chat of the wanted size")
	}
	return w
}

// interval is what schedules walk over.
func interval() (start, end time.Time) {
	end = today().Add(-2 * time.Hour)
	return end.Add(-9*24*time.Hour - 17*time.Minute), end
}

// bed is one gateway without doors over the world, with Graph behind a switch.
type bed struct {
	engine *timeline.Engine
	have   query.Sources
	graph  atomic.Value // http.Handler
	close  func()
}

func (b *bed) RoundTrip(r *http.Request) (*http.Response, error) {
	h, ok := b.graph.Load().(http.Handler)
	if !ok {
		return nil, errors.New("no Graph")
	}
	return wiretest.New(h).RoundTrip(r)
}

func (b *bed) behave(t *testing.T, w *world, planned []faults.Fault, seed uint64) {
	t.Helper()
	h, err := w.sim.HandlerWithFaults(planned, seed)
	if err != nil {
		t.Fatal(err)
	}
	b.graph.Store(h)
}

// newBed assembles the floors below the server, as the gateway does. keeps tells whether pages are kept.
func newBed(t *testing.T, w *world, keeps bool) *bed {
	t.Helper()
	b := &bed{}
	client, err := graphclient.New(graphclient.Config{BaseURL: "http://127.0.0.1:8090", Transport: b})
	if err != nil {
		t.Fatal(err)
	}
	size := int64(-1)
	if keeps {
		size = 8 << 20
	}
	store, err := cache.New(cache.Config{MaxBytes: size})
	if err != nil {
		t.Fatal(err)
	}
	if b.engine, err = timeline.New(timeline.Config{}); err != nil {
		t.Fatal(err)
	}
	pages := readers.New(store, readers.Config{})
	options := source.Options{Tenant: w.sim.TenantID(), Version: graph.V1}
	scope := func(src parleyv1.Source) readers.Scope { return readers.Scope{Tenant: w.sim.TenantID(), Source: src} }
	call := source.NewCall(client, options)
	b.have.Events = map[parleyv1.Source]source.EventReader{
		copilot: pages.Events(source.NewCopilot(client, options), scope(copilot)),
		chats:   pages.Events(source.NewChat(client, options), scope(chats)),
		calls:   pages.Events(pages.Calls(call, call, scope(calls)), scope(calls)),
	}
	b.close = func() {
		store.Close()
		client.Close()
	}
	return b
}

// told is what one stream said.
type told struct {
	events  []*parleyv1.Event
	settled int    // events before the last checkpoint
	token   string // the last one
	summary *parleyv1.Summary
	err     error
}

var errLeft = errors.New("the reader left")

// read streams until the end, or until the reader leaves after so many frames (0 = never).
func (b *bed) read(ctx context.Context, req query.Events, token string, frames int) *told {
	s := &told{token: token}
	left := frames
	s.err = b.engine.StreamEvents(ctx, b.have, req, token, func(f *parleyv1.StreamEventsResponse) error {
		if left--; frames > 0 && left < 0 {
			return errLeft
		}
		s.events = append(s.events, f.GetBatch().GetEvents()...)
		if c := f.GetCheckpoint(); c != nil {
			s.token, s.settled = c.GetResumeToken(), len(s.events)
		}
		if f.GetSummary() != nil {
			s.summary, s.token, s.settled = f.GetSummary(), f.GetSummary().GetResumeToken(), len(s.events)
		}
		return nil
	})
	return s
}

// version names one version of one event.
func version(e *parleyv1.Event) string { return fmt.Sprint(e.GetUid(), "@", e.GetVersion()) }

// keys are the versions, sorted.
func keys(events []*parleyv1.Event) []string {
	out := make([]string, 0, len(events))
	for _, e := range events {
		out = append(out, version(e))
	}
	slices.Sort(out)
	return out
}

// inVirtualTime runs f in a bubble whose clock stands at the present.
func inVirtualTime(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(today()))
		f(t)
	})
}

// truth is what a request must bring, read without faults and counted by the oracle.
func (w *world) truth(t *testing.T, req query.Events) []string {
	t.Helper()
	var whole []string
	inVirtualTime(t, func(t *testing.T) {
		t.Helper()
		t.Helper()
		b := newBed(t, w, false)
		defer b.close()
		b.behave(t, w, nil, 0)
		s := b.read(t.Context(), req, "", 0)
		if s.err != nil || !s.summary.GetComplete() {
			t.Fatalf("without faults: %v %v", s.err, s.summary)
		}
		whole = keys(s.events)
	})
	n := 0
	o := w.sim.Oracle("")
	for src, name := range map[parleyv1.Source]string{copilot: graphsim.SourceCopilot, chats: graphsim.SourceChat, calls: graphsim.SourceCall} {
		if !slices.Contains(req.Sources, src) {
			continue
		}
		records := o.Records(name, w.user, req.Start, req.End)
		if req.Conversation != "" {
			records = o.ChatMessages(req.Conversation, req.Start, req.End)
		}
		for range records {
			n++
		}
	}
	if n != len(whole) || n < 10 || len(slices.Compact(slices.Clone(whole))) != n {
		t.Fatalf("%d events, the oracle knows %d", len(whole), n)
	}
	return whole
}

// requests are the walks that schedules are tried on.
func (w *world) requests() map[string]query.Events {
	start, end := interval()
	base := query.Events{
		Caller: "c", Tenant: "t", Owner: w.user, User: w.user, Start: start, End: end,
		Sources: []parleyv1.Source{copilot, chats, calls},
	}
	with := func(change func(*query.Events)) query.Events {
		r := base
		change(&r)
		return r
	}
	return map[string]query.Events{
		"all":               base,
		"one of many users": with(func(r *query.Events) { r.ManyUsers = true }),
		"newest":            with(func(r *query.Events) { r.OrderBy = query.EventTimeDesc }),
		"copilot":           with(func(r *query.Events) { r.Sources = []parleyv1.Source{copilot} }),
		"chats":             with(func(r *query.Events) { r.Sources = []parleyv1.Source{chats} }),
		"chat": with(func(r *query.Events) {
			r.Conversation, r.Sources = w.chat, []parleyv1.Source{chats}
		}),
		"chat, newest": with(func(r *query.Events) {
			r.Conversation, r.Sources, r.OrderBy = w.chat, []parleyv1.Source{chats}, query.EventTimeDesc
		}),
	}
}

// show writes a schedule as a fault file would have it.
func show(planned []faults.Fault) string {
	var b strings.Builder
	for _, f := range planned {
		fmt.Fprintf(&b, "\n  %+v", f)
	}
	return b.String()
}
