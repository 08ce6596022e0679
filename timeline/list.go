package timeline

import (
	"context"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/timeline/chunk"
	"github.com/parley-gateway/parley/timeline/failure"
	"github.com/parley-gateway/parley/timeline/query"
	"github.com/parley-gateway/parley/timeline/window"
)

const (
	defaultPage = 50
	maxPage     = 1000
)

// pageSize applies the contract's default and cap.
func pageSize(n int) (int, error) {
	switch {
	case n < 0:
		return 0, failure.Invalid("page_size", "must not be negative")
	case n == 0:
		return defaultPage, nil
	default:
		return min(n, maxPage), nil
	}
}

// listTime bounds the time of a List: what lies before the caller's deadline is left for the answer's way.
func (e *Engine) listTime(ctx context.Context) (context.Context, context.CancelFunc) {
	left := e.cfg.ListTime
	if deadline, ok := ctx.Deadline(); ok {
		left = time.Until(deadline)
		left -= min(left/10, 500*time.Millisecond)
	}
	return context.WithTimeout(ctx, left)
}

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
	size, err := pageSize(size)
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
	soft, cancel := e.listTime(ctx)
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
	page := &Page{Message: &parleyv1.ListEventsResponse{}}
	in, done, err := w.fill(soft, page, size)
	if err != nil {
		return nil, err
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	answer := page.Message
	if !done {
		if answer.NextPageToken, err = w.token(false); err != nil {
			return nil, err
		}
	}
	answer.Notices = w.news()
	answer.Sources = w.reports()
	answer.Complete = done && w.complete()
	if store != nil {
		w.keep(page, in, store, key, token == "")
	}
	return page, nil
}

// fill adds events until the page is full, time is up, or nothing is left; then it reports true. It tells where the events
// lie if they lie together.
func (w *walk) fill(ctx context.Context, page *Page, size int) (in lie, done bool, err error) {
	var parts [][]byte
	length := 0
	defer func() {
		if page.Events = nil; len(parts) == 1 {
			page.Events = parts[0]
		} else if len(parts) > 1 {
			page.Events, in = slices.Concat(parts...), lie{}
		}
	}()
	w.patient = func() bool { return page.Count > 0 }
	for {
		t, v := w.step()
		switch v {
		case ready:
			e := t.head()
			if page.Count >= size || length > 0 && length+e.Size() > chunk.MaxFrame-chunk.FrameRoom {
				return in, false, nil
			}
			events, n, err := w.stretch(t, size-page.Count, chunk.MaxFrame-chunk.FrameRoom-length)
			if err != nil {
				return in, false, err
			}
			if in = (lie{}); len(parts) == 0 && e.At != chunk.NotInChunk {
				in = lie{t.active.Chunk, e.At, e.At + n}
			}
			parts = append(parts, events)
			page.Count += n
			length += len(events)
		case waiting:
			if page.Count >= size {
				return in, false, nil
			}
			if err := w.wait(ctx, nil); err != nil {
				w.hurried = true
				return in, false, nil // time is up: the answer holds what there is, and a token
			}
		case paused:
			return in, false, nil
		case broken:
			if page.Count > 0 {
				return in, false, nil // the next page says so
			}
			return in, false, w.fatal()
		case ended:
			return in, true, nil
		}
	}
}
