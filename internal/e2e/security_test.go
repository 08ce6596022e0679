package e2e_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/parley-gateway/parley/graphsim"
	"github.com/parley-gateway/parley/internal/config"
)

const (
	contosoID  = "11111111-aaaa-4aaa-8aaa-111111111111"
	fabrikamID = "22222222-bbbb-4bbb-8bbb-222222222222"
)

// shared is text that several goroutines write.
type shared struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (s *shared) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buf.Write(p)
}

func (s *shared) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buf.String()
}

// guarded is a gateway that asks who calls, over a simulator of two tenants.
type guarded struct {
	sim     *graphsim.Sim
	base    string
	grpc    string // address
	admin   string
	http    *http.Client
	log     *shared
	records string // the audit file
}

func serveGuarded(t *testing.T) *guarded {
	t.Helper()
	return guardOver(t, graphsim.Config{Users: 12, Chats: 40, Messages: 400, Interactions: 100, Calls: 30, Tenants: []graphsim.Tenant{
		{ID: contosoID, Apps: []graphsim.App{{ClientID: graphsim.DemoClientID, Secret: graphsim.DemoClientSecret}}},
		{ID: fabrikamID, Apps: []graphsim.App{{ClientID: graphsim.DemoClientID, Secret: graphsim.DemoClientSecret}}},
	}}, func(settings *config.Settings) {
		contoso, fabrikam := *settings, *settings
		contoso.GraphTenantID, fabrikam.GraphTenantID = contosoID, fabrikamID
		settings.GraphTenantID = ""
		settings.Tenants = map[string]config.Settings{"contoso": contoso, "fabrikam": fabrikam}
		settings.PolicyFile = filepath.Join("..", "..", "docs", "policies", "entra-app-roles.yaml")
	})
}

