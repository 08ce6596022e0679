package server_test

import (
	"context"
	"encoding/base64"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/graphclient/graph"
	"github.com/parley-gateway/parley/server"
	"github.com/parley-gateway/parley/server/apierror"
	"github.com/parley-gateway/parley/server/authn"
	"github.com/parley-gateway/parley/server/service"
	"github.com/parley-gateway/parley/source"
	"github.com/parley-gateway/parley/timeline/query"
)

// TestOnBehalfOfACaller checks what is handed down for a caller on whose behalf Graph is asked, and what is on record.
func TestOnBehalfOfACaller(t *testing.T) {
	t.Parallel()
	end := time.Date(2026, 11, 22, 13, 0, 0, 0, time.UTC)
	g := startGuarded(t, func(c *server.Config) {
		tokens := book()
		tokens["delegate"].Expires = end
		c.Tokens = tokens
	})
	parent := "users/me/conversations/" + chatID
	_, err := parleyv1.NewEventServiceClient(g.conn).ListEvents(as(t.Context(), "delegate"), &parleyv1.ListEventsRequest{Parent: parent})
	expect(t, "gRPC", err, codes.OK, "")
	if resp := g.get(t, "/v1/"+parent+"/events", "Authorization", "Bearer delegate"); resp.StatusCode != http.StatusOK {
		t.Errorf("REST: %d", resp.StatusCode)
	}
	want := service.Assertion{User: annaID, Token: "delegate", Expires: end}
	if asked := g.users.take(); len(asked) != 2 || asked[0] != want || asked[1] != want {
		t.Errorf("asked for %+v, want %+v over each protocol", asked, want)
	}
	requests, _, _ := g.take()
	for _, request := range requests {
		if events, ok := request.(query.Events); !ok || events.BoundTo != "on_behalf_of" {
			t.Errorf("a cursor of the application would be good: %+v", request)
		}
	}
	expect(t, "an officer", g.list(t, "officer", annaID), codes.OK, "")
	requests, _, _ = g.take()
	if events, ok := requests[0].(query.Events); !ok || events.BoundTo != "" {
		t.Errorf("the application's cursors are bound to %q", events.BoundTo)
	}
	for _, record := range g.records.take(t) {
		permission, identity := "on_behalf_of", annaID
		if record.Rule == "officer" {
			permission, identity = "application", appID
		}
		if record.Graph.Permission != permission || record.Graph.Identity != identity {
			t.Errorf("record %+v", record)
		}
	}
}

