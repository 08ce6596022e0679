package timeline_test

import (
	"testing"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/graphclient/graph"
	"github.com/parley-gateway/parley/source"
	"github.com/parley-gateway/parley/timeline"
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
			req.Plan = func(user *parleyv1.User) source.CopilotPlan {
				if source.LacksCopilotPlan(user) {
					return source.PlanMissing
				}
				return source.PlanUnchecked
			}
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
