package readers_test

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-gateway/parley/cache"
	"github.com/parley-gateway/parley/cache/readers"
	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/graphclient/graph"
	"github.com/parley-gateway/parley/source"
)

// phoneBook is a tenant whose calls all have the same participants.
type phoneBook struct {
	calls, pageSize int
	people          []string
	fault           error // of the participants of the first call

	mu                       sync.Mutex
	own, lists, participants int
}

// Events is the list of a user's own.
func (p *phoneBook) Events(context.Context, source.EventQuery, string) (*source.Page[source.Item], error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.own++
	return &source.Page[source.Item]{Requests: 1, ReadAt: time.Now()}, nil
}

func (p *phoneBook) CallRows(_ context.Context, start, _ time.Time, link string) (*source.Page[source.CallRow], error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lists++
	from := 0
	_, _ = fmt.Sscan(link, &from) // no link is the beginning
	page := &source.Page[source.CallRow]{Requests: 1, ReadAt: time.Now()}
	for i := from; i < min(from+p.pageSize, p.calls); i++ {
		page.Items = append(page.Items, source.CallRow{ID: fmt.Sprint("call", i), Version: 1, Time: start.Add(time.Duration(i) * time.Second), Record: []byte("{}")})
	}
	page.Rows = len(page.Items)
	if from+p.pageSize < p.calls {
		page.Next = strconv.Itoa(from + p.pageSize)
	}
	return page, nil
}

func (p *phoneBook) CallParticipants(_ context.Context, id string) ([]string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.participants++
	if id == "call0" && p.fault != nil {
		return nil, p.fault
	}
	return p.people, nil
}

func (p *phoneBook) CallItem(owner string, row *source.CallRow) (source.Item, error) {
	return source.Item{Key: owner + "/" + row.ID, Time: row.Time, Version: row.Version, Basic: row.Record}, nil
}

