package timeline_test

import (
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/protobuf/types/known/timestamppb"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/graphclient/graph"
	"github.com/parley-gateway/parley/resource"
	"github.com/parley-gateway/parley/source"
	"github.com/parley-gateway/parley/timeline"
	"github.com/parley-gateway/parley/timeline/query"
)

const (
	chat    = parleyv1.Source_SOURCE_CHAT
	copilot = parleyv1.Source_SOURCE_COPILOT
	call    = parleyv1.Source_SOURCE_CALL
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// row is one record of the fake Graph.
type row struct {
	at      time.Time
	created time.Time
	served  time.Time // where Graph's filter believes it to be, when that is not at
	id      string
	version int64
	body    string
	actor   string
	// conversation is the id of the event's conversation.
	conversation string
	noTime       bool
}

// graph is a source that answers from rows the way Graph does: in no order, in pages, with links, a second wider than
// asked. Hooks make it misbehave.
type fakeGraph struct {
	src  parleyv1.Source
	size int

	mu    sync.Mutex
	rows  []row
	edits int // grows with every change of rows after the first request
	memo  map[string][]source.Item
	items map[itemKey]source.Item
	asked []asked
	// hook may replace an answer. n counts the requests from 1.
	hook func(n int, q source.EventQuery, link string, page *source.Page[source.Item]) (*source.Page[source.Item], error)
	// delay is how long each page takes.
	delay time.Duration
	// live makes pages by their places in what is there at the moment, so that rows that leave move all behind them.
	live bool
}

// itemKey is what an item depends on.
type itemKey struct {
	row          row
	byCreateTime bool
}

type asked struct {
	q    source.EventQuery
	link string
}

func (g *fakeGraph) Events(ctx context.Context, q source.EventQuery, link string) (*source.Page[source.Item], error) {
	if g.delay > 0 {
		select {
		case <-time.After(g.delay):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.asked = append(g.asked, asked{q, link})
	page := g.page(q, link)
	if g.hook != nil {
		return g.hook(len(g.asked), q, link, page)
	}
	return page, nil
}

func (g *fakeGraph) page(q source.EventQuery, link string) *source.Page[source.Item] {
	edits := g.edits
	if at := strings.Index(link, "&edits="); at >= 0 { // a chain shows what was there when it began
		edits, _ = strconv.Atoi(link[at+len("&edits=") : strings.LastIndexByte(link, '&')])
	}
	id := fmt.Sprint(q.Start.UnixNano(), q.End.UnixNano(), q.ByCreateTime, q.Descending, q.Conversation, edits)
	found, known := g.memo[id]
	if !known || g.live {
		found = g.find(q)
		if g.memo == nil {
			g.memo = map[string][]source.Item{}
		}
		g.memo[id] = found
	}
	from := 0
	if link != "" {
		from, _ = strconv.Atoi(link[strings.LastIndexByte(link, '=')+1:])
	}
	from = min(from, len(found))
	to := min(from+g.size, len(found))
	page := &source.Page[source.Item]{Items: found[from:to], Rows: to - from, Requests: 1, ReadAt: time.Now()}
	if to < len(found) {
		page.Next = fmt.Sprintf("https://graph/%d/%d?x&edits=%d&skip=%d", q.Start.UnixNano(), q.End.UnixNano(), edits, to)
	}
	return page
}

func (g *fakeGraph) find(q source.EventQuery) []source.Item {
	var found []source.Item
	from, to := source.RequestBounds(q.Start, q.End)
	for i := range g.rows {
		r := &g.rows[i]
		by := r.at
		if q.ByCreateTime {
			by = r.created
		}
		if !r.served.IsZero() {
			by = r.served
		}
		if (q.ByCreateTime || !by.Before(from)) && by.Before(to) {
			found = append(found, g.encoded(q, *r))
		}
	}
	if q.Conversation != "" {
		slices.SortStableFunc(found, func(a, b source.Item) int { return b.Time.Compare(a.Time) })
	} else {
		slices.SortStableFunc(found, func(a, b source.Item) int { return cmp.Compare(scatter(a.Key), scatter(b.Key)) })
	}
	return found
}

// encoded is item, which windows that overlap share.
func (g *fakeGraph) encoded(q source.EventQuery, r row) source.Item {
	key := itemKey{r, q.ByCreateTime}
	item, known := g.items[key]
	if !known {
		if g.items == nil {
			g.items = map[itemKey]source.Item{}
		}
		item = g.item(q, r)
		g.items[key] = item
	}
	return item
}

func (g *fakeGraph) item(q source.EventQuery, r row) source.Item {
	e := &parleyv1.Event{
		Uid: g.src.String() + "/" + r.id, Version: r.version, EventTime: timestamppb.New(r.at),
		Source: &parleyv1.EventSource{Source: g.src, Id: r.id},
	}
	if r.body != "" {
		e.Body = &parleyv1.Body{Content: r.body}
	}
	if r.actor != "" {
		e.Actor = &parleyv1.IdentitySet{User: &parleyv1.Identity{Id: r.actor}}
	}
	if r.conversation != "" {
		e.Name, e.Conversation = resource.User(q.Owner)+"/events/"+r.id, resource.Conversation(q.Owner, r.conversation)
	}
	if !r.created.IsZero() {
		e.CreateTime = timestamppb.New(r.created)
	}
	if r.noTime {
		e.EventTime = nil
	}
	item := encode(e)
	item.Time, item.Key = r.at, r.id
	if q.ByCreateTime {
		item.Time = r.created
	}
	if r.noTime {
		item.Time, item.NoTime = time.Time{}, true
	}
	return item
}

// encode makes an item of an event, without time and key.
func encode(e *parleyv1.Event) source.Item {
	item, err := source.NewItem(e)
	if err != nil {
		panic(err) // the event is a test's own
	}
	return item
}

// changed is an item whose event was changed.
func changed(item source.Item, change func(*parleyv1.Event)) source.Item {
	e := decode(item)
	change(e)
	again := encode(e)
	again.Time, again.Key, again.NoTime = item.Time, item.Key, item.NoTime
	return again
}

// decode is the event of an item.
func decode(item source.Item) *parleyv1.Event {
	e, err := item.Event()
	if err != nil {
		panic(err) // the event is a test's own
	}
	return e
}

func (g *fakeGraph) requests() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.asked)
}

func scatter(key string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(key))
	return binary.BigEndian.Uint64(h.Sum(nil))
}

