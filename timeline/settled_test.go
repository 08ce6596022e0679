package timeline_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/parley-gateway/parley/cache"
	"github.com/parley-gateway/parley/cache/readers"
	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/source"
	"github.com/parley-gateway/parley/timeline"
	"github.com/parley-gateway/parley/timeline/query"
)

// callList is a source of calls that every user takes part in. Its list of all calls is its list of one user.
type callList struct {
	*fakeGraph

	users []string
}

var _ source.CallLister = callList{}

func (l callList) CallRows(ctx context.Context, start, end time.Time, link string) (*source.Page[source.CallRow], error) {
	page, err := l.Events(ctx, source.EventQuery{Owner: "-", Start: start, End: end}, link)
	if err != nil {
		return nil, err
	}
	list := &source.Page[source.CallRow]{Next: page.Next, Rows: page.Rows, Requests: page.Requests, ReadAt: page.ReadAt}
	for i := range page.Items {
		item := &page.Items[i]
		list.Items = append(list.Items, source.CallRow{ID: item.Key, Version: item.Version, Time: item.Time, Record: item.Basic})
	}
	return list, nil
}

func (l callList) CallParticipants(context.Context, string) ([]string, error) { return l.users, nil }

func (l callList) CallItem(_ string, of *source.CallRow) (source.Item, error) {
	return l.item(source.EventQuery{}, row{at: of.Time, id: of.ID, version: of.Version}), nil
}

// TestSettledGoesByWhenAWindowWasRead: a row that came after a cached window was read, in time for its source, is found by the next run. It begins
// where the run was settled that found the window, or with that run's token.
func TestSettledGoesByWhenAWindowWasRead(t *testing.T) {
	t.Parallel()
	users := []string{"ada", "ben"}
	for src, test := range map[parleyv1.Source]struct {
		settle, later time.Duration // later is when the second run comes
		many          bool
		how           []string
	}{
		chat: {15 * time.Minute, 40 * time.Second, false, []string{"stream", "list", "token", "chain", "around"}},
		call: {36 * time.Hour, 50 * time.Minute, true, []string{"stream", "list", "token"}},
	} {
		for _, how := range test.how {
			t.Run(fmt.Sprint(src, how), func(t *testing.T) {
				t.Parallel()
				inNovember(t, func(t *testing.T) {
					t.Helper()
					began := time.Now().UTC()
					g := &fakeGraph{src: src, size: 50, rows: spread("r", 40, began.AddDate(0, 0, -10), began)}
					store, err := cache.New(cache.Config{})
					if err != nil {
						t.Fatal(err)
					}
					defer store.Close()
					pages, scope := readers.New(store, readers.Config{}), readers.Scope{Tenant: "t", Source: src}
					reader := source.EventReader(g)
					if test.many {
						reader = pages.Calls(g, callList{g, users}, scope)
					}
					have := query.Sources{
						Skew:   func() time.Duration { return 0 },
						Events: map[parleyv1.Source]source.EventReader{src: pages.Events(reader, scope)},
					}
					e := newEngine(t, timeline.Config{})
					req := query.Events{
						Owner: "ada", User: "ada", ManyUsers: test.many, Sources: []parleyv1.Source{src}, Start: began.AddDate(0, 0, -10), End: began,
					}
					later := test.later
					if how == "token" { // of a walk up to now: calls within a minute share its windows
						req.End, later = time.Time{}, min(later, 40*time.Second)
					}
					if how == "chain" { // of a chat's own messages
						req.Conversation, req.OrderBy = "19:x", query.EventTimeDesc
					}
					anchor := query.Anchor{Name: "anchor", Time: began.Add(-time.Minute)}
					first := req
					if how == "around" { // the older side alone
						first.End, first.OrderBy = anchor.Time, query.EventTimeDesc
					}
					listAll(t, e, have, first, 1000)
					late := row{at: began.Add(later - test.settle - time.Second), id: "late", version: 1}
					g.mu.Lock()
					g.rows = append(slices.Clone(g.rows), late)
					g.edits++
					g.mu.Unlock()
					time.Sleep(later)
					if test.many { // the index is of all users
						req.Owner, req.User = "ben", "ben"
					}
					var events []*parleyv1.Event
					var reports []*parleyv1.SourceReport
					token := ""
					switch how {
					case "list", "chain":
						all, page := listAll(t, e, have, req, 7)
						events, reports = all, page.GetSources()
					case "around":
						page, err := listAround(t, e, have, req, anchor, "", 1000)
						if err != nil {
							t.Fatal(err)
						}
						events, reports = page.GetEvents(), page.GetSources()
					default:
						r := stream(t, e, have, req, "")
						events, reports, token = r.events, r.summary.GetSources(), r.summary.GetResumeToken()
					}
					if slices.Contains(ids(events), src.String()+"/late@1") {
						t.Fatal("the row was found: no window was cached")
					}
					settled := report(reports, src).GetSettledUntil().AsTime()
					if latest := began.Add(-test.settle); settled.After(latest) || settled.Before(latest.Add(-time.Second)) { // a token has whole seconds
						t.Errorf("settled until %v, want %v", settled, latest)
					}
					time.Sleep(2 * time.Hour)
					if how != "token" {
						req.Start, req.End, req.OrderBy, token = settled, time.Time{}, query.EventTime, ""
					}
					next := stream(t, e, have, req, token)
					if !slices.Contains(ids(next.events), src.String()+"/late@1") {
						t.Errorf("%v is lost: the next run found %v", late.at, ids(next.events))
					}
				})
			})
		}
	}
}