// TestAnIndexIsReadOnceItCostsLessThanLists counts what users cost who ask for one interval, and checks when they ask Graph for themselves.
func TestAnIndexIsReadOnceItCostsLessThanLists(t *testing.T) {
	t.Parallel()
	settled := time.Now().Truncate(time.Hour).Add(-72 * time.Hour)
	always := func(q *source.EventQuery) { q.CallIndex = source.IndexAlways }
	gone := &graph.Error{Kind: graph.KindNotFound, Status: 404}
	type counts struct{ own, lists, participants, found, doubts int }
	tests := map[string]struct {
		calls   int
		fault   error
		cache   cache.Config
		change  func(*source.EventQuery)
		control cache.Control
		want    counts // of 40 users
	}{
		"users one by one":                  {calls: 30, want: counts{own: 3, lists: 1, participants: 30, found: 37 * 30}},
		"a reading of many":                 {calls: 30, change: always, want: counts{lists: 1, participants: 30, found: 40 * 30}},
		"a long list":                       {calls: 600, change: always, want: counts{lists: 10, participants: 600, found: 40 * 600}},
		"worth it for more users":           {calls: 300, want: counts{own: 7, lists: 4 + 5, participants: 300, found: 33 * 300}},
		"never worth it":                    {calls: 6000, want: counts{own: 40, lists: 4 + 7 + 10}},
		"no calls":                          {calls: 0, want: counts{own: 3, lists: 1}},
		"a call that is not found":          {calls: 30, fault: gone, want: counts{own: 40, lists: 1, participants: 30}},
		"a call that is not found, many":    {calls: 30, fault: gone, change: always, want: counts{lists: 1, participants: 30, found: 40 * 29, doubts: 40}},
		"nothing is cached":                 {calls: 30, cache: cache.Config{MaxBytes: -1}, change: always, want: counts{own: 40}},
		"nothing is cached for long":        {calls: 30, cache: cache.Config{MaxAge: time.Minute}, change: always, want: counts{own: 40}},
		"too large for the cache":           {calls: 600, cache: cache.Config{MaxBytes: 256 << 10}, change: always, want: counts{own: 40, lists: 7}},
		"no-cache":                          {calls: 30, control: cache.Control{NoCache: true}, want: counts{own: 40}},
		"no-cache, many":                    {calls: 30, change: always, control: cache.Control{NoCache: true}, want: counts{lists: 1, participants: 30, found: 40 * 30}},
		"an open interval":                  {calls: 30, change: func(q *source.EventQuery) { q.End = time.Now() }, want: counts{own: 40}},
		"an open interval, many":            {calls: 30, change: func(q *source.EventQuery) { q.End, q.CallIndex = time.Now().Truncate(time.Hour), source.IndexAlways }, want: counts{lists: 1, participants: 30, found: 40 * 30}},
		"Graph itself is asked":             {calls: 30, change: func(q *source.EventQuery) { q.CallIndex = source.IndexNever }, want: counts{own: 40}},
		"the whole tenant":                  {calls: 30, change: func(q *source.EventQuery) { q.Owner, q.User = "-", "" }, want: counts{own: 40}},
		"names that were not looked up":     {calls: 30, change: func(q *source.EventQuery) { q.User += "@example.com" }, want: counts{own: 40}},
		"two participants":                  {calls: 30, change: func(q *source.EventQuery) { always(q); q.Clause.ParticipantID = "USER1" }, want: counts{lists: 1, participants: 30, found: 40 * 30}},
		"a participant who is in no call":   {calls: 30, change: func(q *source.EventQuery) { always(q); q.Clause.ParticipantID = "+1" }, want: counts{lists: 1, participants: 30}},
		"another spelling of the ids":       {calls: 30, change: func(q *source.EventQuery) { always(q); q.User = strings.ToUpper(q.User) }, want: counts{lists: 1, participants: 30, found: 40 * 30}},
		"a user who is in none of the list": {calls: 30, change: func(q *source.EventQuery) { always(q); q.User = "x" + q.User }, want: counts{lists: 1, participants: 30}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			book := &phoneBook{calls: test.calls, pageSize: 60, fault: test.fault}
			for i := range 40 {
				book.people = append(book.people, fmt.Sprint("user", i))
			}
			store, err := cache.New(test.cache)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(store.Close)
			reader := readers.New(store, readers.Config{}).Calls(book, book, readers.Scope{Tenant: "t", Source: parleyv1.Source_SOURCE_CALL})
			ctx := cache.WithControl(t.Context(), test.control)
			var got counts
			counted := 0
			for i := range 40 {
				user := fmt.Sprint("user", i)
				q := source.EventQuery{Owner: user, User: user, Start: settled.Add(-24 * time.Hour), End: settled}
				if test.change != nil {
					test.change(&q)
				}
				page, err := reader.Events(ctx, q, "")
				if err != nil {
					t.Fatal(err)
				}
				for _, item := range page.Items {
					if !page.Verified || !strings.HasPrefix(item.Key, q.Owner+"/") {
						t.Errorf("%s: verified %v, %s", q.Owner, page.Verified, item.Key)
					}
				}
				counted += page.Requests
				got.found += len(page.Items)
				got.doubts += len(page.Doubts)
			}
			book.mu.Lock() // a request whose index was given up may still be under way
			got.own, got.lists, got.participants = book.own, book.lists, book.participants
			book.mu.Unlock()
			if name == "too large for the cache" {
				got.participants = 0 // some were asked for while the list went on
			} else if made := got.own + got.lists + got.participants; counted != made {
				t.Errorf("%d requests are counted of %d", counted, made)
			}
			if got != test.want {
				t.Errorf("%+v, want %+v", got, test.want)
			}
		})
	}
}

// manyCalls are so many that their records are packed.
type manyCalls struct{ *phoneBook }

// recordOf is the record of a call. It is larger than its packed form.
func recordOf(id string) []byte {
	return []byte(`{"id":"` + id + `","type":"groupCall","joinWebUrl":"` + strings.Repeat("https://teams.example/l/meetup-join/"+id+"/", 20) + `"}`)
}

func (m manyCalls) CallRows(ctx context.Context, start, end time.Time, link string) (*source.Page[source.CallRow], error) {
	page, err := m.phoneBook.CallRows(ctx, start, end, link)
	for i := range page.Items {
		page.Items[i].Record = recordOf(page.Items[i].ID)
	}
	return page, err
}

// TestALargeIndexTakesLessMemoryThanItsRecords finds each record as it came, in an index that takes less memory than the records.
func TestALargeIndexTakesLessMemoryThanItsRecords(t *testing.T) {
	t.Parallel()
	settled := time.Now().Truncate(time.Hour).Add(-72 * time.Hour)
	book := manyCalls{&phoneBook{calls: 3000, pageSize: 60, people: []string{"user"}}}
	store, err := cache.New(cache.Config{MaxBytes: 8 << 20})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.Close)
	reader := readers.New(store, readers.Config{}).Calls(book, book, readers.Scope{Tenant: "t", Source: parleyv1.Source_SOURCE_CALL})
	page, err := reader.Events(t.Context(), source.EventQuery{
		Owner: "user", User: "user", Start: settled.Add(-24 * time.Hour), End: settled, CallIndex: source.IndexAlways,
	}, "")
	if err != nil || len(page.Items) != book.calls || book.own > 0 {
		t.Fatalf("%v, own lists %d", err, book.own)
	}
	records := 0
	for _, item := range page.Items {
		id := strings.TrimPrefix(item.Key, "user/")
		if !bytes.Equal(item.Basic, recordOf(id)) {
			t.Fatalf("%s is %s", id, item.Basic)
		}
		records += len(item.Basic)
	}
	if records < 2<<20 {
		t.Errorf("the records are %d bytes: an index would hold them as they are", records)
	}
}

