package graphsim

import (
	"strings"
	"time"

	"github.com/parley-gateway/parley/graphsim/data"
	"github.com/parley-gateway/parley/graphsim/refusal"
)

const (
	usersDefault = 100
	usersMax     = 999
)

// renderUser returns a user with all fields. Without $select, Graph sends the first userDefaults of them.
func (x *exchange) renderUser(r data.Ref) data.Object {
	w := x.world
	name := w.People.Name(r)
	given, family, _ := strings.Cut(name, " ")
	kind := "Member"
	if w.People.IsGuest(r.Index()) {
		kind = "Guest"
	}
	return data.Object{
		data.Member("businessPhones", []string{}),
		data.Member("displayName", name),
		data.Member("givenName", given),
		data.Member("jobTitle", orNil(w.People.JobTitle(r))),
		data.Member("mail", w.People.Mail(r)),
		data.Member("mobilePhone", nil),
		data.Member("officeLocation", nil),
		data.Member("preferredLanguage", nil),
		data.Member("surname", family),
		data.Member("userPrincipalName", w.People.UPN(r)),
		data.Member("id", w.People.ID(r)),
		// Only on request:
		data.Member("userType", kind),
		data.Member("accountEnabled", w.People.Enabled(r)),
		data.Member("department", orNil(w.People.Department(r))),
		data.Member("country", orNil(w.People.Country(r))),
		data.Member("assignedPlans", x.assignedPlans(r)),
	}
}

const userDefaults = 11 // how many of the fields above come unasked

func orNil(text string) any {
	if text == "" {
		return nil
	}
	return text
}

// Service plans of the simulated tenant.
const (
	teamsPlan       = "57ff2da0-773e-42df-b2af-ffb7a2317929" // Microsoft Teams
	copilotChatPlan = "3f30311c-6b1e-48a4-ab79-725b469da960" // Microsoft Copilot with Graph-grounded chat
)

// assignedPlans are a user's service plans. Guests have none, nor has a disabled account without Copilot: such as a shared mailbox has one.
// Of the others who have no Copilot, every second one had it once: the plan is there with another status.
func (x *exchange) assignedPlans(r data.Ref) data.List {
	w := x.world
	plans := data.List{}
	plan := func(id, service, status string, days int64) {
		at := time.UnixMilli(w.Begin()).Add(-time.Duration(days) * 24 * time.Hour)
		if status == "Enabled" && id == copilotChatPlan && newlyLicensed(w, r, x.sim.cfg.NewlyLicensed) {
			at = time.UnixMilli(x.now).Truncate(24 * time.Hour)
		}
		plans = append(plans, data.Object{
			data.Member("assignedDateTime", at.UTC().Format("2006-01-02T15:04:05Z")),
			data.Member("capabilityStatus", status), data.Member("service", service), data.Member("servicePlanId", id),
		})
	}
	if w.People.IsGuest(r.Index()) || !w.People.Enabled(r) && !w.Licensed(r) {
		return plans
	}
	plan(teamsPlan, "TeamspaceAPI", "Enabled", 400)
	switch {
	case w.Licensed(r):
		plan(copilotChatPlan, "MicrosoftCopilot", "Enabled", int64(30+r.Index()%60))
	case r.Index()%2 == 1:
		plan(copilotChatPlan, "MicrosoftCopilot", "Deleted", 90)
	}
	return plans
}

func (x *exchange) selectUser(r data.Ref) data.Object {
	o := x.renderUser(r)
	if names := x.query.list("$select"); len(names) > 0 {
		return o.Selected(names)
	}
	return o[:userDefaults]
}

func (x *exchange) checkUserSelect() *refusal.Error {
	known := x.renderUser(0)
	for _, n := range x.query.list("$select") {
		found := false
		for _, f := range known {
			found = found || strings.EqualFold(f.Key, n)
		}
		if !found {
			return refusal.BadRequest("Could not find a property named '%s' on type 'microsoft.graph.user'.", n)
		}
	}
	return nil
}

func (x *exchange) userContext() string {
	if names := x.query.list("$select"); len(names) > 0 {
		return "users(" + strings.Join(names, ",") + ")"
	}
	return "users"
}

func listUsers(x *exchange) (*reply, *refusal.Error) {
	size, g := x.query.top(usersDefault, usersMax)
	if g != nil {
		return nil, g
	}
	if g := x.checkUserSelect(); g != nil {
		return nil, g
	}
	filter, g := x.userFilter()
	if g != nil {
		return nil, g
	}
	found := x.findUsers(filter)
	from, to, token, g := x.plainPage(len(found), size)
	if g != nil {
		return nil, g
	}
	rep := &reply{context: x.userContext(), rows: make(data.List, 0, to-from)}
	if count, _ := x.query.get("$count"); count == "true" {
		rep.total = len(found)
	}
	for _, user := range found[from:to] {
		rep.rows = append(rep.rows, x.selectUser(user))
	}
	if token != "" {
		rep.next = x.query.link(x.root()+"/users", token)
	}
	return rep, nil
}

// findUsers returns the users that a filter selects; nil = all.
func (x *exchange) findUsers(filter *node) []data.Ref {
	found := make([]data.Ref, 0, x.world.Users())
	for i := range x.world.Users() {
		user := data.Ref(i)
		if filter == nil || filter.holds(func(n *node) bool { return x.userHolds(user, n) }) {
			found = append(found, user)
		}
	}
	return found
}

func getUser(x *exchange) (*reply, *refusal.Error) {
	u, g := x.user()
	if g != nil {
		return nil, g
	}
	if g := x.checkUserSelect(); g != nil {
		return nil, g
	}
	return &reply{context: x.userContext() + "/$entity", entity: x.selectUser(u)}, nil
}