func TestRefusedDelegations(t *testing.T) {
	t.Parallel()
	g := startGuarded(t, func(c *server.Config) {
		tokens := book()
		tokens["device"] = &authn.Caller{Kind: authn.KindCertificate, Subject: "spiffe://contoso.example/device"}
		c.Tokens = tokens
	})
	g.write(t, handbook(t, "on-behalf-of.yaml", false)+
		"\n  - name: whoever\n    match: {authenticated: true}\n    allow: {rpcs: [ListConversations], sources: [conversation], view: full, users: own, graph: on_behalf_of}\n")
	g.pass(time.Minute)
	const claims = `{"access_token":{"acrs":{"essential":true,"value":"c1"}}}`
	encoded := base64.StdEncoding.EncodeToString([]byte(claims))
	for name, c := range map[string]struct {
		caller string
		fail   error
		code   codes.Code
		reason string
		http   int
		claims string
	}{
		"consent":        {"delegate", &graph.Error{Kind: graph.KindConsent, Status: 400, Code: "AADSTS65001"}, codes.PermissionDenied, "CONSENT_REQUIRED", 403, ""},
		"sign-in":        {"delegate", &graph.Error{Kind: graph.KindSignIn, Status: 400, Code: "AADSTS50013"}, codes.Unauthenticated, "SIGN_IN_REQUIRED", 401, ""},
		"claims":         {"delegate", &graph.Error{Kind: graph.KindSignIn, Status: 400, Code: "AADSTS50076", Claims: claims}, codes.Unauthenticated, "SIGN_IN_REQUIRED", 401, encoded},
		"our credential": {"delegate", &graph.Error{Kind: graph.KindCredential, Status: 401, Code: "AADSTS7000215"}, codes.FailedPrecondition, "GRAPH_CREDENTIAL_REJECTED", 502, ""},
		"Entra is down":  {"delegate", &graph.Error{Kind: graph.KindUnavailable, RetryAfter: time.Second}, codes.Unavailable, "GRAPH_UNAVAILABLE", 503, ""},
		"a certificate":  {"device", nil, codes.PermissionDenied, "DELEGATION_UNAVAILABLE", 403, ""},
		"an application": {"export", nil, codes.PermissionDenied, "DELEGATION_UNAVAILABLE", 403, ""},
		"of elsewhere":   {"foreigner", nil, codes.PermissionDenied, "POLICY_DENIED", 403, ""},
	} {
		g.users.setFail(c.fail)
		_, err := parleyv1.NewConversationServiceClient(g.conn).ListConversations(as(t.Context(), c.caller), &parleyv1.ListConversationsRequest{Parent: "users/" + annaID})
		expect(t, name, err, c.code, c.reason)
		if have := apierror.Info(status.Convert(err)).GetMetadata()[apierror.MetaClaims]; have != c.claims {
			t.Errorf("%s: claims %q, want %q", name, have, c.claims)
		}
		for _, path := range []string{"/v1/users/" + annaID + "/conversations", "/v1/users/" + annaID + "/conversations:stream"} {
			resp := g.get(t, path, "Authorization", "Bearer "+c.caller)
			challenge := resp.Header.Get("WWW-Authenticate")
			if strings.HasSuffix(path, ":stream") && c.caller != "delegate" {
				continue // the rule for everybody is for lists
			}
			if resp.StatusCode != c.http || (challenge == "") != (c.http != 401) || strings.Contains(challenge, encoded) != (c.claims != "") {
				t.Errorf("%s: %s: %d %q", name, path, resp.StatusCode, challenge)
			}
		}
		if !g.untouched() {
			t.Errorf("%s: something was read", name)
		}
		for _, record := range g.records.take(t) {
			if record.Outcome != nil && record.RPC == "ListConversations" && record.Outcome.Reason != c.reason {
				t.Errorf("%s: record %+v", name, record)
			}
		}
	}
}

// TestChatsOfOthers lets Graph refuse a chat to the user themselves: who is not in it learns nothing more than that.
func TestChatsOfOthers(t *testing.T) {
	t.Parallel()
	g := startGuarded(t, nil)
	for name, c := range map[string]struct {
		caller string
		fail   *graph.Error
		code   codes.Code
		reason string
	}{
		"not in it":         {"delegate", &graph.Error{Kind: graph.KindRefused, Status: 403}, codes.NotFound, "NOT_FOUND"},
		"no such chat":      {"delegate", &graph.Error{Kind: graph.KindNotFound, Status: 404}, codes.NotFound, "NOT_FOUND"},
		"no permission":     {"delegate", &graph.Error{Kind: graph.KindForbidden, Status: 403, Roles: []string{"Chat.Read"}}, codes.PermissionDenied, "GRAPH_PERMISSION_MISSING"},
		"the application's": {"officer", &graph.Error{Kind: graph.KindForbidden, Status: 403}, codes.PermissionDenied, "GRAPH_PERMISSION_MISSING"},
	} {
		g.getChat = func(string, string, string) (*parleyv1.Conversation, error) { return nil, c.fail }
		g.getEvent = func(string, string, source.Ref) (*parleyv1.Event, error) { return nil, c.fail }
		ctx := as(t.Context(), c.caller)
		events := parleyv1.NewEventServiceClient(g.conn)
		_, err := parleyv1.NewConversationServiceClient(g.conn).GetConversation(ctx, &parleyv1.GetConversationRequest{Name: "users/" + annaID + belowChat})
		expect(t, name+", chat", err, c.code, c.reason)
		_, err = events.ListEvents(ctx, &parleyv1.ListEventsRequest{Parent: "users/" + annaID + belowChat})
		expect(t, name+", messages", err, c.code, c.reason)
		_, err = events.GetEvent(ctx, &parleyv1.GetEventRequest{Name: "users/" + annaID + message})
		expect(t, name+", one message", err, c.code, c.reason)
	}
}

