package graphsim_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/parley-gateway/parley/graphsim"
)

const copilotPlan = "3f30311c-6b1e-48a4-ab79-725b469da960"

// TestTheDirectoryAnswersParleysQueries asks for users as Parley does: all that is known of them, some of them by each kind of filter, and their names.
func TestTheDirectoryAnswersParleysQueries(t *testing.T) {
	t.Parallel()
	s := start(t, func(cfg *graphsim.Config) { cfg.Users = 30 })
	c := newClient(t, s)
	rows, _ := c.all("/v1.0/users?$select=id,displayName,userPrincipalName,department,jobTitle,country,accountEnabled,userType,assignedPlans&$top=7")
	if len(rows) != 30 {
		t.Fatalf("%d users", len(rows))
	}
	seen := map[string]int{}
	for _, row := range rows {
		licensed, lost := false, false
		plans, _ := row["assignedPlans"].([]any)
		for _, plan := range plans {
			of, _ := plan.(map[string]any)
			copilot := of["servicePlanId"] == copilotPlan
			licensed = licensed || copilot && of["capabilityStatus"] == "Enabled"
			lost = lost || copilot && of["capabilityStatus"] != "Enabled"
		}
		if id, _ := row["id"].(string); licensed != s.Oracle("").Licensed(id) {
			t.Errorf("%v: licensed %v by the plans", row, licensed)
		}
		for what, is := range map[string]bool{
			"licensed": licensed, "unlicensed": !licensed, "lost": lost, "without plans": len(plans) == 0, "guest": row["userType"] == "Guest",
			"disabled": row["accountEnabled"] == false, "no department": row["department"] == nil, "department": row["department"] != nil,
		} {
			if is {
				seen[what]++
			}
		}
	}
	if len(seen) != 8 {
		t.Errorf("the directory lacks kinds of users: %v", seen)
	}
	first := s.DemoUser()
	id, name := first.ID, first.Name
	for filter, want := range map[string]func(row map[string]any) bool{
		"id eq '" + id + "'": func(row map[string]any) bool { return row["id"] == id },
		"id in ('" + id + "','00000000-0000-4000-8000-000000000000')": func(row map[string]any) bool { return row["id"] == id },
		"displayName eq '" + strings.ToUpper(name) + "'":              func(row map[string]any) bool { return row["displayName"] == name },
		"startswith(displayName,'" + strings.ToLower(name[:1]) + "')": func(row map[string]any) bool {
			text, _ := row["displayName"].(string)
			return strings.HasPrefix(text, name[:1])
		},
		"department eq 'Sales' and accountEnabled eq true": func(row map[string]any) bool {
			return row["department"] == "Sales" && row["accountEnabled"] == true
		},
	} {
		var expected []any
		for _, row := range rows {
			if want(row) {
				expected = append(expected, row["id"])
			}
		}
		found, _ := c.all("/v1.0/users?$select=id,displayName&$top=2&$filter=" + url.QueryEscape(filter))
		if len(expected) == 0 || len(found) != len(expected) {
			t.Errorf("%s: %d users, want %d", filter, len(found), len(expected))
		}
	}
	eventual := newClient(t, s).with("ConsistencyLevel", "eventual")
	page := eventual.page("/v1.0/users?$count=true&$top=3&$filter=" + url.QueryEscape("displayName ne '"+name+"'"))
	if len(page.Value) != 3 || page.Count != 29 {
		t.Errorf("an advanced query: %d users, count %v", len(page.Value), page.Count)
	}
}
