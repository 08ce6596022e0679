package chaos_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/graphsim"
	"github.com/parley-gateway/parley/graphsim/faults"
	"github.com/parley-gateway/parley/timeline/query"
)

// people are the users of a world, in the order of the directory.
func (w *world) people() []string {
	var ids []string
	for person := range w.sim.Oracle("").Users() {
		ids = append(ids, person.ID)
	}
	return ids
}

// callsOf is the query for a user's calls.
func callsOf(user string, start, end time.Time) query.Events {
	return query.Events{
		Caller: "c", Tenant: "t", Owner: user, User: user, Start: start, End: end, Sources: []parleyv1.Source{calls},
	}
}

// TestCallsReadTogetherAreTheCallsOfEachUser reads the calls of all users out of the calls of the tenant, and by a list of each user: with late calls and
// corrected versions, in open and in settled intervals, with pages that repeat rows and end early.
func TestCallsReadTogetherAreTheCallsOfEachUser(t *testing.T) {
	t.Parallel()
	for name, broken := range map[string][]faults.Fault{
		"sound":      nil,
		"throttled":  {{Kind: faults.Status, Status: 429, RetryAfter: "2", Match: graphsim.SourceCall, Rate: 0.1}},
		"errors":     {{Kind: faults.Status, Status: 503, Match: graphsim.SourceCall, Rate: 0.1}},
		"cut bodies": {{Kind: faults.CutBody, Match: graphsim.SourceCall, Rate: 0.1}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inVirtualTime(t, func(t *testing.T) {
				t.Helper()
				sim, err := graphsim.New(graphsim.Config{
					Plain: true, Seed: 11, Users: 16, Chats: 24, Messages: 10, Interactions: 10, Calls: 260, Days: 20, Now: time.Now, CallPageSize: 7,
				})
				if err != nil {
					t.Fatal(err)
				}
				w := &world{sim: sim}
				day := today().Truncate(24 * time.Hour)
				total := 0
				for range 3 { // the same day again: later, it has more calls, and newer versions of some
					for _, end := range []time.Time{day, day.Add(-24 * time.Hour)} {
						total += sameCalls(t, w, broken, end.Add(-24*time.Hour), end)
					}
					time.Sleep(5 * time.Hour)
				}
				if total < 40 {
					t.Errorf("only %d calls were compared", total)
				}
			})
		})
	}
}

// sameCalls compares the calls of all users in both readings, and returns their number.
func sameCalls(t *testing.T, w *world, broken []faults.Fault, start, end time.Time) (total int) {
	t.Helper()
	many, each := newBed(t, w, true), newBed(t, w, true)
	defer many.close()
	defer each.close()
	many.behave(t, w, broken, 3)
	each.behave(t, w, broken, 4)
	for _, user := range w.people() {
		req := callsOf(user, start, end)
		if total%2 == 1 {
			req.OrderBy = query.EventTimeDesc
		}
		want := each.read(t.Context(), req, "", 0)
		req.ManyUsers = true
		got := many.read(t.Context(), req, "", 0)
		if want.err != nil || got.err != nil {
			t.Fatalf("%s: %v by a list, %v out of many", user, want.err, got.err)
		}
		if diff := cmp.Diff(want.events, got.events, protocmp.Transform()); diff != "" {
			t.Errorf("%s (-list +many):\n%s", user, diff)
		}
		ignored := protocmp.IgnoreFields(&parleyv1.SourceReport{}, "counts", "settled_until", "covered")
		if diff := cmp.Diff(want.summary, got.summary, protocmp.Transform(), ignored, protocmp.IgnoreFields(&parleyv1.Summary{}, "resume_token")); diff != "" || !got.summary.GetComplete() {
			t.Errorf("%s, complete %v (-list +many):\n%s", user, got.summary.GetComplete(), diff)
		}
		total += len(got.events)
	}
	return total
}

// TestABrokenListOfCallsIsReportedToEachUser checks what users are told whose calls are in a list that cannot be read to its end.
func TestABrokenListOfCallsIsReportedToEachUser(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	start, end := interval()
	for name, test := range map[string]struct {
		fault  faults.Fault
		gap    string // of every user; empty = the users are asked for themselves
		failed bool   // or the source is not read
	}{
		"a link to the page itself":  {faults.Fault{Kind: faults.LoopLink, Page: 2}, "PAGING_LOOP", false},
		"a loop of two pages":        {faults.Fault{Kind: faults.LoopPair}, "PAGING_LOOP", false},
		"a link to another host":     {faults.Fault{Kind: faults.ForeignLink, Page: 2}, "", false},
		"a page that is not JSON":    {faults.Fault{Kind: faults.MalformedJSON, Page: 2}, "", false},
		"no permission":              {faults.Fault{Kind: faults.Status, Status: 403}, "", true},
		"participants are not found": {faults.Fault{Kind: faults.Status, Status: 404, Match: "participants_v2", After: 3, Times: 1}, "PARTICIPATION_NOT_PROVED", false},
		"no participants are served": {faults.Fault{Kind: faults.Status, Status: 503, Match: "participants_v2"}, "", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inVirtualTime(t, func(t *testing.T) {
				t.Helper()
				b := newBed(t, w, true)
				defer b.close()
				if test.fault.Match == "" {
					test.fault.Match = graphsim.SourceCall
				}
				b.behave(t, w, []faults.Fault{test.fault}, 1)
				for _, user := range w.people()[:6] {
					req := callsOf(user, start, end)
					req.ManyUsers = true
					s := b.read(t.Context(), req, "", 0)
					if test.failed {
						if s.err == nil {
							t.Errorf("%v without an error", s.summary)
						}
						continue
					}
					if s.err != nil {
						t.Fatal(s.err)
					}
					gaps := s.summary.GetSources()[0].GetGaps()
					if test.gap != "" && !slices.ContainsFunc(gaps, func(g *parleyv1.Gap) bool { return g.GetReason() == test.gap }) {
						t.Errorf("%s: gaps %v", user, gaps)
					}
				}
				b.behave(t, w, nil, 1)
				time.Sleep(61 * time.Minute)
				for _, user := range w.people()[:6] {
					req := callsOf(user, start, end)
					req.ManyUsers = true
					if s := b.read(t.Context(), req, "", 0); s.err != nil || !s.summary.GetComplete() {
						t.Errorf("after the trouble: %v %v", s.err, s.summary)
					}
				}
			})
		})
	}
}

