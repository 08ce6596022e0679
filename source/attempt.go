package source

import (
	"context"

	"github.com/parley-gateway/parley/graphclient"
	"github.com/parley-gateway/parley/graphclient/graph"
)

// attempt is one way to ask for a page. A page behind a link has a single one: the link repeats what its first page asked for.
type attempt struct {
	// name says in a log line how the attempt asks; the first one has none.
	name    string
	request graph.Request
	// unfiltered, unbounded and unordered are the flags of Page that hold if this attempt is the one that is answered.
	unfiltered, unbounded, unordered bool
}

// answeredPage returns the page of the first attempt that Graph answers, normalized and with the flags of the attempt, and its index.
func answeredPage[T any](ctx context.Context, b *base, attempts []attempt, normalize func(record []byte) (T, error)) (*Page[T], int, error) {
	answer, taken, err := b.firstAnswer(ctx, attempts)
	if err != nil {
		return nil, 0, err
	}
	page, err := itemsOf(ctx, answer, normalize)
	if err != nil {
		return nil, 0, err
	}
	a := &attempts[taken]
	page.Unfiltered, page.Unbounded, page.Unordered = a.unfiltered, a.unbounded, a.unordered
	return page, taken, nil
}

// firstAnswer asks the attempts in turn for as long as Graph answers 400 or 501, and returns the first page that Graph gives and the
// index of its attempt. Requests of refused attempts are counted. The error is that of the last attempt that was asked.
func (b *base) firstAnswer(ctx context.Context, attempts []attempt) (*graphclient.Page, int, error) {
	refused := 0
	for i, a := range attempts {
		page, err := b.graph.Page(ctx, a.request)
		if err == nil {
			page.Requests += refused
			if len(attempts) == 1 { // else another one may take the place of this page
				announce(ctx, page.NextLink, len(page.Records))
			}
			return page, i, nil
		}
		refused += graph.Requests(err)
		if i == len(attempts)-1 || !isRejected(err) {
			return nil, i, err
		}
		b.logFallback(ctx, attempts[i+1].name, err)
	}
	return nil, 0, unexpected("nothing was asked", nil)
}
