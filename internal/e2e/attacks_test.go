package e2e_test

import (
	"bufio"
	"encoding/json"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/parley-gateway/parley/graphsim"
	"github.com/parley-gateway/parley/graphsim/faults"
	"github.com/parley-gateway/parley/internal/config"
)

// bothPolicies lets callers read with the application's permission by role, and on behalf of themselves by scope.
func bothPolicies(t *testing.T, settings *config.Settings) {
	t.Helper()
	var text strings.Builder
	text.WriteString("rules:\n")
	for _, name := range []string{"entra-app-roles.yaml", "on-behalf-of.yaml"} {
		content, err := os.ReadFile(filepath.Join("..", "..", "docs", "policies", name))
		if err != nil {
			t.Fatal(err)
		}
		if _, rules, found := strings.Cut(string(content), "\nrules:\n"); found {
			text.WriteString(rules)
		}
	}
	settings.PolicyFile = file(t, "policy.yaml", []byte(text.String()))
	settings.CallerRate = 0
}

// TestBitFlipsInEverySealedToken alters tokens of each kind all along: none opens. Package seal tries every bit.
func TestBitFlipsInEverySealedToken(t *testing.T) {
	t.Parallel()
	g := guardOver(t, graphsim.Config{Users: 12, Chats: 120, Messages: 2000, Interactions: 100, Calls: 30, ReportPageSize: 2}, func(settings *config.Settings) {
		bothPolicies(t, settings)
		settings.GraphVersionUsage = "beta" // in pages
	})
	user := g.sim.DemoUser().ID
	job := g.token(t, graphsim.CallerToken{Roles: []string{"Conversations.Export.All"}})
	self := g.token(t, graphsim.CallerToken{User: user, Scopes: []string{asUser}})
	chats := g.list(t, self, "/v1/users/me/conversations?pageSize=10").Conversations
	busy, most := "", 0
	for _, c := range chats {
		if n := g.messages(c.ChatID); n > most {
			busy, most = c.ChatID, n
		}
	}
	kinds := 0
	for _, c := range []struct{ token, path, parameter string }{
		{job, "/v1/users?pageSize=1", "pageToken"},
		{job, "/v1/users/" + user + "/conversations?pageSize=1", "pageToken"},
		{self, "/v1/users/me/conversations?pageSize=1", "pageToken"},
		{job, "/v1/users/" + user + "/events?pageSize=1", "pageToken"},
		{self, "/v1/users/me/conversations/" + busy + "/events?pageSize=1&orderBy=event_time%20desc", "pageToken"},
		{job, "/v1/copilotUsage?period=D7&pageSize=1", "pageToken"},
		{job, "/v1/users/" + user + "/conversations:stream?", "resumeToken"},
		{job, "/v1/users/" + user + "/events:stream?sources=SOURCE_CHAT&startTime=" + day(3), "resumeToken"},
		{job, "/v1/copilotUsage:stream?period=D7", "resumeToken"},
	} {
		tokens := []string{}
		if c.parameter == "pageToken" {
			tokens = append(tokens, g.list(t, c.token, c.path).Next)
		} else {
			tokens = g.resumeTokens(t, c.token, c.path)
		}
		for _, sealed := range tokens {
			if sealed == "" {
				t.Fatalf("%s gives no token", c.path)
			}
			kinds++
			target := c.path + "&" + c.parameter + "="
			for i := 0; i < len(sealed); i += 1 + len(sealed)/100 {
				flipped := []byte(sealed)
				flipped[i] ^= 1 << (i % 7)
				if status, reason, _ := g.ask(t, c.token, target+url.QueryEscape(string(flipped))); status != http.StatusBadRequest || reason != "TOKEN_REFUSED" {
					t.Errorf("%s: character %d of %d altered: %d %s", c.path, i, len(sealed), status, reason)
				}
			}
		}
	}
	if kinds < 12 {
		t.Errorf("only %d tokens were tried", kinds)
	}
}

// position is what tests read of a checkpoint or a summary.
type position struct {
	ResumeToken string `json:"resumeToken"`
}

// resumeTokens are the tokens of a stream's first checkpoint and of its summary.
func (g *guarded) resumeTokens(t *testing.T, token, path string) []string {
	t.Helper()
	status, reason, body := g.ask(t, token, path)
	if status != http.StatusOK {
		t.Fatalf("%s: %d %s", path, status, reason)
	}
	first, last := "", ""
	lines := bufio.NewScanner(strings.NewReader(body))
	lines.Buffer(nil, 8<<20)
	for lines.Scan() {
		var frame struct {
			Checkpoint position `json:"checkpoint"`
			Summary    position `json:"summary"`
		}
		if err := json.Unmarshal(lines.Bytes(), &frame); err != nil {
			t.Fatal(err)
		}
		if first == "" {
			first = frame.Checkpoint.ResumeToken
		}
		last = frame.Summary.ResumeToken
	}
	return []string{first, last}
}

// TestNothingLeavesForTheHostsOfAHostileGraph lets Graph lead the gateway astray: no byte goes to another host, and no word of Graph's to the caller or
// into the log.
func TestNothingLeavesForTheHostsOfAHostileGraph(t *testing.T) {
	t.Parallel()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var visits atomic.Int64
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			visits.Add(1)
			conn.Close()
		}
	}()
	t.Cleanup(func() {
		listener.Close()
		<-stopped
	})
	g := guardOver(t, graphsim.Config{Users: 12, Chats: 40, Messages: 2000, Interactions: 100, Calls: 30}, func(settings *config.Settings) { bothPolicies(t, settings) })
	user := g.sim.DemoUser().ID
	job := g.token(t, graphsim.CallerToken{Roles: []string{"Conversations.Export.All"}})
	self := g.token(t, graphsim.CallerToken{User: user, Scopes: []string{asUser}})
	elsewhere := listener.Addr().String()
	for name, c := range map[string]struct {
		fault faults.Fault
		want  string
	}{
		"a link elsewhere":      {faults.Fault{Kind: faults.ForeignLink, Host: elsewhere}, "GRAPH_LINK_REFUSED"},
		"a link in the clear":   {faults.Fault{Kind: faults.HTTPLink}, "GRAPH_LINK_REFUSED"},
		"HTML in place of JSON": {faults.Fault{Kind: faults.HTMLError, Status: 403}, "GRAPH_PERMISSION_MISSING"},
	} {
		c.fault.Match = "/chats" // Graph's paths of both requests, and none of Entra's
		if err := g.sim.SetFaults([]faults.Fault{c.fault}); err != nil {
			t.Fatal(err)
		}
		for _, q := range []struct{ token, path string }{
			{job, "/v1/users/" + user + "/events?sources=SOURCE_CHAT&pageSize=1000&startTime=" + day(20)},
			{self, "/v1/users/me/conversations?pageSize=1000"},
		} {
			_, _, body := g.ask(t, q.token, q.path, "Cache-Control", "max-age=0")
			if !strings.Contains(body, c.want) || strings.Contains(body, elsewhere) || strings.Contains(body, "<html") {
				t.Errorf("%s: %s: %.600s", name, q.path, body)
			}
		}
	}
	if n := visits.Load(); n != 0 {
		t.Errorf("%d connections went to another host", n)
	}
	for where, text := range g.written(t) {
		for _, word := range []string{elsewhere, "<html", "eyJ"} {
			if strings.Contains(text, word) {
				t.Errorf("%s in the %s", word, where)
			}
		}
	}
}