// TestCallsReadTogetherTakeFewRequests counts Graph's requests for the calls of 400 users on one day.
func TestCallsReadTogetherTakeFewRequests(t *testing.T) {
	t.Parallel()
	for name, many := range map[string]bool{"a reading of many users": true, "users who ask one by one": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sim, err := graphsim.New(graphsim.Config{
				Plain: true, Seed: 3, Users: 400, Chats: 60, Messages: 10, Interactions: 10, Calls: 1500, Days: 20, Now: today, Steady: true,
			})
			if err != nil {
				t.Fatal(err)
			}
			w := &world{sim: sim}
			inVirtualTime(t, func(t *testing.T) {
				t.Helper()
				b := newBed(t, w, true)
				defer b.close()
				b.behave(t, w, nil, 0)
				end := today().Truncate(24 * time.Hour).Add(-48 * time.Hour) // settled
				start := end.Add(-24 * time.Hour)
				records := 0
				for range sim.Oracle("").Records(graphsim.SourceCall, "", start.Add(-time.Second), end.Add(time.Second)) {
					records++
				}
				people := w.people()
				var group sync.WaitGroup
				places := make(chan struct{}, 16)
				for _, user := range people {
					group.Go(func() {
						places <- struct{}{}
						defer func() { <-places }()
						req := callsOf(user, start, end)
						req.ManyUsers, req.Narrow = many, many // each call must be proved
						if s := b.read(t.Context(), req, "", 0); s.err != nil || !s.summary.GetComplete() {
							t.Errorf("%s: %v %v", user, s.err, s.summary)
						}
					})
				}
				group.Wait()
				lists, participants := requestsAboutCalls(sim)
				pages := (records + 59) / 60
				t.Logf("%d users, %d records on %d pages: %d lists, %d requests for participants", len(people), records, pages, lists, participants)
				most := pages
				if !many {
					most = pages + 30 // a list for each of the first users, and those who ask at the same time
				}
				if records < 30 || lists > most || many && participants != records {
					t.Errorf("%d users, %d records on %d pages: %d lists, %d requests for participants", len(people), records, pages, lists, participants)
				}
			})
		})
	}
}

// requestsAboutCalls counts the lists of calls that were asked for, and the lists of participants.
func requestsAboutCalls(sim *graphsim.Sim) (lists, participants int) {
	for _, r := range sim.Requests() {
		switch {
		case strings.HasSuffix(r.Path, "/callRecords"):
			lists++
		case strings.HasSuffix(r.Path, "/participants_v2"):
			participants++
		}
	}
	return lists, participants
}

// TestNobodyGetsCallsOfOthers checks that users with other calls in the index get none of them, whatever the spelling of the id.
func TestNobodyGetsCallsOfOthers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	start, end := interval()
	inVirtualTime(t, func(t *testing.T) {
		t.Helper()
		b := newBed(t, w, true)
		defer b.close()
		b.behave(t, w, nil, 0)
		for _, user := range append(w.people(), strings.ToUpper(w.user), "00000000-0000-0000-0000-000000000000") {
			req := callsOf(user, start, end)
			req.ManyUsers, req.Narrow = true, true
			s := b.read(t.Context(), req, "", 0)
			if s.err != nil || !s.summary.GetComplete() {
				t.Fatalf("%v %v", s.err, s.summary)
			}
			want := 0
			for range w.sim.Oracle("").Records(graphsim.SourceCall, strings.ToLower(user), start, end) {
				want++
			}
			if len(s.events) != want {
				t.Errorf("%s: %d calls, has %d", user, len(s.events), want)
			}
			for _, e := range s.events {
				if !strings.HasPrefix(e.GetName(), "users/"+user+"/") || !proto.Equal(e.GetCall().GetStartTime(), e.GetEventTime()) {
					t.Error(fmt.Sprint("the event of another: ", e.GetName()))
				}
			}
		}
	})
}
