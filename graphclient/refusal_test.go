package graphclient_test

import (
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-gateway/parley/graphclient"
	"github.com/parley-gateway/parley/graphclient/graph"
)

// requests of the kinds that refusals depend on.
func interactions() graph.Request {
	return graph.Request{API: graph.APICopilot, Path: "/copilot/users/u/interactionHistory/getAllEnterpriseInteractions", User: "u"}
}

func export() graph.Request {
	return graph.Request{API: graph.APIChat, Path: "/users/u/chats/getAllMessages", User: "u"}
}

func chatMembers() graph.Request {
	return graph.Request{API: graph.APIConversations, Path: "/users/u/chats/c/members", User: "u", Resource: "c"}
}

func records() graph.Request {
	return graph.Request{API: graph.APICall, Path: "/communications/callRecords"}
}

func graphError(code, message string) string {
	return `{"error":{"code":"` + code + `","message":"` + message + `","innerError":{"date":"2026-11-30T10:00:00","request-id":"r"}}}`
}

// TestARefusalHasTheKindOfItsMeaning is what a refusal means: the kinds are whose licence, whose permission and whose payment it is about, trouble that
// passes, and links of Graph's own.
func TestARefusalHasTheKindOfItsMeaning(t *testing.T) {
	t.Parallel()
	const (
		userLicense   = "User with id 1 needs a valid license to access this API."
		tenantLicense = "The tenant needs a valid license to access this API, see https://aka.ms/teams-api-payment-requirements."
		evaluation    = "The evaluation mode capacity has been exceeded. Use a valid billing model."
		billing       = "To call this API, the app must be associated with an Azure subscription, see https://aka.ms/teams-api-payment-requirements for details."
		officeLicense = "Failed to get license information for the user. Ensure user has a valid Office365 license assigned to them."
		noPrivileges  = "Insufficient privileges to complete the operation."
		roles         = "Missing role permissions on the request. API requires one of 'Chat.Read.All, Chat.ReadWrite.All'. Roles on the request ''."
	)
	link := func(r graph.Request) graph.Request {
		r.Link = "https://127.0.0.1:8443/v1.0" + r.Path + "?$skiptoken=x"
		return r
	}
	for name, c := range map[string]struct {
		request  graph.Request
		status   int
		body     string
		want     graph.Kind
		roles    int
		personal bool
	}{
		// Licences.
		"402, the user's":                   {export(), 402, graphError("PaymentRequired", userLicense), graph.KindUserNotLicensed, 0, true},
		"402, the user's, in a tenant":      {export(), 402, graphError("PaymentRequired", "User 1 in tenant 2 does not have a valid license."), graph.KindUserNotLicensed, 0, true},
		"402, the user's, on Copilot":       {interactions(), 402, graphError("Forbidden", "The requesting user requires a Copilot licence."), graph.KindUserNotLicensed, 0, true},
		"402, the user's subscription":      {export(), 402, graphError("PaymentRequired", "The subscription of this user does not include the license."), graph.KindUserNotLicensed, 0, true},
		"402, the tenant's":                 {export(), 402, graphError("PaymentRequired", tenantLicense), graph.KindTenantNotLicensed, 0, false},
		"402, the tenant's, said inside":    {export(), 402, `{"error":{"code":"PaymentRequired","message":"","innererror":{"message":"Your tenant needs a valid license"}}}`, graph.KindTenantNotLicensed, 0, false},
		"402, a licence, no user in it":     {records(), 402, graphError("PaymentRequired", "A valid license is missing."), graph.KindTenantNotLicensed, 0, false},
		"403, Office licence":               {export(), 403, graphError("Forbidden", officeLicense), graph.KindUserNotLicensed, 0, true},
		"403, Office licence, chats":        {graph.Request{API: graph.APIConversations, Path: "/users/u/chats", User: "u"}, 403, graphError("Forbidden", officeLicense), graph.KindUserNotLicensed, 0, true},
		"403, Office licence, one chat":     {chatMembers(), 403, graphError("Forbidden", officeLicense), graph.KindUserNotLicensed, 0, true},
		"404, Office licence":               {export(), 404, graphError("NotFound", officeLicense), graph.KindUserNotLicensed, 0, true},
		"403, tenant's licence":             {export(), 403, graphError("Forbidden", "The tenant does not have a valid license."), graph.KindTenantNotLicensed, 0, false},
		"200, the user's, in place of rows": {export(), 200, graphError("PaymentRequired", userLicense), graph.KindUserNotLicensed, 0, true},

		// Payment.
		"402, evaluation":                   {export(), 402, graphError("PaymentRequired", evaluation), graph.KindPaymentRequired, 0, false},
		"402, billing":                      {export(), 402, graphError("PaymentRequired", billing), graph.KindPaymentRequired, 0, false},
		"402, another model":                {export(), 402, graphError("BadRequest", "query parameter 'model' does not support value 'B' for this API. Use billing model 'A'"), graph.KindPaymentRequired, 0, false},
		"402 that does not say":             {export(), 402, graphError("PaymentRequired", ""), graph.KindPaymentRequired, 0, true},
		"402, the organization's":           {export(), 402, graphError("PaymentRequired", "The organization does not have a valid license."), graph.KindTenantNotLicensed, 0, false},
		"402, a user's of an organization":  {export(), 402, graphError("PaymentRequired", "The user of this organisation needs a valid license."), graph.KindUserNotLicensed, 0, true},
		"402 that repeats its status":       {export(), 402, graphError("PaymentRequired", "Payment Required"), graph.KindPaymentRequired, 0, true},
		"402, its status and billing":       {export(), 402, graphError("PaymentRequired", "Payment Required: set up billing."), graph.KindPaymentRequired, 0, false},
		"402 in another language":           {export(), 402, graphError("PaymentRequired", "Zahlung erforderlich"), graph.KindPaymentRequired, 0, true},
		"402 that does not say, for nobody": {records(), 402, "", graph.KindPaymentRequired, 0, false},

		// Permissions.
		"403, roles named":            {export(), 403, graphError("Forbidden", roles), graph.KindForbidden, 2, false},
		"403, roles named, Copilot":   {interactions(), 403, graphError("Forbidden", roles), graph.KindForbidden, 2, false},
		"403, request denied":         {interactions(), 403, graphError("Authorization_RequestDenied", noPrivileges), graph.KindForbidden, 0, false},
		"403, request denied, German": {interactions(), 403, graphError("Authorization_RequestDenied", "Keine ausreichenden Berechtigungen."), graph.KindForbidden, 0, false},
		"403, no privileges":          {interactions(), 403, graphError("Forbidden", noPrivileges), graph.KindForbidden, 0, false},
		"403, inner code":             {interactions(), 403, `{"error":{"code":"Forbidden","message":"","innererror":{"innerError":{"code":"Authorization_RequestDenied"}}}}`, graph.KindForbidden, 0, false},
		"403, reports":                {graph.Request{API: graph.APIUsage, Path: "/copilot/reports/x"}, 403, `{"error":{"code":"UnknownError","message":"{\"error\":{\"code\":\"S2SUnauthorized\",\"message\":\"Invalid permission.\"}}"}}`, graph.KindForbidden, 0, false},

		// Without a reason.
		"403, Copilot":                     {interactions(), 403, graphError("Forbidden", "UnknownError"), graph.KindUserRefused, 0, true},
		"403, Copilot, nothing said":       {interactions(), 403, "", graph.KindUserRefused, 0, true},
		"403, Copilot, web page":           {interactions(), 403, "<html>", graph.KindUserRefused, 0, true},
		"403, export, empty message":       {export(), 403, graphError("UnknownError", ""), graph.KindRefused, 0, true},
		"403, one chat's access":           {chatMembers(), 403, graphError("Forbidden", "AclCheckFailed-User is not in the roster"), graph.KindAccessDenied, 0, false},
		"403, one chat's access in a code": {chatMembers(), 403, `{"error":{"code":"Forbidden","message":"x","innerError":{"code":"AclCheckFailed"}}}`, graph.KindAccessDenied, 0, false},
		"403, claims":                      {export(), 403, `{"error":"insufficient_claims","error_description":"Conditional access."}`, graph.KindCredential, 0, false},

		// Links of Graph's own.
		"404":                    {export(), 404, graphError("NotFound", "x"), graph.KindNotFound, 0, true},
		"404, followed":          {link(export()), 404, graphError("NotFound", "x"), graph.KindLinkNotFound, 0, false},
		"404, followed, empty":   {link(interactions()), 404, "", graph.KindLinkNotFound, 0, false},
		"404 in a 200, followed": {link(export()), 200, graphError("ItemNotFound", "x"), graph.KindLinkNotFound, 0, false},
		"400, followed":          {link(export()), 400, graphError("BadRequest", "Invalid continuation token"), graph.KindBadRequest, 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client := fakeClient(t, func(*http.Request) (*http.Response, error) { return answer(c.status, c.body), nil })
			_, err := client.Page(t.Context(), c.request)
			e := wantError(t, err, c.want)
			if len(e.Roles) != c.roles || e.Personal() != c.personal || e.Requests != 1 {
				t.Errorf("roles %q, personal %t, %d requests", e.Roles, e.Personal(), e.Requests)
			}
		})
	}
}