// TestPermissionChangesUnderAStream replaces the application's permission by the user's while a stream runs: it ends, since
// what it reads is not what the policy now allows.
func TestPermissionChangesUnderAStream(t *testing.T) {
	t.Parallel()
	g := startGuarded(t, nil)
	feed := g.fed()
	ctx, cancel := context.WithCancel(as(t.Context(), "owner"))
	defer cancel()
	stream, err := parleyv1.NewEventServiceClient(g.conn).StreamEvents(ctx, &parleyv1.StreamEventsRequest{Parent: "users/me" + belowChat})
	if err != nil {
		t.Fatal(err)
	}
	feed <- struct{}{}
	for range 2 {
		if _, err := stream.Recv(); err != nil {
			t.Fatal(err)
		}
	}
	g.write(t, strings.ReplaceAll(handbook(t, "on-behalf-of.yaml", false), "Chats.AsUser", "Conversations.Read"))
	g.pass(time.Minute)
	feed <- struct{}{}
	_, err = stream.Recv()
	expect(t, "the stream", err, codes.PermissionDenied, "POLICY_DENIED")
	if asked := g.users.take(); len(asked) != 0 {
		t.Errorf("asked for %+v", asked)
	}
}

// TestNarrowerRuleUnderAStream: a stream under a rule for all users ends when only a narrower one is left, which wants more
// proved; under that rule the same call is made with proof.
func TestNarrowerRuleUnderAStream(t *testing.T) {
	t.Parallel()
	g := startGuarded(t, nil)
	feed := g.fed()
	rules := func(users string) string {
		return "rules:\n  - name: r\n    match: {authenticated: true}\n    allow: {rpcs: [StreamEvents], sources: [call], view: full, users: " + users + "}\n"
	}
	g.write(t, rules("all"))
	g.pass(time.Minute)
	ctx, cancel := context.WithCancel(as(t.Context(), "owner"))
	defer cancel()
	request := &parleyv1.StreamEventsRequest{Parent: "users/me", Sources: []parleyv1.Source{parleyv1.Source_SOURCE_CALL}}
	begin := func() grpc.ServerStreamingClient[parleyv1.StreamEventsResponse] {
		stream, err := parleyv1.NewEventServiceClient(g.conn).StreamEvents(ctx, request)
		if err != nil {
			t.Fatal(err)
		}
		feed <- struct{}{}
		for range 2 {
			if _, err := stream.Recv(); err != nil {
				t.Fatal(err)
			}
		}
		return stream
	}
	stream := begin()
	g.write(t, rules("own"))
	g.pass(time.Minute)
	feed <- struct{}{}
	_, err := stream.Recv()
	expect(t, "the stream", err, codes.PermissionDenied, "POLICY_DENIED")
	begin()
	requests, _, _ := g.take()
	proved := make([]bool, 0, len(requests))
	for _, r := range requests {
		if events, ok := r.(query.Events); ok {
			proved = append(proved, events.Narrow)
		}
	}
	if !slices.Equal(proved, []bool{false, true}) {
		t.Errorf("proved: %v", proved)
	}
}

// TestNoDelegates checks a deployment whose credential cannot act on behalf of users.
func TestNoDelegates(t *testing.T) {
	t.Parallel()
	g := startGuarded(t, func(c *server.Config) { c.Tenants["contoso"].Delegates = nil })
	_, err := parleyv1.NewConversationServiceClient(g.conn).ListConversations(as(t.Context(), "delegate"), &parleyv1.ListConversationsRequest{Parent: "users/me"})
	expect(t, "no delegates", err, codes.PermissionDenied, "DELEGATION_UNAVAILABLE")
	if !g.untouched() {
		t.Error("something was read")
	}
}
