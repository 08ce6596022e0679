package readers

import (
	"context"
	"errors"
	"math"
	"strings"
	"sync"
	"time"

	"github.com/parley-gateway/parley/cache"
	"github.com/parley-gateway/parley/graphclient/graph"
	"github.com/parley-gateway/parley/internal/coalesce"
	"github.com/parley-gateway/parley/internal/lru"
	"github.com/parley-gateway/parley/resource"
	"github.com/parley-gateway/parley/source"
)

// Graph has no list of a user's calls. It finds them in the list of the whole tenant, which it lets an application ask for 40 times
// in 20 seconds, whoever the calls are of; anything else about call records may be asked for 1,500 times. A list for each user makes
// the night of a large tenant wait for nothing but lists. So the list of an interval is read once, and the participants of each of its
// records; the calls of all users are then known (callIndex).
//
// Readings of many users always go by an index. Readings of one user do so once several users have asked for a settled interval: an index
// costs requests itself, in proportion to the lists that these users have taken. When there is no index, or one with doubts, each user asks
// Graph alone.

const (
	// minAskers is the number of users of an interval for which the index is tried first. Fewer lists cost no more than the index.
	minAskers = 4
	// recordsPerList is how many requests about records cost as much as one list: Graph allows for so many in the same time.
	recordsPerList = 1500 / 40
	// maxIndexCost bounds the index that is read for single users, in lists: about 15 seconds.
	maxIndexCost = 24
	// maxIntervals bounds the intervals whose askers are counted.
	maxIntervals = 1024
	// minMaxAge is the cap on the age of cached values under which no index is made: it would be read again and again.
	minMaxAge = 5 * time.Minute
	// oldIndex is how old an index must be before a reading of many users, whose caller wants no cached values, reads it again.
	oldIndex = 10 * time.Minute
)

// calls finds the calls of users in an index.
type calls struct {
	scoped

	next   source.EventReader
	lister source.CallLister
	askers askers
}

var _ source.EventReader = (*calls)(nil)

// Calls decorates a reader of calls by an index of the calls of all users, which lister reads.
func (d *Decorator) Calls(next source.EventReader, lister source.CallLister, scope Scope) source.EventReader {
	return &calls{d.in(scope), next, lister, askers{intervals: lru.New[string, *interval](maxIntervals, nil)}}
}

// Events implements source.EventReader.
func (r *calls) Events(ctx context.Context, q source.EventQuery, link string) (*source.Page[source.Item], error) {
	if link != "" || !r.findable(&q) {
		return r.next.Events(ctx, q, link)
	}
	index, requests, err := r.find(ctx, &q)
	switch {
	case err != nil:
		return nil, withRequests(err, requests)
	case index != nil:
		return r.page(&q, index, requests)
	}
	page, err := r.next.Events(ctx, q, link)
	if err != nil {
		return nil, withRequests(err, requests+graph.Requests(err))
	}
	counted := *page
	counted.Requests += requests
	return &counted, nil
}

// withRequests returns an error of Graph with the number of requests that led to it. Other errors tell no number, and stay as they are.
func withRequests(err error, requests int) error {
	graphErr, ok := errors.AsType[*graph.Error](err)
	if !ok || graphErr.Requests == requests {
		return err
	}
	counted := *graphErr
	counted.Requests, counted.Err = requests, err
	return &counted
}

// findable reports whether an index can answer a query.
func (r *calls) findable(q *source.EventQuery) bool {
	oneUser := q.Owner != resource.AnyUser && q.User != "" && !strings.Contains(q.User, "@")
	maxAge := r.cache.MaxAge()
	return oneUser && q.CallIndex != source.IndexNever && q.End.After(q.Start) && r.cache.Largest() > 0 && (maxAge == 0 || maxAge >= minMaxAge)
}

// find returns the index that answers a query, and the requests that this call has made for an index, also for one that does not answer the
// query; nil = Graph is asked for the user's own list.
func (r *calls) find(ctx context.Context, q *source.EventQuery) (*callIndex, int, error) {
	key, always := r.indexKey(q), q.CallIndex == source.IndexAlways
	if always {
		ctx = acceptOldIndex(ctx)
	} else if r.settles(q.End).After(time.Now()) {
		return nil, 0, nil
	}
	if known := r.cached(ctx, key); known != nil {
		return known.usable(q.CallIndex), 0, nil
	}
	if always {
		return r.readOrJoin(ctx, q, key, math.Inf(1))
	}
	if control := cache.ControlOf(ctx); control.NoCache || control.MaxAge != nil {
		return nil, 0, nil // one caller's wish is no reason to read the calls of all
	}
	costLimit := r.askers.costLimit(key, strings.ToLower(q.User), r.cfg.Call)
	if costLimit == 0 && !r.cache.UnderWay(readingName(q, key), time.Time{}) {
		return nil, 0, nil
	}
	return r.readOrJoin(ctx, q, key, costLimit)
}

