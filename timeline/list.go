package timeline

import (
	"context"
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/timeline/chunk"
	"github.com/parley-gateway/parley/timeline/frame"
	"github.com/parley-gateway/parley/timeline/merge"
	"github.com/parley-gateway/parley/timeline/query"
	"github.com/parley-gateway/parley/timeline/window"
)

// ListEvents answers one page. token is empty for the first one; size 0 means 50. Errors are *failure.Error or those of the
// context.
func (e *Engine) ListEvents(
	ctx context.Context, sources query.Sources, req query.Events, token string, size int,
) (*parleyv1.ListEventsResponse, error) {
	page, err := e.PageEvents(ctx, sources, req, token, size)
	if err != nil {
		return nil, err
	}
	answer := proto.CloneOf(page.Message)
	if err := (proto.UnmarshalOptions{Merge: true}).Unmarshal(page.Events, answer); err != nil {
		return nil, fmt.Errorf("decode events: %w", err)
	}
	return answer, nil
}

// PageEvents is ListEvents with encoded events.
func (e *Engine) PageEvents(ctx context.Context, sources query.Sources, req query.Events, token string, size int) (*Page, error) {
	size, err := frame.PageSize(size)
	if err != nil {
		return nil, err
	}
	resolved, err := req.Resolve(sources)
	if err != nil {
		return nil, err
	}
	call := &listCall{sources, &req, resolved, token, size}
	entry := call.cacheEntry()
	if page := entry.get(ctx); page != nil {
		return page, nil
	}
	return e.readPage(ctx, call, entry)
}

// listWindowsAtOnce is how many windows of a source a List reads at a time.
const listWindowsAtOnce = 2

// listCall is one call to ListEvents.
type listCall struct {
	sources  query.Sources
	req      *query.Events
	resolved query.Resolved
	token    string
	size     int
}

// cacheEntry returns the entry for the page of a call. A request with a filter, for a source that cannot be asked, or for the first page
// up to the present is answered anew each time. Of later pages, the token says where the interval ends.
func (c *listCall) cacheEntry() cacheEntry {
	if c.req.Filter != "" || len(c.req.Unavailable) > 0 || c.req.End.IsZero() && c.token == "" {
		return cacheEntry{}
	}
	store, ok := c.sources.Events[c.resolved.Sources[0]].(pageStore)
	if !ok {
		return cacheEntry{}
	}
	key := store.AnswerKey(c.resolved.Digest, c.size, c.token)
	if c.req.Narrow {
		key += narrowSuffix
	}
	return cacheEntry{store, key}
}

// readPage merges the events of a page, and puts it into the cache if it can be cached.
func (e *Engine) readPage(ctx context.Context, call *listCall, entry cacheEntry) (*Page, error) {
	inTime, cancel := frame.ListContext(ctx, e.cfg.ListTime)
	defer cancel()
	m, err := merge.Open(inTime, &e.merge, call.sources, call.req, call.resolved, call.token, "page_token")
	if err != nil {
		return nil, err
	}
	defer m.Close()
	events := &eventPage{m: m, maxEvents: call.size, maxBytes: chunk.MaxFrameEvents}
	answer, err := e.fillPage(inTime, events, nil)
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return nil, err
	}
	if answer.GetNextPageToken() == "" {
		frame.AddCoverageGaps(answer.GetSources())
	}
	page := &Page{Message: answer, Events: events.joined(), Count: events.count, BySource: events.bySource}
	entry.put(page, call.req, m, events.chunkRange())
	return page, nil
}

// fillPage reads the events of a page, and returns what the answer says beside them. beside is a walk that ends where this one begins; nil
// = none.
func (e *Engine) fillPage(ctx context.Context, events *eventPage, beside *merge.Merger) (*parleyv1.ListEventsResponse, error) {
	m := events.m
	account := e.cfg.Ledger.Open(e.merge.WindowBytes)
	defer account.Close()
	m.Limit(listWindowsAtOnce, window.TargetRows, account)
	m.SetListPage(events.maxEvents, func() bool { return !events.Empty() }, beside)
	done := false
	if events.maxEvents > 0 {
		var err error
		if done, err = frame.Fill(ctx, m, events); err != nil {
			return nil, err
		}
	}
	answer := &parleyv1.ListEventsResponse{Complete: done && m.Complete(), Notices: m.News(), Sources: m.Reports()}
	if done {
		return answer, nil
	}
	var err error
	answer.NextPageToken, err = m.Token()
	return answer, err
}

// eventPage collects the encoded events of a List.
type eventPage struct {
	m         *merge.Merger
	maxEvents int
	maxBytes  int  // unless it is a single event
	begun     bool // the answer has events beside these: it is not empty without them, and a single event has no more room than others
	count     int
	runs      [][]byte
	// bySource are the events by their sources.
	bySource SourceCounts
	bytes    int        // of the runs together
	in       chunkRange // where the first run lies in its chunk
}

// Empty implements frame.Page.
func (p *eventPage) Empty() bool { return p.count == 0 && !p.begun }

// Enough implements frame.Page.
func (p *eventPage) Enough() bool { return p.count >= p.maxEvents }

// Add implements frame.Page. It takes the next run of events.
func (p *eventPage) Add() (bool, error) {
	next := p.m.Head()
	if p.count >= p.maxEvents || !p.Empty() && p.bytes+next.Size() > p.maxBytes {
		return false, nil
	}
	at, in, src := next.At, p.m.HeadChunk(), p.m.HeadSource()
	events, n, err := p.m.NextRun(p.maxEvents-p.count, p.maxBytes-p.bytes)
	if err != nil {
		return false, err
	}
	if len(p.runs) == 0 && at != chunk.NotInChunk {
		p.in = chunkRange{in, at, at + n}
	}
	p.runs = append(p.runs, events)
	p.count += n
	p.bySource.add(src, n)
	p.bytes += len(events)
	return true, nil
}

// joined returns the runs as one list field.
func (p *eventPage) joined() []byte {
	switch len(p.runs) {
	case 0:
		return nil
	case 1:
		return p.runs[0]
	default:
		return slices.Concat(p.runs...)
	}
}

// chunkRange returns the run of all events of the page, if they are one run.
func (p *eventPage) chunkRange() chunkRange {
	if len(p.runs) != 1 {
		return chunkRange{}
	}
	return p.in
}