// guardOver starts a simulator and a gateway that asks who calls.
func guardOver(t *testing.T, simulator graphsim.Config, change func(*config.Settings)) *guarded {
	t.Helper()
	sim := simulated(t, simulator)
	settings := settingsFor(t, sim.URL(), sim.CACertPEM())
	settings.AuthMode, settings.OIDCIssuer, settings.OIDCAudience = "oidc", sim.CallerIssuer(), "api://other, "+graphsim.DemoAudience
	settings.OIDCCAFile = settings.GraphCAFile
	settings.AuditFile = filepath.Join(t.TempDir(), "audit")
	change(&settings)
	g := &guarded{sim: sim, log: &shared{}, records: settings.AuditFile}
	running := started(t, settings, slog.NewJSONHandler(g.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	g.base, g.grpc, g.admin, g.http = "http://"+running.Addrs().HTTP, running.Addrs().GRPC, "http://"+running.Addrs().Admin, webClient(t)
	return g
}

// token signs a caller in.
func (g *guarded) token(t *testing.T, q graphsim.CallerToken) string {
	t.Helper()
	token, err := g.sim.SignCaller(q)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// ask sends a GET; the answer is its status, the error's reason if there is one, and the body.
func (g *guarded) ask(t *testing.T, token, path string, headers ...string) (status int, reason, body string) {
	t.Helper()
	status, reason, body, _ = g.askAll(t, token, path, headers...)
	return status, reason, body
}

// askAll is ask with the answer's headers.
func (g *guarded) askAll(t *testing.T, token, path string, headers ...string) (status int, reason, body string, told http.Header) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, g.base+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := g.http.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	var failure struct {
		Details []struct {
			Reason string `json:"reason"`
		} `json:"details"`
	}
	if resp.StatusCode != http.StatusOK && json.Unmarshal(text, &failure) == nil && len(failure.Details) > 0 {
		reason = failure.Details[0].Reason
	}
	return resp.StatusCode, reason, string(text), resp.Header
}

// someone is a user of a list.
type someone struct {
	ID                string `json:"id"`
	UserPrincipalName string `json:"userPrincipalName"`
}

// chat is a conversation of a list.
type chat struct {
	ChatID string `json:"chatId"`
}

// listed is what tests read of a list.
type listed struct {
	Users         []someone `json:"users"`
	Conversations []chat    `json:"conversations"`
	Next          string    `json:"nextPageToken"`
}

func (g *guarded) list(t *testing.T, token, path string) listed {
	t.Helper()
	status, reason, body := g.ask(t, token, path)
	var p listed
	if err := json.Unmarshal([]byte(body), &p); err != nil || status != http.StatusOK {
		t.Fatalf("%s: %d %s %v: %.300s", path, status, reason, err, body)
	}
	return p
}

// people returns two users of the first tenant: one who signs in, and another.
func (g *guarded) people(t *testing.T) (own, other someone) {
	t.Helper()
	job := g.token(t, graphsim.CallerToken{Roles: []string{"Conversations.Export.All"}})
	users := g.list(t, job, "/v1/users?pageSize=5").Users
	return users[0], users[1]
}

func TestSignIn(t *testing.T) {
	t.Parallel()
	g := serveGuarded(t)
	own, other := g.people(t)
	user := g.token(t, graphsim.CallerToken{User: own.ID})
	mine := g.list(t, user, "/v1/users/me/conversations?pageSize=1")
	if len(mine.Conversations) != 1 {
		t.Fatalf("%d conversations of the user", len(mine.Conversations))
	}
	officer := g.token(t, graphsim.CallerToken{User: own.ID, Roles: []string{"Conversations.Read.All"}})
	foreign := ""
	for _, chat := range g.list(t, officer, "/v1/users/"+other.ID+"/conversations?pageSize=100").Conversations {
		if status, _, _ := g.ask(t, officer, "/v1/users/"+own.ID+"/conversations/"+chat.ChatID); status == http.StatusNotFound {
			foreign = chat.ChatID
		}
	}
	if foreign == "" {
		t.Fatal("the two users share every chat")
	}
	past := time.Now().Add(-2 * time.Hour)
	for name, c := range map[string]struct {
		token, path string
		status      int
		reason      string
	}{
		"own":                     {user, "/v1/users/me/conversations", 200, ""},
		"own by id":               {user, "/v1/users/" + own.ID + "/events?pageSize=1", 200, ""},
		"own by name":             {user, "/v1/users/" + own.UserPrincipalName + "/conversations", 200, ""},
		"own chat":                {user, "/v1/users/me/conversations/" + mine.Conversations[0].ChatID, 200, ""},
		"another's chat":          {user, "/v1/users/me/conversations/" + foreign, 404, "NOT_FOUND"},
		"another's messages":      {user, "/v1/users/me/conversations/" + foreign + "/events", 404, "NOT_FOUND"},
		"another's message":       {user, "/v1/users/me/events/chat," + foreign + ",1700000000000", 404, "NOT_FOUND"},
		"another's call":          {user, "/v1/users/me/events/call,00000000-0000-4000-8000-000000000001", 404, "CALL_RECORD_UNAVAILABLE"},
		"another":                 {user, "/v1/users/" + other.ID + "/events", 403, "POLICY_DENIED"},
		"another by name":         {user, "/v1/users/" + other.UserPrincipalName + "/events", 403, "POLICY_DENIED"},
		"everybody":               {user, "/v1/users", 403, "POLICY_DENIED"},
		"the whole tenant":        {user, "/v1/users/-/events", 403, "POLICY_DENIED"},
		"nobody":                  {"", "/v1/users/me/conversations", 401, "CALLER_UNAUTHENTICATED"},
		"expired":                 {g.token(t, graphsim.CallerToken{User: own.ID, IssuedAt: past}), "/v1/users/me/conversations", 401, "CALLER_UNAUTHENTICATED"},
		"of the future":           {g.token(t, graphsim.CallerToken{User: own.ID, IssuedAt: time.Now().Add(time.Hour)}), "/v1/users/me/conversations", 401, "CALLER_UNAUTHENTICATED"},
		"for Graph":               {g.token(t, graphsim.CallerToken{User: own.ID, Audience: "https://graph.microsoft.com"}), "/v1/users/me/conversations", 401, "CALLER_UNAUTHENTICATED"},
		"an application as me":    {g.token(t, graphsim.CallerToken{Roles: []string{"Conversations.Export.All"}}), "/v1/users/me/conversations", 400, "INVALID_ARGUMENT"},
		"an application, no role": {g.token(t, graphsim.CallerToken{}), "/v1/users/" + own.ID + "/conversations", 403, "POLICY_DENIED"},
	} {
		if status, reason, body := g.ask(t, c.token, c.path); status != c.status || reason != c.reason {
			t.Errorf("%s: %d %s, want %d %s: %.300s", name, status, reason, c.status, c.reason, body)
		}
	}
	// The gateway's own token for Graph is signed with the same key, and opens nothing here.
	graph, err := g.sim.SignToken(graphsim.TokenRequest{Tenant: contosoID, Audience: graphsim.DemoAudience})
	if err != nil {
		t.Fatal(err)
	}
	if status, _, _ := g.ask(t, graph, "/v1/users/"+own.ID+"/conversations"); status != http.StatusUnauthorized {
		t.Errorf("a token of another issuer: %d", status)
	}
}

func TestMetadataReadersCannotAskForContent(t *testing.T) {
	t.Parallel()
	g := serveGuarded(t)
	own, _ := g.people(t)
	dashboard := g.token(t, graphsim.CallerToken{Roles: []string{"Conversations.Metadata.All"}})
	base := "/v1/users/" + own.ID
	for name, c := range map[string]struct {
		path   string
		status int
	}{
		"metadata":                   {base + "/events?view=EVENT_VIEW_METADATA&pageSize=1", 200},
		"a filter on metadata":       {base + "/events?view=EVENT_VIEW_METADATA&pageSize=1&filter=kind%3DEVENT_KIND_SYSTEM", 200},
		"no view":                    {base + "/events", 403},
		"more":                       {base + "/events?view=EVENT_VIEW_BASIC", 403},
		"everything":                 {base + "/conversations?view=EVENT_VIEW_FULL", 403},
		"a filter on the rest":       {base + "/conversations?view=EVENT_VIEW_METADATA&filter=installed_apps%3A%22x%22", 400},
		"the same with a view of 3":  {base + "/conversations?view=3&filter=installed_apps%3A%22x%22", 403},
		"one event, default is full": {base + "/events/call,1", 403},
	} {
		if status, reason, body := g.ask(t, dashboard, c.path); status != c.status {
			t.Errorf("%s: %d %s, want %d: %.300s", name, status, reason, c.status, body)
		}
	}
}

func TestTenantsStayApart(t *testing.T) {
	t.Parallel()
	g := serveGuarded(t)
	const all, paging = "Conversations.Export.All", "/v1/users?pageSize=1"
	job := g.token(t, graphsim.CallerToken{Roles: []string{all}})
	foreign := g.token(t, graphsim.CallerToken{Tenant: fabrikamID, Roles: []string{all}})
	ours, theirs := g.list(t, job, paging), g.list(t, foreign, paging)
	if len(ours.Users) != 1 || len(theirs.Users) != 1 {
		t.Fatalf("pages of %d and %d users", len(ours.Users), len(theirs.Users))
	}
	if ours.Users[0].ID == theirs.Users[0].ID {
		t.Error("both tenants have the same first user")
	}
	own, _ := g.people(t)
	user := g.token(t, graphsim.CallerToken{User: own.ID, Roles: []string{"Conversations.Read.All"}})
	next := url.QueryEscape(ours.Next)
	flipped := []byte(ours.Next)
	for name, c := range map[string]struct {
		token, path string
		headers     []string
		status      int
		reason      string
	}{
		"one's own page token":     {job, paging + "&pageToken=" + next, nil, 200, ""},
		"named":                    {job, paging, []string{"Parley-Tenant", "contoso"}, 200, ""},
		"another tenant by name":   {job, paging, []string{"Parley-Tenant", "fabrikam"}, 403, "POLICY_DENIED"},
		"no such tenant":           {job, paging, []string{"Parley-Tenant", "initech"}, 403, "POLICY_DENIED"},
		"another tenant's token":   {foreign, paging + "&pageToken=" + next, nil, 400, "TOKEN_REFUSED"},
		"another caller's token":   {user, paging + "&pageToken=" + next, nil, 400, "TOKEN_REFUSED"},
		"another request's token":  {job, "/v1/users/" + own.ID + "/conversations?pageToken=" + next, nil, 400, "TOKEN_REFUSED"},
		"another tenant's user id": {foreign, "/v1/users/" + own.ID + "/conversations", nil, 404, "NOT_FOUND"},
		"a token without the role": {g.token(t, graphsim.CallerToken{Tenant: fabrikamID}), paging, nil, 403, "POLICY_DENIED"},
	} {
		if status, reason, body := g.ask(t, c.token, c.path, c.headers...); status != c.status || reason != c.reason {
			t.Errorf("%s: %d %s, want %d %s: %.300s", name, status, reason, c.status, c.reason, body)
		}
	}
	for i := range flipped {
		flipped[i] ^= 1
		if status, reason, _ := g.ask(t, job, paging+"&pageToken="+url.QueryEscape(string(flipped))); status != http.StatusBadRequest || reason != "TOKEN_REFUSED" {
			t.Errorf("byte %d of a page token flipped: %d %s", i, status, reason)
		}
		flipped[i] ^= 1
	}
}

// longest returns the longest first group.
func longest(matches [][]string) string {
	most := ""
	for _, match := range matches {
		if len(match[1]) > len(most) {
			most = match[1]
		}
	}
	return most
}

// written is all that the gateway wrote so far: its log, its metrics and its audit records.
func (g *guarded) written(t *testing.T) map[string]string {
	t.Helper()
	metrics, err := http.NewRequestWithContext(t.Context(), http.MethodGet, g.admin+"/metrics", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := g.http.Do(metrics)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	numbers, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	records, err := os.ReadFile(g.records)
	if err != nil {
		t.Fatal(err)
	}
	if len(numbers) == 0 || len(records) == 0 || g.log.String() == "" {
		t.Fatal("nothing was written at all")
	}
	return map[string]string{"log": g.log.String(), "metrics": string(numbers), "audit": string(records)}
}

// TestNothingSecretIsWritten plants words in every input and looks for them in logs, metrics, audit records and errors.
func TestNothingSecretIsWritten(t *testing.T) {
	t.Parallel()
	g := serveGuarded(t)
	own, other := g.people(t)
	const canary = "zqxcanary"
	user := g.token(t, graphsim.CallerToken{User: own.ID, Roles: []string{"Conversations.Read.All"}})
	base := "/v1/users/" + own.ID
	var answers strings.Builder
	for _, c := range []struct {
		token, path string
		headers     []string
	}{
		{user, "/v1/users/" + own.UserPrincipalName + "/conversations?pageSize=1", nil},
		{user, "/v1/users/" + canary + "@contoso.example/events", nil},
		{user, "/v1/users/" + canary + "/events?pageSize=1", nil},
		{user, base + "/conversations?filter=members.display_name%3D%22" + canary + "%22", nil},
		{user, base + "/conversations?filter=" + canary + "%3D1", nil},
		{user, base + "/events?pageSize=1&filter=" + url.QueryEscape(`body.plain_text = "*`+canary+`*" OR actor = "`+canary+`*" OR links.url:"`+canary+`"`), nil},
		{user, base + "/events?pageSize=1&filter=" + url.QueryEscape(`(actor.user.id = "`+canary+`" OR actor.user.identity_type = IDENTITY_TYPE_PHONE_USER) AND attachments.name:"`+canary+`"`), nil},
		{user, base + "/events?pageSize=1&filter=" + url.QueryEscape(`correlation_id = "`+canary+`" reply_to = "`+canary), nil},
		{user, base + "/events?view=EVENT_VIEW_METADATA&filter=" + url.QueryEscape(`body.plain_text = "`+canary+`"`), nil},
		{user, base + "/events?pageSize=1&fields=name," + canary, nil},
		{user, base + "/events?pageSize=1", []string{"Parley-Fields", canary}},
		{user, base + "/events?pageToken=" + canary, nil},
		{user, base + "/events?" + canary + "=1", nil},
		{user, base + "/events?orderBy=" + canary, nil},
		{user, base + "/conversations/19:" + canary + "@thread.v2", nil},
		{user, base + "/events/chat,19:" + canary + "@thread.v2,1", nil},
		{user, base + "/events?pageSize=1", []string{"Cookie", canary, "X-Forwarded-For", canary, "User-Agent", canary, "Parley-Tenant", canary}},
		{canary, base + "/events", nil},
		{user + canary, base + "/events", nil},
		{user, "/v1/" + canary, nil},
		{user, "/" + canary, nil},
	} {
		status, reason, body := g.ask(t, c.token, c.path, c.headers...)
		if status != http.StatusOK {
			fmt.Fprintf(&answers, "%s %s\n", reason, body)
		}
	}
	status, _, events := g.ask(t, user, base+"/events?pageSize=50&view=EVENT_VIEW_FULL")
	said := longest(regexp.MustCompile(`"plainText": ?"([^"\\]{12,})"`).FindAllStringSubmatch(events, -1))
	if status != http.StatusOK || said == "" {
		t.Fatalf("no event with a text: %d %.300s", status, events)
	}
	signature := user[len(user)-24:]
	for where, text := range g.written(t) {
		for what, secret := range map[string]string{
			"planted word": canary, "access token": signature, "user name": own.UserPrincipalName, "another's name": other.UserPrincipalName,
			"client secret": graphsim.DemoClientSecret, "message": said,
		} {
			if at := strings.Index(strings.ToLower(text), strings.ToLower(secret)); at >= 0 {
				t.Errorf("%s in the %s: %.300s", what, where, text[max(0, at-150):])
			}
		}
		// As it is written: request ids are random capitals.
		if at := strings.Index(text, "eyJ"); at >= 0 {
			t.Errorf("a token in the %s: %.300s", where, text[max(0, at-150):])
		}
	}
	for what, secret := range map[string]string{
		"access token": signature, "user name": own.UserPrincipalName, "client secret": graphsim.DemoClientSecret, "message": said,
	} {
		if strings.Contains(answers.String(), secret) {
			t.Errorf("%s in an error: %s", what, answers.String())
		}
	}
}
