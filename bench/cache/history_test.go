package cachebench_test

import (
	"bytes"
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-gateway/parley/cache"
	"github.com/parley-gateway/parley/cache/readers"
	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/source"
	"github.com/parley-gateway/parley/timeline"
	"github.com/parley-gateway/parley/timeline/query"
)

const (
	pageRows = 50
	latency  = 100 * time.Millisecond // of Graph, for a page
)

// history is Graph with messages of every user at equal distances, up to the present. It counts what it is asked.
type history struct {
	start time.Time
	step  time.Duration
	event []byte // all messages are copies of this one

	mu    sync.Mutex
	asked int
	times map[string]int // a page was asked for
}

func newHistory(t *testing.T, start time.Time, step time.Duration) *history {
	t.Helper()
	item, err := source.NewItem(&parleyv1.Event{Uid: "u", Version: 1, Body: &parleyv1.Body{Content: strings.Repeat("x", 1200)}})
	if err != nil {
		t.Fatal(err)
	}
	return &history{start: start, step: step, event: item.Basic, times: map[string]int{}}
}

// index is the number of the first message at t or later that is there already.
func (h *history) index(t time.Time) int {
	if now := time.Now(); t.After(now) {
		t = now
	}
	return int((max(t.Sub(h.start), 0) + h.step - 1) / h.step)
}

// Events implements source.EventReader.
func (h *history) Events(ctx context.Context, q source.EventQuery, link string) (*source.Page[source.Item], error) {
	h.mu.Lock()
	h.asked++
	h.times[fmt.Sprint(q.User, " ", q.Start.Unix(), " ", q.End.Unix(), " ", link)]++
	h.mu.Unlock()
	select {
	case <-time.After(latency):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	from, last := h.index(q.Start), h.index(q.End)
	if link != "" {
		skipped, err := strconv.Atoi(link[strings.LastIndexByte(link, '=')+1:])
		if err != nil {
			return nil, err
		}
		from = skipped
	}
	to := min(from+pageRows, last)
	page := &source.Page[source.Item]{Rows: to - from, Requests: 1, ReadAt: time.Now()}
	for n := from; n < to; n++ {
		page.Items = append(page.Items, source.Item{
			Time: h.start.Add(time.Duration(n) * h.step), Key: q.User + "/" + strconv.Itoa(n), Version: 1, Basic: bytes.Clone(h.event),
		})
	}
	if to < last {
		page.Next = fmt.Sprintf("https://graph.microsoft.com/v1.0/chats?s=%d&e=%d&skip=%d", q.Start.Unix(), q.End.Unix(), to)
	}
	return page, nil
}

// requests returns how often Graph was asked since requests was called last.
func (h *history) requests() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := h.asked
	h.asked = 0
	return n
}

// setup is a timeline over a cache over a history, in a test.
type setup struct {
	*history

	t      *testing.T
	cache  *cache.Cache
	engine *timeline.Engine
	have   query.Sources
}

// play runs a pattern in a bubble whose clock begins at now.
func play(t *testing.T, now time.Time, size int64, start time.Time, step time.Duration, pattern func(h *setup)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(now))
		c, err := cache.New(cache.Config{MaxBytes: size})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		e, err := timeline.New(timeline.Config{})
		if err != nil {
			t.Fatal(err)
		}
		h := &setup{history: newHistory(t, start, step), t: t, cache: c, engine: e}
		reader := readers.New(c, readers.Config{}).Events(h.history, readers.Scope{Tenant: "t", Identity: "app", Source: parleyv1.Source_SOURCE_CHAT})
		h.have = query.Sources{Events: map[parleyv1.Source]source.EventReader{parleyv1.Source_SOURCE_CHAT: reader}}
		pattern(h)
	})
}

func request(user string, start, end time.Time) query.Events {
	return query.Events{
		Owner: user, User: user, Sources: []parleyv1.Source{parleyv1.Source_SOURCE_CHAT}, Start: start, End: end,
	}
}

// stream reads an interval whole.
func (h *setup) stream(user string, start, end time.Time) {
	h.t.Helper()
	complete := false
	drop := func(*timeline.Batch) error { return nil }
	err := h.engine.StreamBatches(h.t.Context(), h.have, request(user, start, end), "", drop, func(f *parleyv1.StreamEventsResponse) error {
		complete = complete || f.GetSummary().GetComplete()
		return nil
	})
	if err != nil || !complete {
		h.t.Errorf("not complete: %v", err)
	}
}

// list reads one page and returns the token of the next one.
func (h *setup) list(user string, start, end time.Time, token string, size int) string {
	h.t.Helper()
	answer, err := h.engine.PageEvents(h.t.Context(), h.have, request(user, start, end), token, size)
	if err != nil {
		h.t.Fatal(err)
	}
	return answer.Message.GetNextPageToken()
}