// readingName is the name under which readings of an index are joined. A reading whose cost is not limited never joins one whose cost is.
func readingName(q *source.EventQuery, key string) string {
	if q.CallIndex == source.IndexAlways {
		return key
	}
	return key + "\x00limited"
}

// readOrJoin reads the index of a query, or joins the reading of another call. With a costLimit of 0 it only joins one. The results are
// those of find.
func (r *calls) readOrJoin(ctx context.Context, q *source.EventQuery, key string, costLimit float64) (*callIndex, int, error) {
	for {
		value, joined, err := r.cache.Read(ctx, r.label, readingName(q, key), coalesce.Options{}, func(ctx context.Context) any {
			if known := r.cached(ctx, key); known != nil {
				return &indexReading{index: known}
			}
			if costLimit == 0 { // the reading that was under way has ended without an index
				return &indexReading{}
			}
			return r.read(prioritized{ctx}, q, key, costLimit)
		})
		reading, _ := value.(*indexReading)
		switch {
		case err != nil:
			return nil, 0, err
		case joined && reading.err != nil && concernsOneCaller(reading.err):
			continue // the limit of another caller, whose reading has ended
		case ctx.Err() != nil:
			return nil, 0, ctx.Err()
		}
		index, err := reading.answer(q.CallIndex)
		if joined {
			return index, 0, err // the call that began the reading counts its requests
		}
		return index, reading.requests, err
	}
}

// acceptOldIndex returns the context of a reading of many users. It takes an index that is a few minutes old although its caller wants no cached
// values: all users of the reading are to be found in one index.
func acceptOldIndex(ctx context.Context) context.Context {
	control, oldest := cache.ControlOf(ctx), oldIndex
	switch {
	case control.MaxAge != nil:
		oldest = max(oldest, *control.MaxAge)
	case !control.NoCache:
		return ctx
	}
	return cache.WithControl(ctx, cache.Control{MaxAge: &oldest, OnlyIfCached: control.OnlyIfCached, OnlyUnderWay: control.OnlyUnderWay})
}

// indexKey returns the key of the index of a query.
func (r *calls) indexKey(q *source.EventQuery) string {
	key := r.scope.key("calls of all")
	key.Time(q.Start)
	key.Time(q.End)
	return key.Page("")
}

// cached returns a cached index; nil = there is none.
func (r *calls) cached(ctx context.Context, key string) *callIndex {
	index, _ := r.cache.Peek(ctx, key).(*callIndex)
	return index
}

// page is the page of a user's calls. requests are those that the index took for this query.
func (r *calls) page(q *source.EventQuery, index *callIndex, requests int) (*source.Page[source.Item], error) {
	page := &source.Page[source.Item]{
		ReadAt: index.read, Requests: requests, FromCache: requests == 0, Verified: true, Doubts: index.doubts,
	}
	for _, at := range index.rowsOf(q.User, q.Clause.ParticipantID) {
		row := index.rows[at]
		record, err := index.packer.unpack(row.Record)
		if err != nil {
			return nil, err
		}
		row.Record = record
		item, err := r.lister.CallItem(q.Owner, &row)
		if err != nil {
			return nil, err
		}
		page.Items = append(page.Items, item)
	}
	page.Rows = len(page.Items)
	return page, nil
}

// askers counts the users who ask for each interval.
type askers struct {
	mu        sync.Mutex
	intervals *lru.Cache[string, *interval]
}

// interval is an interval that users have asked for.
type interval struct {
	users map[string]struct{}
	next  int // number of users for which the index is tried next
	since time.Time
}

// costLimit notes that a user asks for an interval, and returns how many lists the index may cost now; 0 = it is not tried. The users of an
// interval have taken a list each, and the index may cost twice as many. An index that costs more is tried again when twice as many users
// have asked.
func (a *askers) costLimit(key, user string, life time.Duration) float64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	asked, _ := a.intervals.Get(key)
	if asked == nil || time.Since(asked.since) > life {
		asked = &interval{users: map[string]struct{}{}, next: minAskers, since: time.Now()}
		a.intervals.Put(key, asked)
	}
	if asked.next > maxIndexCost {
		return 0
	}
	asked.users[user] = struct{}{}
	n := len(asked.users)
	if n < asked.next {
		return 0
	}
	asked.next = 2 * n
	return float64(min(2*n, maxIndexCost))
}
