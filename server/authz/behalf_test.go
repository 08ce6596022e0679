package authz_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/server/authn"
	"github.com/parley-gateway/parley/server/authz"
	"github.com/parley-gateway/parley/server/reload"
)

const delegating = "rpcs: [ListConversations, ListEvents, GetEvent], sources: [conversation, chat], view: full, users: own, graph: on_behalf_of"

func TestOnBehalfMistakes(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ match, allow, want string }{
		"unknown":            {"role: r", strings.Replace(delegating, "on_behalf_of", "onbehalf", 1), `unknown graph "onbehalf"; known are application, on_behalf_of`},
		"Copilot":            {"role: r", strings.Replace(delegating, "chat]", "chat, copilot]", 1), "allows source copilot with `graph: on_behalf_of`"},
		"all sources":        {"role: r", strings.Replace(delegating, "[conversation, chat]", "all", 1), "allows source call with"},
		"the directory":      {"role: r", "rpcs: [ListUsers], sources: [user], view: full, users: all, graph: on_behalf_of", "allows source user with"},
		"all users":          {"role: r", strings.Replace(delegating, "own", "all", 1), "of all users with `graph: on_behalf_of`"},
		"listed users":       {"role: r", strings.Replace(delegating, "own", "{listed: people}", 1), "allows listed users with"},
		"callers of no user": {"kind: [application, certificate]", "rpcs: [ListCopilotUsage], sources: [usage], view: metadata, users: all, graph: on_behalf_of", "of a kind that has no user behind it"},
	} {
		_, err := parse(t, "rules:\n"+rule("r", c.match, c.allow), map[string]string{"people": bob})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

// TestOnBehalfDecisions checks which permission a decision names, and why a rule cannot be kept.
func TestOnBehalfDecisions(t *testing.T) {
	t.Parallel()
	rules := "rules:\n" + rule("mine", "authenticated: true", delegating) +
		rule("usage", "scope: Usage", "rpcs: [ListCopilotUsage], sources: [usage], view: metadata, users: all, graph: on_behalf_of") +
		rule("officer", "role: Officer", "rpcs: all, sources: all, view: full, users: all, graph: application")
	p, err := parse(t, rules, nil)
	if err != nil {
		t.Fatal(err)
	}
	plain := user(func(c *authn.Caller) { c.Roles, c.Scopes = nil, nil })
	officer := user(func(c *authn.Caller) { c.Roles, c.Scopes = []string{"Officer"}, nil })
	reporter := user(func(c *authn.Caller) { c.Roles, c.Scopes = nil, []string{"Usage"} })
	machine := &authn.Caller{Kind: authn.KindCertificate, Subject: "m"}
	own := func(rpc string, src ...parleyv1.Source) authz.Request {
		return authz.Request{RPC: rpc, User: ada, Sources: src, View: basic}
	}
	below := own("ListEvents", chat)
	below.Conversation = true
	elsewhere := own("ListConversations", conversation)
	elsewhere.Tenant = inB
	for name, c := range map[string]struct {
		caller *authn.Caller
		req    authz.Request
		want   authz.Decision
	}{
		"chats":                    {plain, own("ListConversations", conversation), authz.Decision{Answer: authz.Allowed, Rule: "mine", OnBehalf: true}},
		"one chat's messages":      {plain, below, authz.Decision{Answer: authz.Allowed, Rule: "mine", OnBehalf: true}},
		"one message":              {plain, own("GetEvent", chat), authz.Decision{Answer: authz.Allowed, Rule: "mine", OnBehalf: true}},
		"the export":               {plain, own("ListEvents", chat), authz.Decision{Obstacle: authz.NotOffered}},
		"Copilot":                  {plain, own("ListEvents", copilot), authz.Decision{Obstacle: authz.NotOffered}},
		"Copilot beside a chat":    {plain, own("GetEvent", chat, copilot), authz.Decision{Obstacle: authz.NotOffered}},
		"another's chats":          {plain, authz.Request{RPC: "ListConversations", User: bob, Sources: []parleyv1.Source{conversation}, View: basic}, authz.Decision{}},
		"an officer's own chats":   {officer, own("ListConversations", conversation), authz.Decision{Answer: authz.Allowed, Rule: "mine", OnBehalf: true}},
		"an officer's export":      {officer, own("ListEvents", chat), authz.Decision{Answer: authz.Allowed, Rule: "officer", AllUsers: true}},
		"an officer, another user": {officer, authz.Request{RPC: "ListConversations", User: bob, Sources: []parleyv1.Source{conversation}, View: basic}, authz.Decision{Answer: authz.Allowed, Rule: "officer", AllUsers: true}},
		"an officer as program":    {user(func(c *authn.Caller) { application(c); c.Roles = []string{"Officer"} }), own("ListConversations", conversation), authz.Decision{Answer: authz.Allowed, Rule: "officer", AllUsers: true}},
		"usage":                    {reporter, authz.Request{RPC: "ListCopilotUsage", Sources: []parleyv1.Source{usage}}, authz.Decision{Answer: authz.Allowed, Rule: "usage", AllUsers: true, OnBehalf: true}},
		"a certificate":            {machine, own("ListConversations", conversation), authz.Decision{Obstacle: authz.NoUser}},
		"a program":                {user(application), own("ListConversations", conversation), authz.Decision{Obstacle: authz.NoUser}},
		"another tenant's":         {plain, elsewhere, authz.Decision{}},
	} {
		if c.req.Tenant.Alias == "" {
			c.req.Tenant = authz.Tenant{Alias: "a", ID: tenantA, Only: true}
		}
		have := p.Decide(c.caller, c.req)
		have.Digest = ""
		if have.Answer == authz.Allowed {
			have.Obstacle = authz.NoObstacle
		}
		if have != c.want {
			t.Errorf("%s: %+v, want %+v", name, have, c.want)
		}
	}
	if names := strings.Join(p.RulesOnBehalf(), " "); names != "mine usage" {
		t.Errorf("rules on behalf: %q", names)
	}
}

// TestOnBehalfOfPolicy checks the file that comes with the handbook, and that a deployment that cannot keep it refuses it at
// start and at a change.
func TestOnBehalfOfPolicy(t *testing.T) {
	t.Parallel()
	shipped := filepath.Join("..", "..", "docs", "policies", "on-behalf-of.yaml")
	p, err := authz.Parse(shipped, []string{"a"}, reload.ReadFile)
	if err != nil {
		t.Fatal(err)
	}
	if len(p.RulesOnBehalf()) != len(p.Rules()) || len(p.Rules()) != 2 {
		t.Errorf("rules %v, on behalf %v", p.Rules(), p.RulesOnBehalf())
	}
	unable := func(p *authz.Policy) error {
		if len(p.RulesOnBehalf()) > 0 {
			return errors.New("cannot act on behalf of users")
		}
		return nil
	}
	if _, err := authz.Open(shipped, []string{"a"}, reload.Options{}, unable); err == nil || !strings.Contains(err.Error(), "cannot act") {
		t.Errorf("at start: %v", err)
	}
	now, content := time.Now(), "rules:\n"+rule("r", "role: r", everything)
	var failed error
	path := filepath.Join(t.TempDir(), "policy.yaml")
	write(t, path, content)
	store, err := authz.Open(path, []string{"a"}, reload.Options{Now: func() time.Time { return now }, Report: func(err error) { failed = err }}, unable)
	if err != nil {
		t.Fatal(err)
	}
	before := store.Current().Digest()
	write(t, path, content+rule("mine", "role: r", delegating))
	now = now.Add(time.Minute)
	if store.Current().Digest() != before || failed == nil {
		t.Errorf("a change that the deployment cannot keep is in force (%v)", failed)
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
