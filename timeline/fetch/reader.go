// Package fetch reads one window of one source and returns its events as a chunk.
//
//   - reader.go describes a source to read; result.go is what comes of a window.
//   - coalesced.go: calls at the same time share the reading of a window; cached.go: a reading without a doubt is cached.
//   - window.go reads a window and decides what the doubts on the way mean; pages.go follows the links of its pages.
//   - rowset.go collects the rows: it removes repeated ones, sorts the others and trims them to the window. ambiguous.go keeps rows apart
//     that have one key and say different things.
//   - reversechain.go is the chain of a chat's own messages, which are read newest first and page by page in place of windows: its state
//     between two pages. chainstep.go reads one page of it.
//   - packed.go keeps a window, compressed, that is read before its walk begins.
//   - account.go counts the memory of all of this.
//
// A record is what Graph sent, and source.Item the record as an event. A row is an item of a page, which may come again. An entry is a row
// at its position in a chunk.
//
// What Graph does wrong on the way becomes a gap of the result, with a reason.
package fetch

import (
	"context"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/parley-gateway/parley/cache/readers"
	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/graphclient/graph"
	"github.com/parley-gateway/parley/internal/ledger"
	"github.com/parley-gateway/parley/source"
	"github.com/parley-gateway/parley/timeline/chunk"
	"github.com/parley-gateway/parley/timeline/window"
)

// Reader reads the windows of one source. Windows that are read at the same time share its counters. Set the fields before the
// first call.
type Reader struct {
	// Source is the source, and Events asks for its pages.
	Source parleyv1.Source
	Events source.EventReader
	// Store caches the chunks of windows; nil = nothing is cached.
	Store readers.Windows
	// Query is the query without an interval.
	Query source.EventQuery
	// ByCreate orders events by their creation, and Desc from the newest to the oldest.
	ByCreate, Desc bool
	// MaxPages ends a window that does not end by itself.
	MaxPages int
	// PageSize is the number of rows that Graph is asked for in one page.
	PageSize int
	// Start is the start of the interval. With OpenStart the window that begins there holds all older rows, too.
	Start     time.Time
	OpenStart bool
	// LaterStarts are the times from which Graph is asked after it refused Start, in ascending order.
	LaterStarts []time.Time
	// OpenEnd is an end that was pinned to the present; zero = none. Graph is asked up to the next whole minute, so that calls
	// within a minute share pages.
	OpenEnd time.Time

	pages, fromCache, requests atomic.Int64
	largest                    atomic.Int64 // rows of the largest page that had a link
	pageBytes                  atomic.Int64 // memory of the largest page
	boundsIgnored              atomic.Bool  // Graph does not honour the bounds of a chat's own messages
	unfiltered                 atomic.Bool  // Graph did not evaluate all of the clause
	account                    *ledger.Account
	rowUnit                    int64 // bytes that count as one row of a window; 0 = rows count by themselves
}

// CountRequests adds requests that Graph saw beside those for pages.
func (r *Reader) CountRequests(n int) { r.requests.Add(int64(n)) }

// CountRecord counts the requests of one reading of a record. Only an error tells their number; without it they count as one.
func (r *Reader) CountRecord(err error) { r.CountRequests(max(1, graph.Requests(err))) }

// Counts returns the pages that were read, the pages among them that were cached, and the requests that Graph saw.
func (r *Reader) Counts() (pages, fromCache, requests int64) {
	return r.pages.Load(), r.fromCache.Load(), r.requests.Load()
}

// IgnoresClause reports whether Graph did not evaluate all of the clause.
func (r *Reader) IgnoresClause() bool { return r.unfiltered.Load() }

// Probe asks Graph for the first page of a span as another user and without a clause, and returns the number of its rows.
func (r *Reader) Probe(ctx context.Context, s window.Span, user string) (rows int, err error) {
	q := r.queryFor(s)
	q.User, q.Clause, q.CallIndex = user, source.Clause{}, source.IndexNever
	page, err := r.Events.Events(ctx, q, "")
	if err != nil {
		r.CountRequests(graph.Requests(err))
		return 0, err
	}
	if !page.FromCache {
		r.CountRequests(page.Requests)
	}
	return page.Rows, nil
}

// Compare orders the entries of one window: entries out of their window come last, by their key.
func (r *Reader) Compare(x, y *chunk.Entry) int {
	if x.OutOfWindow != y.OutOfWindow {
		if y.OutOfWindow {
			return -1
		}
		return 1
	}
	order := x.Time.Compare(y.Time)
	if order == 0 || x.OutOfWindow {
		order = strings.Compare(x.Key, y.Key)
	}
	if r.Desc && !x.OutOfWindow {
		return -order
	}
	return order
}

// queryFor is the query for a span.
func (r *Reader) queryFor(s window.Span) source.EventQuery {
	q := r.Query
	q.Start, q.End = s.Start, s.End
	if !r.OpenEnd.IsZero() && s.End.Equal(r.OpenEnd) {
		q.End = s.End.Truncate(time.Minute).Add(time.Minute)
	}
	return q
}

// page asks for one page and counts it.
func (r *Reader) page(ctx context.Context, q source.EventQuery, link string) (*source.Page[source.Item], error) {
	page, err := r.Events.Events(ctx, q, link)
	if err != nil {
		r.CountRequests(graph.Requests(err))
		return nil, err
	}
	r.pages.Add(1)
	if page.Unfiltered {
		r.unfiltered.Store(true)
	}
	if page.FromCache {
		r.fromCache.Add(1)
	} else {
		r.CountRequests(page.Requests)
	}
	if page.Next != "" {
		storeMax(&r.largest, int64(page.Rows))
	}
	return page, nil
}

// storeMax stores the larger one of a value and its new value.
func storeMax(value *atomic.Int64, n int64) {
	for old := value.Load(); n > old && !value.CompareAndSwap(old, n); {
		old = value.Load()
	}
}

// isShort reports whether a page had fewer rows than Graph was asked for, or than another page had. The caller looks at the last page with
// rows of a chain that ended with an empty page: a short one may mean that the chain was truncated, which a second reading decides.
func (r *Reader) isShort(rows int) bool { return rows < max(r.PageSize, int(r.largest.Load())) }

// timeOf is the time that a row is ordered by.
func (r *Reader) timeOf(item *source.Item) time.Time {
	if r.ByCreate && !item.Created.IsZero() {
		return item.Created
	}
	return item.Time
}

// startsAfterRefusal returns the times from which Graph is asked in turn after it refused a span that begins where the interval or a
// later start does.
func (r *Reader) startsAfterRefusal(s window.Span, end *chainEnd) []time.Time {
	if !end.refused() || !s.Start.Equal(r.Start) && !slices.ContainsFunc(r.LaterStarts, s.Start.Equal) {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(r.LaterStarts), func(start time.Time) bool { return !start.After(s.Start) || !start.Before(s.End) })
}

// beforeOpenStart reports whether a time lies before a span that has no lower bound.
func (r *Reader) beforeOpenStart(s window.Span, at time.Time) bool {
	return r.OpenStart && s.Start.Equal(r.Start) && at.Before(s.Start)
}
