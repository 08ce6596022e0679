package server_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/server"
	"github.com/parley-gateway/parley/server/audit"
	"github.com/parley-gateway/parley/server/authn"
	"github.com/parley-gateway/parley/server/authz"
	"github.com/parley-gateway/parley/server/reload"
	"github.com/parley-gateway/parley/server/service"
	"github.com/parley-gateway/parley/source"
	"github.com/parley-gateway/parley/timeline/query"
)

const (
	carlaID  = "33333333-2222-4333-8444-555555555503" // somebody else
	otherID  = "bbbbbbbb-bbbb-4ccc-8ddd-eeeeeeeeee02" // another tenant
	appID    = "55555555-2222-4333-8444-555555555505" // the gateway itself
	exportID = "44444444-2222-4333-8444-555555555504" // an application
)

// tokenBook accepts a few words as tokens.
type tokenBook map[string]*authn.Caller

// Verify implements authn.Verifier.
func (b tokenBook) Verify(_ context.Context, token string) (*authn.Caller, error) {
	if caller, ok := b[token]; ok {
		return caller, nil
	}
	return nil, &authn.RefusedError{Why: authn.WhySignature}
}

// person is a user of the tenant with roles; words that begin with + are scopes.
func person(id string, words ...string) *authn.Caller {
	c := &authn.Caller{Kind: authn.KindUser, Subject: "s-" + id, ObjectID: id, TenantID: tenantID, AppID: "web"}
	for _, word := range words {
		if scope, found := strings.CutPrefix(word, "+"); found {
			c.Scopes = append(c.Scopes, scope)
			continue
		}
		c.Roles = append(c.Roles, word)
	}
	return c
}

func program(words ...string) *authn.Caller {
	c := person(exportID, words...)
	c.Kind, c.AppID = authn.KindApplication, exportID
	return c
}

func unsaid(words ...string) *authn.Caller {
	c := person(annaID, words...)
	c.Kind = authn.KindUnknown
	return c
}

// book are the callers of most tests.
func book() tokenBook {
	return tokenBook{
		"owner":     person(annaID, "+Conversations.Read"),
		"officer":   person(carlaID, "Conversations.Read.All"),
		"export":    program("Conversations.Export.All"),
		"dashboard": program("Conversations.Metadata.All"),
		"adoption":  person(carlaID, "Usage.Read.All"),
		"stranger":  person(carlaID),
		"machine":   {Kind: authn.KindCertificate, Namespace: authn.URIName, Subject: "spiffe://contoso.example/archive"},
		"delegate":  person(annaID, "+Chats.AsUser"),
		"reader":    person(carlaID, "+Usage.AsUser"),
		"robot":     program("Delegated"),
		// A program whose token has what people's tokens have, one that says nothing of who is behind it, and two who have the
		// archive's name in another namespace.
		"scoped":    program("+Conversations.Read", "Conversations.Read.All"),
		"unsaid":    unsaid("+Conversations.Read", "Conversations.Read.All", "Conversations.Export.All"),
		"impostor":  {Kind: authn.KindUser, Subject: "spiffe://contoso.example/archive", ObjectID: carlaID, TenantID: tenantID, AppID: "web"},
		"hostname":  {Kind: authn.KindCertificate, Namespace: authn.DNSName, Subject: "spiffe://contoso.example/archive"},
		"foreigner": {Kind: authn.KindUser, Subject: "f", ObjectID: annaID, TenantID: otherID, AppID: "web", Scopes: []string{"Conversations.Read"}, Roles: []string{"Conversations.Read.All"}},
	}
}

// machineRule lets one certificate read one user.
const machineRule = `
  - name: archive
    match: {subject: "spiffe://contoso.example/archive"}
    allow: {rpcs: [ListConversations, StreamConversations, GetConversation, ListEvents, StreamEvents, GetEvent], sources: [conversation, copilot, chat, call], view: basic, users: {listed: people}}
`

const robots = "delegated" // a rule that can allow nothing to the callers of book

