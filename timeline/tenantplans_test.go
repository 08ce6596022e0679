package timeline_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/graphclient/graph"
	"github.com/parley-gateway/parley/source"
	"github.com/parley-gateway/parley/timeline"
	"github.com/parley-gateway/parley/timeline/query"
)

// TestTenantLooksUpThePlansOfUsersByID asks for users by id, of whom every second one has no plan for Copilot. Graph answers their look-up,
// or does not.
func TestTenantLooksUpThePlansOfUsersByID(t *testing.T) {
	t.Parallel()
	start, end := base()
	for name, test := range map[string]struct {
		listing func(*source.Page[*parleyv1.User]) (*source.Page[*parleyv1.User], error)
		known   bool
	}{
		"answered": {nil, true},
		"refused": {func(*source.Page[*parleyv1.User]) (*source.Page[*parleyv1.User], error) {
			return nil, fail(graph.KindForbidden)
		}, false},
		"without the filter": {func(page *source.Page[*parleyv1.User]) (*source.Page[*parleyv1.User], error) {
			page.Unfiltered = true
			return page, nil
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPeople(40, start, end)
			for _, user := range p.users {
				if !user.GetCopilot().GetLicensed() {
					p.graphs[user.GetId()][copilot].hook = func(int, source.EventQuery, string, *page) (*page, error) {
						return nil, fail(graph.KindUserNotLicensed)
					}
				}
			}
			p.listing = test.listing
			req := nightRequest(start, end)
			req.Users = append(p.ids(), "someone-else")
			req.Plan = func(string) source.CopilotPlan { return source.PlanMissing }
			n := p.read(t, newEngine(t, timeline.Config{}), req, "")
			for _, user := range p.users {
				want := readState
				if !test.known && !user.GetCopilot().GetLicensed() {
					want = refusedState
				}
				if got := n.users[user.GetName()]; got.GetState() != want {
					t.Errorf("%v, want %v", got, want)
				}
			}
			if len(n.users) != 41 || n.users["users/someone-else"].GetReason() != "NOT_FOUND" {
				t.Errorf("%d users: %v", len(n.users), n.users["users/someone-else"])
			}
		})
	}
}

// TestAPlanIsAskedForWhoIsRead counts about whom Plan is asked: those without a plan whose reading begins, and nobody else. A question may be the
// only one of the week.
func TestAPlanIsAskedForWhoIsRead(t *testing.T) {
	t.Parallel()
	start, end := base()
	p := newPeople(40, start, end)
	e := newEngine(t, timeline.Config{})
	var asked []string
	read := func(t *testing.T, change func(*query.Tenant), token string) *night {
		t.Helper()
		asked = nil
		req := nightRequest(start, end)
		req.Plan = func(id string) source.CopilotPlan {
			asked = append(asked, id)
			return source.PlanMissing
		}
		change(&req)
		return p.read(t, e, req, token)
	}
	for name, test := range map[string]struct {
		change func(*query.Tenant)
		asked  func(id string) bool
	}{
		"everybody":         {func(*query.Tenant) {}, func(string) bool { return true }},
		"a shard":           {func(r *query.Tenant) { r.Shard, r.Shards = 1, 3 }, func(id string) bool { return query.ShardOf(id, 3) == 1 }},
		"users by id":       {func(r *query.Tenant) { r.Users = p.ids()[:10] }, func(id string) bool { return slices.Contains(p.ids()[:10], id) }},
		"without Copilot":   {func(r *query.Tenant) { r.Sources = []parleyv1.Source{chat} }, func(string) bool { return false }},
		"only the licensed": {func(r *query.Tenant) { r.Licensed = true }, func(string) bool { return false }},
		"Copilot not there": {func(r *query.Tenant) {
			r.Unavailable = map[parleyv1.Source]parleyv1.SourceState{copilot: parleyv1.SourceState_SOURCE_STATE_NOT_IN_CLOUD}
		}, func(string) bool { return false }},
	} {
		n := read(t, test.change, "")
		var want []string
		for _, user := range p.users {
			if id := user.GetId(); !user.GetCopilot().GetLicensed() && test.asked(id) {
				want = append(want, id)
			}
		}
		slices.Sort(want)
		slices.Sort(asked)
		if diff := cmp.Diff(want, asked); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if read(t, test.change, n.summary.GetResumeToken()); len(asked) > 0 {
			t.Errorf("%s: a finished walk asked about %v", name, asked)
		}
	}
}
