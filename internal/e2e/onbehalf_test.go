package e2e_test

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/parley-gateway/parley/graphsim"
	"github.com/parley-gateway/parley/internal/config"
)

const (
	asUser  = "Chats.AsUser"
	usageAs = "Usage.AsUser"
)

// serveUsers runs a gateway whose policy has Graph asked on behalf of users, over one tenant.
func serveUsers(t *testing.T, simulator graphsim.Config, change func(*config.Settings)) *guarded {
	t.Helper()
	simulator.Users, simulator.Chats, simulator.Messages, simulator.Interactions, simulator.Calls = max(simulator.Users, 12), 40, 400, 100, 30
	return guardOver(t, simulator, func(settings *config.Settings) {
		settings.PolicyFile = filepath.Join("..", "..", "docs", "policies", "on-behalf-of.yaml")
		if change != nil {
			change(settings)
		}
	})
}

// delegated are the requests that Graph received with tokens of users.
func (g *guarded) delegated() []graphsim.Request {
	return slices.DeleteFunc(g.sim.Requests(), func(r graphsim.Request) bool { return r.User == "" })
}

// exchanges counts the token requests but for the application's own.
func (g *guarded) exchanges() int {
	n := 0
	for _, r := range g.sim.Requests() {
		if r.Source == "token" && r.Method == http.MethodPost {
			n++
		}
	}
	return n
}

// viewed is a chat as its reader sees it.
type viewed struct {
	Name      string `json:"name"`
	ChatID    string `json:"chatId"`
	Viewpoint *struct {
		IsHidden bool      `json:"isHidden"`
		Read     time.Time `json:"lastMessageReadTime"`
	} `json:"viewpoint"`
}

func (g *guarded) chats(t *testing.T, token string) map[string]viewed {
	t.Helper()
	status, reason, body := g.ask(t, token, "/v1/users/me/conversations?pageSize=1000&view=EVENT_VIEW_FULL")
	var page struct {
		Conversations []viewed `json:"conversations"`
	}
	if err := json.Unmarshal([]byte(body), &page); err != nil || status != http.StatusOK || len(page.Conversations) == 0 {
		t.Fatalf("%d %s %v %.300s", status, reason, err, body)
	}
	byID := map[string]viewed{}
	for _, c := range page.Conversations {
		byID[c.ChatID] = c
	}
	return byID
}

// named is an event of a list.
type named struct {
	Name string `json:"name"`
}

// asked is whom Graph was asked as, in a record.
type asked struct {
	Permission string `json:"permission"`
	Identity   string `json:"identity"`
}

// messages counts the messages of a chat.
func (g *guarded) messages(chat string) int {
	n := 0
	for range g.sim.Oracle("").ChatMessages(chat, time.Time{}, time.Time{}) {
		n++
	}
	return n
}