// refusedCalls are calls of which Graph refuses the participants of the last ones.
type refusedCalls struct {
	*phoneBook

	refused int
	err     error
}

func (r refusedCalls) CallParticipants(ctx context.Context, id string) ([]string, error) {
	people, err := r.phoneBook.CallParticipants(ctx, id)
	if n, _ := strconv.Atoi(strings.TrimPrefix(id, "call")); n >= r.calls-r.refused {
		return nil, r.err
	}
	return people, err
}

// TestWhomARefusedRecordConcerns reads calls of many users, of which Graph refuses some: the refusal of a record is a doubt about it, and no user is
// remembered for it, unless it speaks of a permission or Graph refuses every record.
func TestWhomARefusedRecordConcerns(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		kind           graph.Kind
		calls, refused int
		wantDoubts     int // -1 = the refusal is told
	}{
		"one without a reason":       {graph.KindRefused, 30, 1, 1},
		"one by an access list":      {graph.KindAccessDenied, 30, 1, 1},
		"one by somebody's licence":  {graph.KindUserNotLicensed, 30, 1, 1},
		"some":                       {graph.KindRefused, 60, 20, 20},
		"every one of a few":         {graph.KindRefused, 3, 3, 3},
		"every one":                  {graph.KindRefused, 60, 60, -1},
		"one for lack of permission": {graph.KindForbidden, 30, 1, -1},
		"one for the tenant":         {graph.KindTenantNotLicensed, 30, 1, -1},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			refusal := &graph.Error{Kind: test.kind, Status: 403, Requests: 1}
			book := refusedCalls{&phoneBook{calls: test.calls, pageSize: 60, people: []string{"ada", "ben"}}, test.refused, refusal}
			pages := open(t, cache.Config{})
			scope := readers.Scope{Tenant: "t", Source: parleyv1.Source_SOURCE_CALL}
			reader := pages.Refusals().Events(pages.Calls(book, book, scope), scope)
			settled := time.Now().Truncate(time.Hour).Add(-72 * time.Hour)
			for _, user := range book.people {
				page, err := reader.Events(t.Context(), source.EventQuery{
					Owner: user, User: user, Start: settled.Add(-24 * time.Hour), End: settled, CallIndex: source.IndexAlways,
				}, "")
				if test.wantDoubts < 0 {
					if told, ok := errors.AsType[*graph.Error](err); !ok || told.Kind != test.kind {
						t.Errorf("%s: %v", user, err)
					}
					continue
				}
				if err != nil {
					t.Fatalf("%s: %v", user, err)
				}
				if len(page.Doubts) != test.wantDoubts || len(page.Items) != test.calls-test.refused {
					t.Errorf("%s: %d calls, %v", user, len(page.Items), page.Doubts)
				}
			}
		})
	}
}

// brokenCalls are calls whose list breaks at its second page, after an empty one.
type brokenCalls struct {
	*phoneBook

	err, ownErr error // of the list, and of each user's own
}

func (b brokenCalls) CallRows(_ context.Context, _, _ time.Time, link string) (*source.Page[source.CallRow], error) {
	if link != "" {
		time.Sleep(time.Second) // for whoever joins
		return nil, b.err
	}
	return &source.Page[source.CallRow]{Requests: 1, ReadAt: time.Now(), Next: "2"}, nil
}

func (b brokenCalls) Events(ctx context.Context, q source.EventQuery, link string) (*source.Page[source.Item], error) {
	page, err := b.phoneBook.Events(ctx, q, link)
	if b.ownErr != nil {
		return nil, b.ownErr
	}
	return page, err
}

