package source

import (
	"context"
	"time"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/graphclient"
)

// Page is one page as Graph sent it, normalized.
type Page[T any] struct {
	Items []T
	// Lazy has the items in place of Items, which is then empty; nil on most pages. Such a page is the last of its chain.
	Lazy Rows[T]
	// Next is Graph's link to the next page, byte for byte; empty on the last page.
	Next string
	// Requests counts the requests that were sent for this page, retries included, and those that did not reach Graph.
	Requests int
	// Rows counts the records of the page before normalization.
	Rows int
	// ReadAt is when Graph answered.
	ReadAt time.Time
	// FromCache is true when no request was made for this caller.
	FromCache bool
	// Joined is true beside FromCache when another caller was asking for the page at the same time.
	Joined bool
	// Unfiltered is true when Graph did not evaluate (all of) the clause: it refused it, or the API has no such filter. As Unbounded and
	// Unordered it is set on the first page of a chain and holds for all later ones.
	Unfiltered bool
	// Unbounded is true when the interval was not sent, because Graph refused or ignored it beside the user's own clause:
	// rows outside are no fault of Graph and are to be left out.
	Unbounded bool
	// Verified is true when the participants of each call of the page name the user.
	Verified bool
	// Doubts are the doubts about a page that stands for a whole chain.
	Doubts []Doubt
	// Unordered is true when an order was asked for that Graph or its cloud does not know.
	Unordered bool
	// Concealed is true when a usage row of the page does not name its user.
	Concealed bool
	// Refreshed is the day that a usage report reaches up to, as its first row says; empty when there is none.
	Refreshed string
}

// Doubt is a sign that a chain of pages lacks rows, or that something about them could not be found out.
type Doubt struct {
	// Reason is why, as the contract names it.
	Reason parleyv1.ErrorReason
	// At is the time of the row in doubt; zero = the whole interval is in doubt.
	At time.Time
}

// Len is the number of items.
func (p *Page[T]) Len() int {
	if p.Lazy != nil {
		return p.Lazy.Len()
	}
	return len(p.Items)
}

// Part returns the part of the items that item i is in, 0 ≤ i < Len; from is the index of its first. Items are one part.
func (p *Page[T]) Part(i int) (items []T, from int, err error) {
	if p.Lazy != nil {
		return p.Lazy.Part(i)
	}
	return p.Items, 0, nil
}

// Rows are items that are made when they are asked for: all together they would take many times the memory of their text.
// Rows never change and are safe for concurrent use.
type Rows[T any] interface {
	// Len is the number of items.
	Len() int
	// Part makes the items of the part that item i is in, 0 ≤ i < Len; from is the index of its first. Parts take a few
	// MiB at most. Errors are *graph.Error.
	Part(i int) (items []T, from int, err error)
	// Cost is the memory that the rows take, in bytes.
	Cost() int64
}

// newPage returns a page without items, with the fields that all pages have in common.
func newPage[T any](p *graphclient.Page) *Page[T] {
	return &Page[T]{
		Items: make([]T, 0, len(p.Records)), Next: p.NextLink,
		Requests: p.Requests, Rows: len(p.Records), ReadAt: time.Now(),
	}
}

// itemsOf normalizes the records of a page and releases it: the items that normalize returns must not alias the records. It stops with the
// error of the context when that ends.
func itemsOf[T any](ctx context.Context, p *graphclient.Page, normalize func(record []byte) (T, error)) (*Page[T], error) {
	defer p.Release()
	page := newPage[T](p)
	for _, record := range p.Records {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		item, err := normalize(record)
		if err != nil {
			return nil, err
		}
		page.Items = append(page.Items, item)
	}
	return page, nil
}