// TestWhoOpensTheBreaker: what concerns one user leaves everybody else alone, what concerns all is not asked again for a while.
// A 402 that does not say whom it concerns is the user's own until a second user gets it.
func TestWhoOpensTheBreaker(t *testing.T) {
	t.Parallel()
	const unsaid = `{"error":{"code":"PaymentRequired","message":""}}`
	for name, c := range map[string]struct {
		body  string
		asked [3]int // requests after u, v and w have asked once each
		kind  graph.Kind
		last  bool // the third user's refusal is personal
	}{
		"a user's licence":   {graphError("PaymentRequired", "User 1 needs a valid license to access this API"), [3]int{1, 2, 3}, graph.KindUserNotLicensed, true},
		"a tenant's licence": {graphError("PaymentRequired", "The tenant needs a valid license"), [3]int{1, 1, 1}, graph.KindTenantNotLicensed, false},
		"evaluation":         {graphError("PaymentRequired", "evaluation mode capacity has been exceeded"), [3]int{1, 1, 1}, graph.KindPaymentRequired, false},
		"does not say":       {unsaid, [3]int{1, 2, 2}, graph.KindPaymentRequired, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				asked := 0
				client := fakeClient(t, func(*http.Request) (*http.Response, error) { asked++; return answer(402, c.body), nil })
				for i, user := range []string{"u", "v", "w"} {
					r := export()
					r.User = user
					_, err := client.Page(t.Context(), r)
					e := wantError(t, err, c.kind)
					if asked != c.asked[i] || i == 2 && e.Personal() != c.last {
						t.Errorf("%s: %d requests, personal %t", user, asked, e.Personal())
					}
				}
			})
		})
	}
	t.Run("one user again and again", func(t *testing.T) {
		t.Parallel()
		asked := 0
		client := fakeClient(t, func(r *http.Request) (*http.Response, error) {
			asked++
			if strings.Contains(r.URL.Opaque, "/v/") {
				return answer(200, emptyPage), nil
			}
			return answer(402, unsaid), nil
		})
		for range 3 {
			_, err := client.Page(t.Context(), export())
			_ = wantError(t, err, graph.KindPaymentRequired)
		}
		other := export()
		other.User, other.Path = "v", "/users/v/chats/getAllMessages"
		if _, err := client.Page(t.Context(), other); err != nil || asked != 4 {
			t.Errorf("another user: %v after %d requests", err, asked)
		}
	})
}