// spread makes n rows evenly over a span.
func spread(prefix string, n int, from, to time.Time) []row {
	rows := make([]row, 0, n)
	for i := range n {
		at := from.Add(to.Sub(from) / time.Duration(n) * time.Duration(i)).Truncate(time.Millisecond)
		rows = append(rows, row{at: at, created: at, id: fmt.Sprintf("%s%04d", prefix, i), version: 1})
	}
	return rows
}

func newEngine(t *testing.T, cfg timeline.Config) *timeline.Engine {
	t.Helper()
	e, err := timeline.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func sources(graphs ...*fakeGraph) query.Sources {
	s := query.Sources{Events: map[parleyv1.Source]source.EventReader{}}
	for _, g := range graphs {
		s.Events[g.src] = g
	}
	return s
}

// result is what a whole stream delivered.
type result struct {
	events  []*parleyv1.Event
	tokens  []string // of the checkpoints
	after   []int    // events delivered before each checkpoint
	notices []*parleyv1.Notice
	summary *parleyv1.Summary
	batches int
}

func (r *result) add(frame *parleyv1.StreamEventsResponse) error {
	switch f := frame.GetFrame().(type) {
	case *parleyv1.StreamEventsResponse_Batch:
		r.events = append(r.events, f.Batch.GetEvents()...)
		r.batches++
	case *parleyv1.StreamEventsResponse_Checkpoint:
		r.tokens = append(r.tokens, f.Checkpoint.GetResumeToken())
		r.after = append(r.after, len(r.events))
	case *parleyv1.StreamEventsResponse_Notice:
		r.notices = append(r.notices, f.Notice)
	case *parleyv1.StreamEventsResponse_Summary:
		r.summary = f.Summary
	}
	return nil
}

func stream(t *testing.T, e *timeline.Engine, s query.Sources, req query.Events, token string) *result {
	t.Helper()
	r := &result{}
	if err := e.StreamEvents(t.Context(), s, req, token, r.add); err != nil {
		t.Fatalf("stream: %v", err)
	}
	if r.summary == nil {
		t.Fatal("stream without a summary")
	}
	return r
}

// listAll reads pages to the end.
func listAll(t *testing.T, e *timeline.Engine, s query.Sources, req query.Events, size int) ([]*parleyv1.Event, *parleyv1.ListEventsResponse) {
	t.Helper()
	var events []*parleyv1.Event
	token := ""
	for range 100000 {
		page, err := e.ListEvents(t.Context(), s, req, token, size)
		if err != nil {
			t.Fatalf("list: %v", err)
		}
		if len(page.GetEvents()) > size {
			t.Fatalf("page of %d events, asked for %d", len(page.GetEvents()), size)
		}
		events = append(events, page.GetEvents()...)
		if token = page.GetNextPageToken(); token == "" {
			return events, page
		}
		if page.GetComplete() {
			t.Fatal("complete with a next page")
		}
	}
	t.Fatal("no end")
	return nil, nil
}

func ids(events []*parleyv1.Event) []string {
	list := make([]string, 0, len(events))
	for _, e := range events {
		list = append(list, fmt.Sprintf("%s@%d", e.GetUid(), e.GetVersion()))
	}
	return list
}

// want is the order that the contract asks for.
func want(start, end time.Time, desc bool, graphs ...*fakeGraph) []string {
	type one struct {
		row

		src parleyv1.Source
	}
	var all []one
	for _, g := range graphs {
		for _, r := range g.rows {
			if !r.at.Before(start) && r.at.Before(end) {
				all = append(all, one{r, g.src})
			}
		}
	}
	slices.SortFunc(all, func(a, b one) int {
		order := cmp.Or(a.at.Compare(b.at), cmp.Compare(a.src, b.src), cmp.Compare(a.id, b.id))
		if desc {
			return -order
		}
		return order
	})
	list := make([]string, 0, len(all))
	for _, o := range all {
		list = append(list, fmt.Sprintf("%s/%s@%d", o.src, o.id, o.version))
	}
	return list
}

func fail(kind graph.Kind) error {
	return &graph.Error{Kind: kind, RequestID: "req-" + kind.String(), Requests: 1}
}

func notFound(list []*parleyv1.Gap, reason string) bool {
	return !slices.ContainsFunc(list, func(g *parleyv1.Gap) bool { return g.GetReason() == reason })
}

func report(s []*parleyv1.SourceReport, src parleyv1.Source) *parleyv1.SourceReport {
	for _, r := range s {
		if r.GetSource() == src {
			return r
		}
	}
	return nil
}

// locked makes a random source safe for several goroutines.
type locked struct {
	mu  sync.Mutex
	src rand.Source
}

func (l *locked) Uint64() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.src.Uint64()
}
