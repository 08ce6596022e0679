package server_test

import (
	"context"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
)

// TestTheSameRuleDecidesByIDAndByName: a rule about the user that stands before one for all users decides, whether the user is named by object id or by
// user principal name. A stream, whose rule is looked at again while it runs, goes on.
func TestTheSameRuleDecidesByIDAndByName(t *testing.T) {
	t.Parallel()
	const rules = "rules:\n" +
		"  - name: own\n    match: {scope: Chats.AsUser}\n    allow: {rpcs: [ListEvents], sources: [chat], view: full, users: own, graph: on_behalf_of}\n" +
		"  - name: listed\n    match: {subject: \"spiffe://contoso.example/archive\"}\n    allow: {rpcs: [StreamEvents], sources: [chat], view: full, users: {listed: people}}\n" +
		"  - name: all\n    match: {scope: Chats.AsUser}\n    allow: {rpcs: [ListEvents], sources: [chat], view: full, users: all}\n" +
		"  - name: stream-all\n    match: {subject: \"spiffe://contoso.example/archive\"}\n    allow: {rpcs: [StreamEvents], sources: [chat], view: full, users: all}\n"
	for _, user := range []string{annaID, annaUPN} {
		t.Run(user, func(t *testing.T) {
			t.Parallel()
			g := startGuarded(t, nil)
			feed := g.fed()
			g.write(t, rules)
			g.pass(time.Minute)
			client, chats := parleyv1.NewEventServiceClient(g.conn), []parleyv1.Source{parleyv1.Source_SOURCE_CHAT}
			if _, err := client.ListEvents(as(t.Context(), "delegate"), &parleyv1.ListEventsRequest{Parent: "users/" + user + belowChat, Sources: chats}); err != nil {
				t.Fatal(err)
			}
			lines := g.records.take(t)
			if last := lines[len(lines)-1]; last.Rule != "own" || last.Graph.Permission != "on_behalf_of" {
				t.Errorf("%+v", last)
			}
			ctx, cancel := context.WithTimeout(as(t.Context(), "machine"), 10*time.Second)
			defer cancel()
			stream, err := client.StreamEvents(ctx, &parleyv1.StreamEventsRequest{Parent: "users/" + user, Sources: chats})
			if err != nil {
				t.Fatal(err)
			}
			feed <- struct{}{}
			if _, err := stream.Recv(); err != nil {
				t.Errorf("the first frame: %v", err)
			}
		})
	}
}

// TestARuleMoreNeverAllowsLess: a rule about some users that is added to one for all users takes nothing away, where Graph does not tell the id of
// the named user, or nobody has the name.
func TestARuleMoreNeverAllowsLess(t *testing.T) {
	t.Parallel()
	const (
		match  = "    match: {subject: \"spiffe://contoso.example/archive\"}\n"
		all    = "rules:\n  - name: all\n" + match + "    allow: {rpcs: [ListEvents], sources: [chat], view: full, users: all}\n"
		listed = "  - name: listed\n" + match + "    allow: {rpcs: [ListEvents], sources: [chat, copilot, call], view: full, users: {listed: people}}\n"
	)
	for user, want := range map[string]codes.Code{annaUPN: codes.OK, boUPN: codes.OK, "nobody@contoso.example": codes.NotFound} {
		for _, rules := range []string{all, all + listed} {
			g := startGuarded(t, nil)
			g.write(t, rules)
			g.pass(time.Minute)
			_, err := parleyv1.NewEventServiceClient(g.conn).ListEvents(as(t.Context(), "machine"), &parleyv1.ListEventsRequest{Parent: "users/" + user + belowChat})
			if status.Code(err) != want {
				t.Errorf("%s: %v, want %v, under\n%s", user, err, want, rules)
			}
		}
	}
}
