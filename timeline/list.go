package timeline

import (
	"context"
	"time"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
)

const (
	defaultPage = 50
	maxPage     = 1000
	// maxFrame bounds a List answer and a stream frame; room is left for tokens, notices and reports, and for the escapes
	// and field names that make JSON longer than the wire form it is measured in.
	maxFrame  = 3 << 20
	frameRoom = 512 << 10
)

// pageSize applies the contract's default and cap.
func pageSize(n int) (int, error) {
	switch {
	case n < 0:
		return 0, invalid("page_size", "must not be negative")
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
	ctx context.Context, have Sources, req EventsRequest, token string, size int,
) (*parleyv1.ListEventsResponse, error) {
	size, err := pageSize(size)
	if err != nil {
		return nil, err
	}
	soft, cancel := e.listTime(ctx)
	defer cancel()
	w, err := e.open(soft, have, &req, token, "page_token")
	if err != nil {
		return nil, err
	}
	defer w.fetch.close()
	ahead := 2
	if req.Conversation != "" {
		ahead = 1 // Graph allows one request a second: the next window would only stand in the way
	}
	w.limit(ahead, maxRows)
	answer := &parleyv1.ListEventsResponse{}
	done, err := w.fillPage(soft, answer, size)
	if err != nil {
		return nil, err
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if !done {
		if answer.NextPageToken, err = w.token(false); err != nil {
			return nil, err
		}
	}
	answer.Notices = w.news()
	answer.Sources = w.reports()
	answer.Complete = done && w.complete()
	return answer, nil
}

// fillPage adds events until the page is full, time is up, or nothing is left; then it reports true.
func (w *walk) fillPage(ctx context.Context, answer *parleyv1.ListEventsResponse, size int) (bool, error) {
	list, done, err := w.fillList(ctx, size)
	if err != nil {
		return false, err
	}
	return done, w.setEvents(answer, list)
}

// fillList is fillPage for the list field alone.
func (w *walk) fillList(ctx context.Context, size int) (list []byte, done bool, err error) {
	events := 0
	w.patient = func() bool { return events > 0 }
	for {
		t, v := w.step()
		switch v {
		case ready:
			if events >= size {
				return list, false, nil
			}
			longer, err := w.shown(list, listEvents, t.head(), maxFrame-frameRoom)
			if err != nil {
				return list, false, err
			}
			if len(list) > 0 && len(longer) > maxFrame-frameRoom {
				return list, false, nil
			}
			list = longer
			events++
			w.take(t)
		case waiting:
			if events >= size {
				return list, false, nil
			}
			if err := w.wait(ctx, nil); err != nil {
				return list, false, nil //nolint:nilerr // time is up: the answer holds what there is, and a token
			}
		case paused:
			return list, false, nil
		case broken:
			if events > 0 {
				return list, false, nil // the next page says so
			}
			return list, false, w.fatal()
		case ended:
			return list, true, nil
		}
	}
}
