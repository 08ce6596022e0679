package graphsim_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"

	"github.com/parley-gateway/parley/graphsim"
)

// exchanged signs a user in to the first tenant's application and exchanges the token as the SDK does.
func exchanged(t *testing.T, s *graphsim.Sim, user string) *client {
	t.Helper()
	assertion, err := s.SignCaller(graphsim.CallerToken{User: user})
	if err != nil {
		t.Fatal(err)
	}
	cred, err := azidentity.NewOnBehalfOfCredentialWithSecret(tenantA, "app-a", assertion, "secret-a", &azidentity.OnBehalfOfCredentialOptions{
		ClientOptions: clientOptions(t, s), DisableInstanceDiscovery: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	token, err := cred.GetToken(t.Context(), policy.TokenRequestOptions{Scopes: []string{"https://graph.microsoft.com/.default"}})
	if err != nil {
		t.Fatal(err)
	}
	return newClient(t, s).with("Authorization", "Bearer "+token.Token)
}

// TestAUserReadsTheirOwnChatsAlone checks that Graph gives a user their own chats and nothing of anybody else's.
func TestAUserReadsTheirOwnChatsAlone(t *testing.T) {
	t.Parallel()
	s := secure(t, nil)
	people := slices.Collect(s.Oracle(tenantA).Users())
	me, other := people[0].ID, people[1].ID
	c := exchanged(t, s, me)
	own, foreign := "", ""
	theirs := slices.Collect(s.Oracle(tenantA).Chats(other))
	for id := range s.Oracle(tenantA).Chats(me) {
		own = url.PathEscape(id)
	}
	mine := slices.Collect(s.Oracle(tenantA).Chats(me))
	for _, id := range theirs {
		if !slices.Contains(mine, id) {
			foreign = url.PathEscape(id)
		}
	}
	want := len(mine)
	for _, path := range []string{"/v1.0/me/chats", "/v1.0/chats", "/beta/users/" + me + "/chats"} {
		rows, _ := c.all(path)
		if len(rows) != want {
			t.Errorf("%s: %d chats, want %d", path, len(rows), want)
		}
		read := 0
		for _, r := range rows {
			view, ok := r["viewpoint"].(row)
			if at := text(view, "lastMessageReadDateTime"); !ok || at == "" {
				t.Fatalf("%s: viewpoint %v", path, r["viewpoint"])
			} else if !strings.HasPrefix(at, "0001-") {
				read++
			}
		}
		if read == 0 || read == want {
			t.Errorf("%s: %d of %d chats have been read", path, read, want)
		}
	}
	export := "/chats/getAllMessages"
	for path, status := range map[string]int{
		"/v1.0/me/chats/" + own:                             200,
		"/v1.0/chats/" + own:                                200,
		"/v1.0/chats/" + own + "/members":                   200,
		"/v1.0/users/" + me + "/chats/" + own + "/messages": 200,
		"/v1.0/chats/" + foreign:                            404,
		"/v1.0/chats/" + foreign + "/messages":              404,
		"/v1.0/me/chats/" + foreign + "/members":            404,
		"/v1.0/users/" + other + "/chats":                   403,
		"/v1.0/users/" + other + "/chats/" + foreign:        403,
		"/v1.0/me" + export:                                 403,
		"/v1.0/users/" + me + export:                        403,
		"/v1.0/communications/callRecords":                  403,
		"/v1.0/users":                                       403,
		"/v1.0/copilot/users/" + me + "/interactionHistory/getAllEnterpriseInteractions": 403,
		"/v1.0/copilot/reports/getMicrosoft365CopilotUsageUserDetail(period='D7')":       403,
	} {
		if a := c.get(path); a.status != status {
			t.Errorf("%s: %d, want %d: %.200s", path, a.status, status, a.body)
		}
	}
	if err := s.SetStanding(people[0].UPN, graphsim.Standing{ReportsReader: true}); err != nil {
		t.Fatal(err)
	}
	if a := c.get("/v1.0/copilot/reports/getMicrosoft365CopilotUsageUserDetail(period='D7')"); a.status != http.StatusOK {
		t.Errorf("a reader of reports: %d %s", a.status, a.body)
	}
	for _, r := range s.Requests() {
		if strings.HasPrefix(r.Path, "/v1.0/chats/"+own) && r.User != me {
			t.Errorf("%s is noted as of user %q", r.Path, r.User)
		}
	}
	if err := s.SetStanding(me, graphsim.Standing{Revoked: true}); err != nil {
		t.Fatal(err)
	}
	if a := c.get("/v1.0/me/chats"); a.status != http.StatusUnauthorized || !strings.Contains(a.header.Get("WWW-Authenticate"), "insufficient_claims") {
		t.Errorf("a revoked session: %d %q", a.status, a.header.Get("WWW-Authenticate"))
	}
}

func TestDelegatedScopes(t *testing.T) {
	t.Parallel()
	s := secure(t, nil)
	me := s.DemoUser().ID
	token, err := s.SignUserToken(graphsim.UserToken{User: me, Scopes: []string{"Chat.ReadBasic"}})
	if err != nil {
		t.Fatal(err)
	}
	c := newClient(t, s).with("Authorization", "Bearer "+token)
	chats := c.page("/v1.0/me/chats")
	a := c.get("/v1.0/me/chats/" + url.PathEscape(text(chats.Value[0], "id")) + "/messages")
	if code, message := refusal(t, a); a.status != http.StatusForbidden || code != "Forbidden" ||
		message != "Missing scope permissions on the request. API requires one of 'Chat.Read, Chat.ReadWrite'. Scopes on the request 'Chat.ReadBasic'" {
		t.Errorf("%d %s %s", a.status, code, message)
	}
	stranger, err := s.SignUserToken(graphsim.UserToken{User: "00000000-0000-4000-8000-000000000000"})
	if err != nil {
		t.Fatal(err)
	}
	if a := c.with("Authorization", "Bearer "+stranger).get("/v1.0/me/chats"); a.status != http.StatusUnauthorized {
		t.Errorf("a user of no directory: %d", a.status)
	}
}

// TestExchangeRefusals sends exchanges that Entra ID refuses.
func TestExchangeRefusals(t *testing.T) {
	t.Parallel()
	s := secure(t, nil)
	people := slices.Collect(s.Oracle(tenantA).Users())
	for i, standing := range []graphsim.Standing{{NoConsent: true}, {StepUp: true}} {
		if err := s.SetStanding(people[i+1].ID, standing); err != nil {
			t.Fatal(err)
		}
	}
	sign := func(q graphsim.CallerToken) string {
		token, err := s.SignCaller(q)
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	me := people[0].ID
	good := sign(graphsim.CallerToken{User: me})
	c := newClient(t, s)
	for name, q := range map[string]struct {
		assertion, secret string
		change            map[string]string
		status            int
		code, number      string
		claims            bool
	}{
		"good":                {good, "secret-a", nil, 200, "", "", false},
		"client id as target": {sign(graphsim.CallerToken{User: me, Audience: "app-a"}), "secret-a", nil, 200, "", "", false},
		"wrong secret":        {good, "wrong", nil, 401, "invalid_client", "AADSTS7000215", false},
		"no use":              {good, "secret-a", map[string]string{"requested_token_use": ""}, 400, "invalid_request", "AADSTS90014", false},
		"no scope":            {good, "secret-a", map[string]string{"scope": "openid"}, 400, "invalid_scope", "AADSTS70011", false},
		"expired":             {sign(graphsim.CallerToken{User: me, IssuedAt: time.Now().Add(-3 * time.Hour)}), "secret-a", nil, 400, "invalid_grant", "AADSTS500133", false},
		"broken":              {good[:len(good)-4] + "AAAA", "secret-a", nil, 400, "invalid_grant", "AADSTS50013", false},
		"another tenant's":    {sign(graphsim.CallerToken{Tenant: tenantB, User: slices.Collect(s.Oracle(tenantB).Users())[0].ID}), "secret-a", nil, 400, "invalid_grant", "AADSTS50013", false},
		"another's audience":  {sign(graphsim.CallerToken{User: me, Audience: "api://other"}), "secret-a", nil, 400, "invalid_grant", "AADSTS500131", false},
		"an application's":    {sign(graphsim.CallerToken{}), "secret-a", nil, 400, "invalid_grant", "AADSTS7000114", false},
		"no consent":          {sign(graphsim.CallerToken{User: people[1].ID}), "secret-a", nil, 400, "invalid_grant", "AADSTS65001", false},
		"a second factor":     {sign(graphsim.CallerToken{User: people[2].ID}), "secret-a", nil, 400, "interaction_required", "AADSTS50076", true},
	} {
		form := url.Values{
			"grant_type": {"urn:ietf:params:oauth:grant-type:jwt-bearer"}, "requested_token_use": {"on_behalf_of"}, "client_id": {"app-a"},
			"client_secret": {q.secret}, "assertion": {q.assertion}, "scope": {"https://graph.microsoft.com/.default openid"},
		}
		for key, value := range q.change {
			form.Set(key, value)
		}
		var e struct {
			Error       string `json:"error"`
			Description string `json:"error_description"`
			Claims      string `json:"claims"`
		}
		a := c.signIn(form, &e)
		if a.status != q.status || e.Error != q.code || q.number != "" && !strings.HasPrefix(e.Description, q.number+": ") || (e.Claims != "") != q.claims {
			t.Errorf("%s: %d %s, want %d %s %s", name, a.status, a.body, q.status, q.code, q.number)
		}
	}
}

// TestStandingByAdminPage changes how a user stands from outside.
func TestStandingByAdminPage(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	c := newClient(t, s)
	for body, want := range map[string]int{
		`{"user":"` + s.DemoUser().ID + `","reportsReader":true}`: 200,
		`{"user":"nobody"}`: 400,
		`{`:                 400,
	} {
		if a := c.post("/_sim/standing", body); a.err != nil || a.status != want {
			t.Errorf("%s: %d, %v, want %d", body, a.status, a.err, want)
		}
	}
	token, err := s.SignUserToken(graphsim.UserToken{User: s.DemoUser().ID})
	if err != nil {
		t.Fatal(err)
	}
	if a := c.with("Authorization", "Bearer "+token).get("/v1.0/copilot/reports/getMicrosoft365CopilotUsageUserDetail(period='D7')"); a.status != http.StatusOK {
		t.Errorf("the role has no effect: %d %s", a.status, a.body)
	}
}