// TestSuspectedPermission: an API that refuses without a reason is believed to mean the user while others are answered; when
// every user of the last minutes meets it, a permission is suspected, once in the log, until somebody is answered.
func TestSuspectedPermission(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		refuse := map[string]bool{}
		client := fakeClient(t, func(r *http.Request) (*http.Response, error) {
			for user, refused := range refuse {
				if refused && strings.Contains(r.URL.Opaque, "/"+user+"/") {
					return answer(403, graphError("Forbidden", "UnknownError")), nil
				}
			}
			return answer(200, emptyPage), nil
		}, func(cfg *graphclient.Config) { cfg.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
		ask := func(api, user string) graph.Kind {
			_, err := client.Page(t.Context(), graph.Request{API: api, Path: "/x/" + user + "/y", User: user})
			if e, ok := errors.AsType[*graph.Error](err); ok {
				return e.Kind
			}
			return -1
		}
		suspected := func(step string, want bool, lines int) {
			t.Helper()
			if got, told := client.PermissionSuspected(graph.APICopilot), strings.Count(log.String(), "suspected"); got != want || told != lines {
				t.Errorf("%s: suspected %t, want %t; told %d times, want %d", step, got, want, told, lines)
			}
		}
		copilot, chat := graph.APICopilot, graph.APIChat
		suspected("nothing asked", false, 0)
		refuse["a"], refuse["b"], refuse["c"] = true, true, true
		if got := ask(copilot, "a"); got != graph.KindUserRefused {
			t.Errorf("Copilot: %v", got)
		}
		ask(copilot, "a")
		suspected("one user", false, 0)
		ask(copilot, "b")
		suspected("two users", true, 1)
		ask(copilot, "c")
		suspected("three users", true, 1)
		if got := ask(copilot, "d"); got != -1 {
			t.Errorf("answered: %v", got)
		}
		suspected("one answered", false, 1)
		ask(copilot, "a")
		ask(copilot, "b")
		suspected("others answered lately", false, 1)
		time.Sleep(11 * time.Minute)
		ask(copilot, "a")
		ask(copilot, "c")
		suspected("nobody answered lately", true, 2)
		time.Sleep(11 * time.Minute)
		suspected("nobody asked lately", false, 2)

		// The chat export is taken at its word, a refusal of the application, until it answers others.
		if got := ask(chat, "a"); got != graph.KindRefused {
			t.Errorf("chat: %v", got)
		}
		ask(chat, "d")
		if got := ask(chat, "a"); got != graph.KindUserRefused {
			t.Errorf("chat, another user answered: %v", got)
		}
		refuse["d"] = true
		if got := ask(chat, "d"); got != graph.KindRefused {
			t.Errorf("chat, nobody else answered: %v", got)
		}
	})
}