// TestTwoUsersSideBySide reads the same chats on behalf of two of their members: each sees their own view of them, Graph sees
// each with their own token, and neither a page nor a cursor of one is of use to the other.
func TestTwoUsersSideBySide(t *testing.T) {
	t.Parallel()
	g := serveUsers(t, graphsim.Config{}, nil)
	people := slices.Collect(g.sim.Oracle("").Users())[:2]
	tokens := [2]string{}
	seen := [2]map[string]viewed{}
	for i, p := range people {
		tokens[i] = g.token(t, graphsim.CallerToken{User: p.ID, Scopes: []string{asUser}})
		seen[i] = g.chats(t, tokens[i])
	}
	shared, most, differ, own := "", 0, 0, ""
	for id, first := range seen[0] {
		second, both := seen[1][id]
		if !both {
			own = id
			continue
		}
		if n := g.messages(id); n > most {
			shared, most = id, n
		}
		if first.Viewpoint == nil || second.Viewpoint == nil {
			t.Fatalf("no viewpoint: %+v %+v", first, second)
		}
		if *first.Viewpoint != *second.Viewpoint {
			differ++
		}
	}
	if most < 2 || own == "" || differ == 0 {
		t.Fatalf("shared %q, own %q, %d views differ", shared, own, differ)
	}
	pages := [2]string{}
	for i := range people {
		path := "/v1/users/me/conversations/" + shared + "/events?pageSize=1&orderBy=event_time%20desc"
		var page struct {
			Events []named `json:"events"`
			Next   string  `json:"nextPageToken"`
		}
		status, reason, body := g.ask(t, tokens[i], path)
		if err := json.Unmarshal([]byte(body), &page); err != nil || status != http.StatusOK || len(page.Events) != 1 || page.Next == "" {
			t.Fatalf("user %d: %d %s %v %.300s", i, status, reason, err, body)
		}
		if !strings.HasPrefix(page.Events[0].Name, "users/"+people[i].ID+"/") {
			t.Errorf("user %d is answered with %s", i, page.Events[0].Name)
		}
		pages[i] = page.Next
		if status, reason, body := g.ask(t, tokens[i], "/v1/"+page.Events[0].Name); status != http.StatusOK {
			t.Errorf("one message of user %d: %d %s %.300s", i, status, reason, body)
		}
	}
	for i := range people {
		if status, reason, _ := g.ask(t, tokens[i], "/v1/users/me/conversations/"+shared+"/events?pageSize=1&orderBy=event_time%20desc&pageToken="+pages[1-i]); reason != "TOKEN_REFUSED" {
			t.Errorf("user %d goes on from another's token: %d %s", i, status, reason)
		}
	}
	for _, path := range []string{own, own + "/events"} {
		if status, reason, _ := g.ask(t, tokens[1], "/v1/users/me/conversations/"+path); status != http.StatusNotFound || reason != "NOT_FOUND" {
			t.Errorf("another's chat: %d %s", status, reason)
		}
	}
	if status, reason, _ := g.ask(t, tokens[1], "/v1/users/"+people[0].ID+"/conversations"); status != http.StatusForbidden || reason != "POLICY_DENIED" {
		t.Errorf("another user: %d %s", status, reason)
	}
	for _, r := range g.delegated() {
		if !strings.Contains(r.Path, "/users/"+r.User) {
			t.Errorf("%s with the token of %s", r.Path, r.User)
		}
	}
	if n := g.exchanges(); n != 3 {
		t.Errorf("%d token requests, want the application's and two exchanges", n)
	}
	// Kept pages serve the same user without Graph, and still nobody else.
	g.sim.ResetRequests()
	g.chats(t, tokens[0])
	if n := len(g.sim.Requests()); n != 0 {
		t.Errorf("%d requests for pages that were just read", n)
	}
	fresh := g.token(t, graphsim.CallerToken{User: people[0].ID, Scopes: []string{asUser}, Lifetime: 50 * time.Minute})
	g.chats(t, fresh)
	if n := g.exchanges(); n != 1 || len(g.delegated()) != 0 {
		t.Errorf("another token of the same user: %d exchanges, %d other requests; want one exchange, and the kept pages", n, len(g.delegated()))
	}
	g.checkGraphIdentities(t, people)
}

// checkGraphIdentities reads in the records whom Graph was asked as.
func (g *guarded) checkGraphIdentities(t *testing.T, people []graphsim.Person) {
	t.Helper()
	text, err := os.ReadFile(g.records)
	if err != nil {
		t.Fatal(err)
	}
	allowed := map[string]int{}
	for line := range strings.Lines(string(text)) {
		var record struct {
			Kind   string  `json:"kind"`
			Rule   string  `json:"rule"`
			Caller someone `json:"caller"`
			Graph  *asked  `json:"graph"`
		}
		if err := json.Unmarshal([]byte(line), &record); err != nil {
			t.Fatal(err)
		}
		switch {
		case record.Rule == "" && record.Graph != nil:
			t.Errorf("a denied call asked Graph: %s", line)
		case record.Rule != "" && (record.Graph == nil || record.Graph.Permission != "on_behalf_of" || !strings.HasSuffix(record.Caller.ID, "/"+record.Graph.Identity)):
			t.Errorf("record %s", line)
		case record.Rule != "":
			allowed[record.Graph.Identity]++
		}
	}
	if allowed[people[0].ID] == 0 || allowed[people[1].ID] == 0 {
		t.Errorf("identities on record: %v", allowed)
	}
}