// TestSettledTellsNobodyWhenOthersRead: a user who may read nobody else asks for an open interval that somebody else has read before, or that nobody has. What the
// user is told is the same, by pages and by a stream that goes on from its own end; and a row that came since the reading of the other one is found by the next run.
func TestSettledTellsNobodyWhenOthersRead(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"list", "stream"} {
		told := map[bool][]time.Duration{}
		for _, readBefore := range []bool{false, true} {
			inNovember(t, func(t *testing.T) {
				t.Helper()
				began := time.Now().UTC()
				g := &fakeGraph{src: chat, size: 50, rows: spread("r", 40, began.AddDate(0, 0, -10), began)}
				store, err := cache.New(cache.Config{})
				if err != nil {
					t.Fatal(err)
				}
				defer store.Close()
				pages, scope := readers.New(store, readers.Config{}), readers.Scope{Tenant: "t", Source: chat}
				have := query.Sources{
					Skew:   func() time.Duration { return 0 },
					Events: map[parleyv1.Source]source.EventReader{chat: pages.Events(g, scope)},
				}
				e := newEngine(t, timeline.Config{})
				officer := query.Events{Caller: "officer", Owner: "ada", User: "ada", Sources: []parleyv1.Source{chat}, Start: began.AddDate(0, 0, -10), End: began}
				if readBefore {
					listAll(t, e, have, officer, 1000)
				}
				late := row{at: began.Add(-15*time.Minute + 30*time.Second), id: "late", version: 1}
				g.mu.Lock()
				g.rows = append(slices.Clone(g.rows), late)
				g.edits++
				g.mu.Unlock()
				time.Sleep(40 * time.Second)
				own, asked := officer, time.Now()
				own.Caller, own.Narrow = "ada", true
				note := func(reports []*parleyv1.SourceReport) time.Time {
					settled := report(reports, chat).GetSettledUntil().AsTime()
					told[readBefore] = append(told[readBefore], asked.Sub(settled))
					return settled
				}
				var settled time.Time
				if how == "stream" {
					first := stream(t, e, have, own, "")
					settled = note(first.summary.GetSources())
					note(stream(t, e, have, own, first.summary.GetResumeToken()).summary.GetSources())
				} else {
					_, page := listAll(t, e, have, own, 7)
					settled = note(page.GetSources())
				}
				time.Sleep(2 * time.Hour)
				own.Start, own.End = settled, time.Time{}
				if next := stream(t, e, have, own, ""); !slices.Contains(ids(next.events), "SOURCE_CHAT/late@1") {
					t.Errorf("%s, read before %v: the row is lost", how, readBefore)
				}
			})
		}
		if diff := cmp.Diff(told[false], told[true]); diff != "" {
			t.Errorf("%s (-nobody has read before +somebody has):\n%s", how, diff)
		}
	}
}