// robotRule would have Graph asked on behalf of whoever has a role, programs included.
const robotRule = `
  - name: ` + robots + `
    match: {role: Delegated}
    allow: {rpcs: [ListConversations, StreamConversations, GetConversation, ListEvents, StreamEvents, GetEvent, DownloadHostedContent], sources: [conversation, chat], view: full, users: own, graph: on_behalf_of}
`

// handbook is the rules of a file of the handbook, or those behind its first line `rules:`.
func handbook(tb testing.TB, name string, rulesAlone bool) string {
	tb.Helper()
	text, err := os.ReadFile(filepath.Join("..", "docs", "policies", name))
	if err != nil {
		tb.Fatal(err)
	}
	if _, rules, found := strings.Cut(string(text), "\nrules:\n"); rulesAlone && found {
		return rules
	}
	return string(text)
}

// records is an audit sink that tests read and break.
type records struct {
	mu     sync.Mutex
	buf    bytes.Buffer
	broken bool
}

func (r *records) Write(line []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.broken {
		return 0, errors.New("disk full")
	}
	return r.buf.Write(line)
}

func (*records) Close() error { return nil }

func (r *records) setBroken(broken bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.broken = broken
}

// line is what tests read of a record.
type line struct {
	Number    int      `json:"number"`
	Kind      string   `json:"kind"`
	Intent    int      `json:"intent"`
	RequestID string   `json:"request_id"`
	Rule      string   `json:"rule"`
	Policy    string   `json:"policy"`
	RPC       string   `json:"rpc"`
	Protocol  string   `json:"protocol"`
	Tenant    string   `json:"tenant"`
	Owner     string   `json:"owner"`
	Sources   []string `json:"sources"`
	Start     string   `json:"start_time"`
	View      string   `json:"view"`
	Reason    string   `json:"reason"`
	Graph     struct {
		Permission string `json:"permission"`
		Identity   string `json:"identity"`
	} `json:"graph"`
	Caller struct {
		ID   string `json:"id"`
		Kind string `json:"kind"`
	} `json:"caller"`
	Outcome *struct {
		Code     string `json:"code"`
		Reason   string `json:"reason"`
		Events   int    `json:"events"`
		Complete *bool  `json:"complete"`
	} `json:"outcome"`
}

// take returns the records since the last take.
func (r *records) take(t *testing.T) []line {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []line
	for text := range bytes.Lines(r.buf.Bytes()) {
		var l line
		if err := json.Unmarshal(text, &l); err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		all = append(all, l)
	}
	r.buf.Reset()
	return all
}

func (r *records) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.buf.String()
}

// graphCalls counts what would reach the cache or Graph beside the engine.
type graphCalls struct {
	*fake

	n atomic.Int64
}

func (g *graphCalls) UserID(ctx context.Context, upn string) (string, error) {
	g.n.Add(1)
	return g.fake.UserID(ctx, upn)
}

func (g *graphCalls) User(ctx context.Context, user string) (*parleyv1.User, error) {
	g.n.Add(1)
	return g.fake.User(ctx, user)
}

func (g *graphCalls) Conversation(ctx context.Context, owner, user, id string) (*parleyv1.Conversation, error) {
	g.n.Add(1)
	return g.fake.Conversation(ctx, owner, user, id)
}

func (g *graphCalls) Event(ctx context.Context, owner, user string, ref source.Ref) (*parleyv1.Event, error) {
	g.n.Add(1)
	return g.fake.Event(ctx, owner, user, ref)
}

// delegates asks what lies below the server on behalf of users, and keeps whom.
type delegates struct {
	graph *graphCalls

	mu    sync.Mutex
	fail  error
	asked []service.Assertion
}

var _ service.Delegates = (*delegates)(nil)