// TestOnBehalfOfRefusals checks what a rule with `graph: on_behalf_of` answers where it cannot serve.
func TestOnBehalfOfRefusals(t *testing.T) {
	t.Parallel()
	g := serveUsers(t, graphsim.Config{}, nil)
	people := slices.Collect(g.sim.Oracle("").Users())
	token := func(q graphsim.CallerToken) string { return g.token(t, q) }
	scopes := []string{asUser}
	own := token(graphsim.CallerToken{User: people[0].ID, Scopes: scopes})
	for i, standing := range []graphsim.Standing{{NoConsent: true}, {StepUp: true}, {Revoked: true}, {ReportsReader: true}} {
		if err := g.sim.SetStanding(people[i+1].ID, standing); err != nil {
			t.Fatal(err)
		}
	}
	for name, c := range map[string]struct {
		token, path string
		status      int
		reason      string
	}{
		"chats":                       {own, "/v1/users/me/conversations", 200, ""},
		"all sources":                 {own, "/v1/users/me/events", 403, "DELEGATION_UNAVAILABLE"},
		"Copilot":                     {own, "/v1/users/me/events?sources=SOURCE_COPILOT", 403, "DELEGATION_UNAVAILABLE"},
		"the chat export":             {own, "/v1/users/me/events?sources=SOURCE_CHAT", 403, "DELEGATION_UNAVAILABLE"},
		"calls":                       {own, "/v1/users/-/events", 403, "DELEGATION_UNAVAILABLE"},
		"a call":                      {own, "/v1/users/me/events/call,00000000-0000-4000-8000-000000000001", 403, "DELEGATION_UNAVAILABLE"},
		"the directory":               {own, "/v1/users", 403, "DELEGATION_UNAVAILABLE"},
		"usage, no scope for it":      {own, "/v1/copilotUsage?period=D7", 403, "POLICY_DENIED"},
		"usage, no role in Entra":     {token(graphsim.CallerToken{User: people[0].ID, Scopes: []string{usageAs}}), "/v1/copilotUsage?period=D7", 403, "GRAPH_PERMISSION_MISSING"},
		"usage, a reader":             {token(graphsim.CallerToken{User: people[4].ID, Scopes: []string{usageAs}}), "/v1/copilotUsage?period=D7", 200, ""},
		"usage as a file":             {token(graphsim.CallerToken{User: people[4].ID, Scopes: []string{usageAs}}), "/v1/copilotUsage:download?period=D7", 200, ""},
		"no consent":                  {token(graphsim.CallerToken{User: people[1].ID, Scopes: scopes}), "/v1/users/me/conversations", 403, "CONSENT_REQUIRED"},
		"no consent, stream":          {token(graphsim.CallerToken{User: people[1].ID, Scopes: scopes}), "/v1/users/me/conversations:stream", 403, "CONSENT_REQUIRED"},
		"more than a password":        {token(graphsim.CallerToken{User: people[2].ID, Scopes: scopes}), "/v1/users/me/conversations", 401, "SIGN_IN_REQUIRED"},
		"challenged by Graph":         {token(graphsim.CallerToken{User: people[3].ID, Scopes: scopes}), "/v1/users/me/conversations", 401, "SIGN_IN_REQUIRED"},
		"for another application":     {token(graphsim.CallerToken{User: people[0].ID, Scopes: scopes, Audience: "api://other"}), "/v1/users/me/conversations", 401, "SIGN_IN_REQUIRED"},
		"an application by this rule": {token(graphsim.CallerToken{Roles: scopes}), "/v1/users/" + people[0].ID + "/conversations", 403, "POLICY_DENIED"},
	} {
		if status, reason, body := g.ask(t, c.token, c.path); status != c.status || reason != c.reason {
			t.Errorf("%s: %d %s, want %d %s: %.300s", name, status, reason, c.status, c.reason, body)
		}
	}
	// It is the user who lacks a role, and the answer names those that would do.
	_, _, body := g.ask(t, token(graphsim.CallerToken{User: people[0].ID, Scopes: []string{usageAs}}), "/v1/copilotUsage?period=D7")
	for _, words := range []string{"signed-in user", "Reports Reader", "user_roles"} {
		if !strings.Contains(body, words) {
			t.Errorf("no %q in %.600s", words, body)
		}
	}
	// The report is the same for everybody who may see it; a kept page of theirs is no page of anybody else's.
	path := "/v1/copilotUsage?period=D90"
	for _, c := range []struct{ user, status int }{{4, 200}, {4, 200}, {0, 403}} {
		if status, reason, _ := g.ask(t, token(graphsim.CallerToken{User: people[c.user].ID, Scopes: []string{usageAs}}), path); status != c.status {
			t.Errorf("user %d reads the report: %d %s, want %d", c.user, status, reason, c.status)
		}
	}
	// None of it is written: not the users' names, their tokens, or those of Graph that they were exchanged for.
	for where, text := range g.written(t) {
		for what, secret := range map[string]string{
			"a token": "eyJ", "the user's token": own[len(own)-24:], "a user name": people[0].UPN, "another's name": people[4].UPN,
			"client secret": graphsim.DemoClientSecret, "Entra's words": "administrator has not consented",
		} {
			if strings.Contains(text, secret) {
				t.Errorf("%s in the %s", what, where)
			}
		}
	}
}