// TestRequestsOfAnIndexThatFailsAreCounted counts the requests of a list that breaks at its second page: by the error, or by the user's own list.
func TestRequestsOfAnIndexThatFailsAreCounted(t *testing.T) {
	t.Parallel()
	fault := func(kind graph.Kind, requests int) error {
		return fmt.Errorf("list: %w", &graph.Error{Kind: kind, Requests: requests})
	}
	for name, test := range map[string]struct {
		err, ownErr error
		want        []int // requests of the first user, of one who joins, and of one who comes later
	}{
		"told to all":             {fault(graph.KindThrottled, 3), nil, []int{1 + 3, 0, 1 + 3}},
		"each asks Graph":         {fault(graph.KindMalformed, 3), nil, []int{1 + 3 + 1, 1, 1}},
		"each asks Graph in vain": {fault(graph.KindMalformed, 3), fault(graph.KindUnavailable, 2), []int{1 + 3 + 2, 2, 2}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				pages := open(t, cache.Config{})
				book := brokenCalls{&phoneBook{}, test.err, test.ownErr}
				reader := pages.Calls(book, book, readers.Scope{Tenant: "t", Source: parleyv1.Source_SOURCE_CALL})
				settled := time.Now().Truncate(time.Hour).Add(-72 * time.Hour)
				requestsOf := func(user string) int {
					page, err := reader.Events(t.Context(), source.EventQuery{
						Owner: user, User: user, Start: settled.Add(-24 * time.Hour), End: settled, CallIndex: source.IndexAlways,
					}, "")
					if err == nil {
						return page.Requests
					}
					if want := cmp.Or(test.ownErr, test.err); !errors.Is(err, want) {
						t.Errorf("%s: %v, want %v", user, err, want)
					}
					return graph.Requests(err)
				}
				joined := make(chan int)
				go func() {
					time.Sleep(time.Millisecond)
					joined <- requestsOf("joins")
				}()
				got := []int{requestsOf("first"), <-joined, requestsOf("last")}
				if !slices.Equal(got, test.want) {
					t.Errorf("requests %v, want %v", got, test.want)
				}
			})
		})
	}
}

// shortLists are calls whose list ends with an empty page after a short one, and has more calls when it is read in halves.
type shortLists struct {
	*phoneBook

	start, end       time.Time
	first, pages, of int // calls of the list; pages of each half, and calls of a page
}

func (l shortLists) CallRows(_ context.Context, start, end time.Time, link string) (*source.Page[source.CallRow], error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lists++
	at := 0
	_, _ = fmt.Sscan(link, &at) // no link is the first page
	pages, rows := l.pages, l.of
	if start.Equal(l.start) && end.Equal(l.end) {
		pages, rows = 2, []int{l.first, 0}[at]
	}
	page := &source.Page[source.CallRow]{Requests: 1, ReadAt: time.Now(), Rows: rows}
	for i := range rows {
		page.Items = append(page.Items, source.CallRow{ID: fmt.Sprint(start.Unix(), "-", at*rows+i), Version: 1, Time: start, Record: []byte("{}")})
	}
	if at+1 < pages {
		page.Next = strconv.Itoa(at + 1)
	}
	return page, nil
}

// TestTheSecondReadingOfAListIsBounded reads a list that may be truncated in two halves, which hold more than the index may take.
func TestTheSecondReadingOfAListIsBounded(t *testing.T) {
	t.Parallel()
	settled := time.Now().Truncate(time.Hour).Add(-72 * time.Hour)
	for name, test := range map[string]struct {
		cache            cache.Config
		use              source.IndexUse
		pages, of        int
		lists, records   int // requests at most
		users, wantFound int // wantFound are the calls that the users find
	}{
		"memory": {cache.Config{MaxBytes: 256 << 10}, source.IndexAlways, 2000, 60, 12, 600, 1, 0},
		"cost":   {cache.Config{}, source.IndexIfMany, 1, 600, 4, 0, 4, 0},
		"fits":   {cache.Config{}, source.IndexAlways, 2, 60, 6, 240, 1, 240},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			book := shortLists{&phoneBook{people: []string{"user0"}}, settled.Add(-24 * time.Hour), settled, 2, test.pages, test.of}
			pages := open(t, test.cache)
			reader := pages.Calls(book, book, readers.Scope{Tenant: "t", Source: parleyv1.Source_SOURCE_CALL})
			found := 0
			for i := range test.users {
				user := fmt.Sprint("user", i)
				page, err := reader.Events(t.Context(), source.EventQuery{
					Owner: user, User: user, Start: book.start, End: book.end, CallIndex: test.use,
				}, "")
				if err != nil {
					t.Fatal(err)
				}
				found += len(page.Items)
			}
			book.mu.Lock()
			defer book.mu.Unlock()
			if book.lists > test.lists || book.participants > test.records || found != test.wantFound {
				t.Errorf("%d lists, %d records, %d calls; want %d, %d, %d", book.lists, book.participants, found, test.lists, test.records, test.wantFound)
			}
		})
	}
}