// OnBehalfOf implements service.Delegates.
func (d *delegates) OnBehalfOf(_ context.Context, user service.Assertion) (service.GraphAccess, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.asked = append(d.asked, user)
	if d.fail != nil {
		return service.GraphAccess{}, d.fail
	}
	return service.GraphAccess{Reports: d.graph.fake, Contents: d.graph.fake, Sources: query.Sources{
		Conversations: d.graph, Getters: map[parleyv1.Source]source.EventGetter{parleyv1.Source_SOURCE_CHAT: d.graph},
	}}, nil
}

// take returns who was asked for since the last take.
func (d *delegates) take() []service.Assertion {
	d.mu.Lock()
	defer d.mu.Unlock()
	asked := d.asked
	d.asked = nil
	return asked
}

func (d *delegates) setFail(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fail = err
}

// guarded is a server that asks who calls.
type guarded struct {
	*harness

	graph   *graphCalls
	users   *delegates
	records *records
	policy  string          // the policy file
	allowed map[string]bool // the rules that allowed something, of tests that note them

	mu  sync.Mutex
	now time.Time
}

func (g *guarded) clock() time.Time {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.now
}

func (g *guarded) pass(d time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.now = g.now.Add(d)
}

// startGuarded runs a server with the callers of book under the policy of the handbook.
func startGuarded(tb testing.TB, change func(*server.Config)) *guarded {
	tb.Helper()
	g := &guarded{allowed: map[string]bool{}, records: &records{}, now: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC), policy: filepath.Join(tb.TempDir(), "policy.yaml")}
	g.write(tb, handbook(tb, "entra-app-roles.yaml", false)+handbook(tb, "on-behalf-of.yaml", true)+robotRule+machineRule)
	if err := os.WriteFile(filepath.Join(filepath.Dir(g.policy), "people"), []byte(annaID), 0o600); err != nil {
		tb.Fatal(err)
	}
	store, err := authz.Open(g.policy, []string{"contoso", "fabrikam"}, reload.Options{Now: g.clock})
	if err != nil {
		tb.Fatal(err)
	}
	g.harness = start(tb, func(c *server.Config) {
		c.AuthMode, c.Tokens, c.Policy, c.Now = "oidc", book(), store, g.clock
		c.Audit = audit.New(g.records, audit.Options{Now: g.clock})
		tenant := c.Tenants["contoso"]
		inner, ok := tenant.Sources.Users.(*fake)
		if !ok {
			tb.Fatal("the harness changed")
		}
		g.graph = &graphCalls{fake: inner}
		tenant.Sources.Users, tenant.Sources.Conversations = g.graph, g.graph
		g.users = &delegates{graph: g.graph}
		tenant.Delegates, tenant.Application = g.users, appID
		for src := range tenant.Sources.Getters {
			tenant.Sources.Getters[src] = g.graph
		}
		if change != nil {
			change(c)
		}
	})
	return g
}

func (g *guarded) write(tb testing.TB, rules string) {
	tb.Helper()
	if err := os.WriteFile(g.policy, []byte(rules), 0o600); err != nil {
		tb.Fatal(err)
	}
}

// untouched says that nothing was asked of engine, cache or Graph since the last call.
func (g *guarded) untouched() bool {
	requests, _, _ := g.take()
	calls := g.graph.n.Swap(0)
	return len(requests) == 0 && calls == 0
}

// as is a context that sends a token.
func as(ctx context.Context, token string, pairs ...string) context.Context {
	if token != "" {
		pairs = append(pairs, "authorization", "Bearer "+token)
	}
	return metadata.AppendToOutgoingContext(ctx, pairs...)
}

// invoke makes a call of any method; a stream is read to its end.
func invoke(ctx context.Context, conn *grpc.ClientConn, method string, streams bool, request, answer proto.Message) error {
	if !streams {
		return conn.Invoke(ctx, method, request, answer)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true}, method)
	if err != nil {
		return err
	}
	if err := errors.Join(stream.SendMsg(request), stream.CloseSend()); err != nil {
		return err
	}
	for {
		if err := stream.RecvMsg(answer); err != nil {
			return ended(err)
		}
	}
}
