package source_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/testing/protocmp"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/source"
)

// userFields is the $select of users.
const userFields = "id,displayName,userPrincipalName,department,jobTitle,country,accountEnabled,userType,assignedPlans"

func TestAUserHasTheLicenceOfTheirPlans(t *testing.T) {
	t.Parallel()
	const copilot, other = "3F30311C-6b1e-48a4-ab79-725b469da960", "57ff2da0-773e-42df-b2af-ffb7a2317929"
	plan := func(id, status, date string) string {
		return `{"assignedDateTime":` + date + `,"capabilityStatus":"` + status + `","service":"s","servicePlanId":"` + id + `"}`
	}
	tests := map[string]struct{ record, want string }{
		"whole": {
			`{"id":"u","displayName":"Ada","userPrincipalName":"ada@x","department":"Sales","jobTitle":"Analyst","country":"Japan","accountEnabled":false,"userType":"Member",
			"assignedPlans":[` + plan(other, "Enabled", `"2020-01-01T00:00:00Z"`) + `,` + plan(copilot, "Enabled", `"2025-03-01T08:00:00Z"`) + `]}`,
			`{"name":"users/u","id":"u","displayName":"Ada","userPrincipalName":"ada@x","department":"Sales","jobTitle":"Analyst","country":"Japan","accountEnabled":false,
			"userType":"Member","copilot":{"licensed":true,"since":"2025-03-01T08:00:00Z"}}`,
		},
		"nothing but an id": {`{"id":"u","displayName":null,"department":null,"accountEnabled":null}`, `{"name":"users/u","id":"u"}`},
		"no plans":          {`{"id":"u","assignedPlans":[]}`, `{"name":"users/u","id":"u","copilot":{"licensed":false}}`},
		"another status": {
			`{"id":"u","assignedPlans":[` + plan(copilot, "Deleted", `"2025-03-01T08:00:00Z"`) + `,` + plan(copilot, "Suspended", `"2024-03-01T08:00:00Z"`) + `]}`,
			`{"name":"users/u","id":"u","copilot":{"licensed":false}}`,
		},
		"the earliest of two, dates that are none": {
			`{"id":"u","assignedPlans":[` + plan(copilot, "Enabled", `"2025-03-01T08:00:00Z"`) + `,` + plan(copilot, "enabled", `"2024-03-01T08:00:00Z"`) + `,` +
				plan(copilot, "Enabled", `"0001-01-01T00:00:00Z"`) + `,` + plan(copilot, "Enabled", "null") + `]}`,
			`{"name":"users/u","id":"u","copilot":{"licensed":true,"since":"2024-03-01T08:00:00Z"}}`,
		},
		"plans of no sense": {
			`{"id":"u","assignedPlans":[1,null,"x",{},{"servicePlanId":5,"capabilityStatus":[]}]}`,
			`{"name":"users/u","id":"u","copilot":{"licensed":false}}`,
		},
		"no list of plans": {`{"id":"u","assignedPlans":"x"}`, `{"name":"users/u","id":"u"}`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, client := newUpstream(t, func(string) reply { return reply{body: test.record} })
			got, err := source.NewUsers(client, source.Options{}).User(t.Context(), "u")
			if err != nil {
				t.Fatal(err)
			}
			want := &parleyv1.User{}
			if err := protojson.Unmarshal([]byte(test.want), want); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestARefusedFilterOfUsersReadsAll reads everybody when Graph refuses the filter, and says so.
func TestARefusedFilterOfUsersReadsAll(t *testing.T) {
	t.Parallel()
	_, client := newUpstream(t, func(target string) reply {
		if strings.Contains(target, "filter") {
			return reply{status: 400, body: `{"error":{"code":"Request_UnsupportedQuery","message":"Unsupported Query."}}`}
		}
		return reply{body: `{"value":[{"id":"a"},{"id":"b"}]}`}
	})
	page, err := source.NewUsers(client, source.Options{}).Users(t.Context(), source.UserQuery{NamePrefix: "A"}, "")
	if err != nil || len(page.Items) != 2 || !page.Unfiltered || page.Requests != 2 {
		t.Errorf("%+v, %v", page, err)
	}
}

// TestNamesAreAskedForInBatches asks for no more ids at a time than Graph takes, and keeps what it found when Graph fails.
func TestNamesAreAskedForInBatches(t *testing.T) {
	t.Parallel()
	up, client := newUpstream(t, func(target string) reply {
		if strings.Contains(target, "id-30") {
			return reply{status: 503}
		}
		return reply{body: `{"value":[{"id":"ID-1","displayName":"Ada"},{"id":"id-2","displayName":null},{"displayName":"nobody"}]}`}
	})
	ids := make([]string, 0, 31)
	for i := range 31 {
		ids = append(ids, fmt.Sprintf("id-%d", i))
	}
	names, err := source.NewUsers(client, source.Options{}).Names(t.Context(), ids)
	if diff := cmp.Diff(map[string]string{"id-1": "Ada"}, names); err == nil || diff != "" {
		t.Errorf("error %v, names (-want +got):\n%s", err, diff)
	}
	targets := up.targets()
	if len(targets) != 3 {
		t.Fatalf("%d requests, want 3", len(targets))
	}
	for i, want := range []int{15, 15, 1} {
		if got := strings.Count(targets[i], "id-"); got != want {
			t.Errorf("request %d asks for %d ids, want %d", i, got, want)
		}
	}
}
