package timeline

import (
	"context"
	"slices"

	"google.golang.org/protobuf/proto"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/timeline/chunk"
	"github.com/parley-gateway/parley/timeline/frame"
	"github.com/parley-gateway/parley/timeline/query"
	"github.com/parley-gateway/parley/timeline/window"
)

// ListEvents answers one page. token is empty for the first one; size 0 means 50. Errors are *Error or context errors.
func (e *Engine) ListEvents(
	ctx context.Context, have query.Sources, req query.Events, token string, size int,
) (*parleyv1.ListEventsResponse, error) {
	page, err := e.PageEvents(ctx, have, req, token, size)
	if err != nil {
		return nil, err
	}
	answer := proto.CloneOf(page.Message)
	return answer, setEvents(&req, answer, page.Events)
}

// PageEvents is ListEvents for those who carry the events as bytes.
func (e *Engine) PageEvents(ctx context.Context, have query.Sources, req query.Events, token string, size int) (*Page, error) {
	size, err := frame.PageSize(size)
	if err != nil {
		return nil, err
	}
	to, err := req.Resolve(have)
	if err != nil {
		return nil, err
	}
	store, key := pagesOf(&req, have, to, token, size)
	if store != nil {
		if kept, ok := store.Answer(key).(*keptPage); ok {
			if page := kept.page(ctx); page != nil {
				return page, nil
			}
		}
	}
	return e.makePage(ctx, have, req, to, token, size, store, key)
}

// makePage walks for a page, and keeps it in store under the key if it can be kept.
func (e *Engine) makePage(
	ctx context.Context, have query.Sources, req query.Events, to query.Resolved, token string, size int, store pageStore, key string,
) (*Page, error) {
	soft, cancel := frame.ListContext(ctx, e.cfg.ListTime)
	defer cancel()
	w, err := e.open(soft, have, &req, to, token, "page_token")
	if err != nil {
		return nil, err
	}
	defer w.fetch.close()
	ahead := 2
	if req.Conversation != "" {
		ahead = 1 // Graph allows one request a second: the next window would only stand in the way
	}
	account := e.cfg.Ledger.Open(e.windowBytes())
	defer account.Close()
	w.limit(ahead, window.MaxRows, account)
	for _, t := range w.tracks {
		t.frugal = size
	}
	page := &eventPage{w: w, size: size}
	w.patient = func() bool { return !page.Empty() }
	done, err := frame.Fill(soft, w, page)
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return nil, err
	}
	answer := &parleyv1.ListEventsResponse{}
	if !done {
		if answer.NextPageToken, err = w.token(false); err != nil {
			return nil, err
		}
	}
	answer.Notices = w.News()
	answer.Sources = w.reports()
	answer.Complete = done && w.complete()
	made := &Page{Message: answer, Events: page.joined(), Count: page.count}
	if store != nil {
		w.keep(made, page.place(), store, key, token == "")
	}
	return made, nil
}

// eventPage collects the encoded events of a List.
type eventPage struct {
	w      *walk
	size   int // events at most
	count  int
	pieces [][]byte
	length int // of the pieces together
	in     lie // where the events lie, if there is one piece
}

// Empty implements frame.Page.
func (p *eventPage) Empty() bool { return p.count == 0 }

// Enough implements frame.Page.
func (p *eventPage) Enough() bool { return p.count >= p.size }

// Add implements frame.Page. It takes the events at the head of a track that lie together.
func (p *eventPage) Add() (bool, error) {
	const most = chunk.MaxFrame - chunk.FrameRoom
	t := p.w.first
	e := t.head()
	if p.count >= p.size || p.length > 0 && p.length+e.Size() > most {
		return false, nil
	}
	at := e.At
	events, n, err := p.w.stretch(t, p.size-p.count, most-p.length)
	if err != nil {
		return false, err
	}
	if len(p.pieces) == 0 && at != chunk.NotInChunk {
		p.in = lie{t.active.Chunk, at, at + n}
	}
	p.pieces = append(p.pieces, events)
	p.count += n
	p.length += len(events)
	return true, nil
}

// joined is the list field of the answer.
func (p *eventPage) joined() []byte {
	switch len(p.pieces) {
	case 0:
		return nil
	case 1:
		return p.pieces[0]
	default:
		return slices.Concat(p.pieces...)
	}
}

// place is where the events lie together; zero if they do not.
func (p *eventPage) place() lie {
	if len(p.pieces) != 1 {
		return lie{}
	}
	return p.in
}
