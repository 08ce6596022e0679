package server_test

import (
	"context"
	"errors"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/server"
	"github.com/parley-gateway/parley/server/apierror"
	"github.com/parley-gateway/parley/server/service"
	"github.com/parley-gateway/parley/timeline/query"
)

// list asks for a user's events over gRPC.
func (g *guarded) list(t *testing.T, token, user string, pairs ...string) error {
	t.Helper()
	_, err := parleyv1.NewEventServiceClient(g.conn).ListEvents(as(t.Context(), token, pairs...), &parleyv1.ListEventsRequest{Parent: "users/" + user})
	return err
}

// expect checks the code and reason of an error.
func expect(t *testing.T, about string, err error, code codes.Code, reason string) {
	t.Helper()
	st := status.Convert(err)
	if st.Code() != code || apierror.Reason(st) != reason {
		t.Errorf("%s: %v, want %s %s", about, err, code, reason)
	}
}

func TestUsersOfCallers(t *testing.T) {
	t.Parallel()
	g := startGuarded(t, nil)
	const denied = "POLICY_DENIED"
	for name, c := range map[string]struct {
		token, user string
		code        codes.Code
		reason      string
		graph       int64 // calls beside the engine
		owner       string
	}{
		"me":                               {"owner", "me", codes.OK, "", 0, annaID},
		"me by id":                         {"owner", annaID, codes.OK, "", 0, annaID},
		"me in upper case":                 {"owner", strings.ToUpper(annaID), codes.OK, "", 0, strings.ToUpper(annaID)},
		"me without own data":              {"stranger", "me", codes.PermissionDenied, denied, 0, ""},
		"me of an application":             {"export", "me", codes.InvalidArgument, "INVALID_ARGUMENT", 0, ""},
		"me of a certificate":              {"machine", "me", codes.InvalidArgument, "INVALID_ARGUMENT", 0, ""},
		"me of an officer":                 {"officer", "me", codes.OK, "", 0, carlaID},
		"a name that is not the caller's":  {"owner", "carla@contoso.example", codes.PermissionDenied, denied, 0, ""},
		"a name whose token does not tell": {"owner", annaUPN, codes.PermissionDenied, denied, 0, ""},
		"a listed user by name":            {"machine", annaUPN, codes.OK, "", 1, annaID},
		"a name that cannot be looked up":  {"machine", boUPN, codes.FailedPrecondition, "USER_ID_REQUIRED", 1, ""},
		"a name that nobody has":           {"machine", "nobody@contoso.example", codes.PermissionDenied, denied, 1, ""},
		"the same for all":                 {"officer", boUPN, codes.OK, "", 1, boUPN},
		"the whole tenant":                 {"officer", "-", codes.OK, "", 0, "-"},
		"the whole tenant for an owner":    {"owner", "-", codes.PermissionDenied, denied, 0, ""},
		"the whole tenant for a list":      {"machine", "-", codes.PermissionDenied, denied, 0, ""},
		"encoded":                          {"owner", "%33" + carlaID[1:], codes.PermissionDenied, denied, 0, ""},
		"own id with more behind it":       {"owner", annaID + "x", codes.PermissionDenied, denied, 0, ""},
		"a foreign caller's own id":        {"foreigner", "me", codes.PermissionDenied, denied, 0, ""},
	} {
		err := g.list(t, c.token, c.user)
		expect(t, name, err, c.code, c.reason)
		requests, _, _ := g.take()
		if n := g.graph.n.Swap(0); n != c.graph || (len(requests) == 1) != (c.code == codes.OK) {
			t.Errorf("%s: %d look-ups, want %d; engine asked %v", name, n, c.graph, requests)
		}
		if len(requests) == 1 {
			asked, ok := requests[0].(query.Events)
			if !ok || asked.Owner != c.owner || asked.Caller == "" || asked.Caller == "anonymous" {
				t.Errorf("%s: engine asked %+v, want owner %s", name, asked, c.owner)
			}
		}
	}
}

func TestTenantsOfCallers(t *testing.T) {
	t.Parallel()
	g := startGuarded(t, func(c *server.Config) {
		fabrikam := *c.Tenants["contoso"]
		fabrikam.ID = otherID
		c.Tenants["fabrikam"] = &fabrikam
		tokens := book()
		tokens["nowhere"] = program("Conversations.Export.All")
		tokens["nowhere"].TenantID = "cccccccc-bbbb-4ccc-8ddd-eeeeeeeeee03"
		tokens["everywhere"] = program("Auditor")
		c.Tokens = tokens
	})
	rules, err := os.ReadFile(g.policy)
	if err != nil {
		t.Fatal(err)
	}
	g.write(t, string(rules)+"\n  - name: auditor\n    match: {role: Auditor}\n    allow: {rpcs: all, sources: all, view: full, users: all, tenants: all}\n")
	g.pass(time.Minute)
	for name, c := range map[string]struct {
		token  string
		pairs  []string
		code   codes.Code
		reason string
		tenant string
	}{
		"the only one allowed":             {"officer", nil, codes.OK, "", tenantID},
		"by its alias":                     {"officer", []string{"parley-tenant", "contoso"}, codes.OK, "", tenantID},
		"another's":                        {"officer", []string{"parley-tenant", "fabrikam"}, codes.PermissionDenied, "POLICY_DENIED", ""},
		"a caller of the other":            {"foreigner", nil, codes.OK, "", otherID},
		"a caller of the other, elsewhere": {"foreigner", []string{"parley-tenant", "contoso"}, codes.PermissionDenied, "POLICY_DENIED", ""},
		"no tenant of the deployment":      {"nowhere", nil, codes.PermissionDenied, "POLICY_DENIED", ""},
		"that there is none of":            {"officer", []string{"parley-tenant", "initech"}, codes.PermissionDenied, "POLICY_DENIED", ""},
		"none, of a caller without rules":  {"stranger", []string{"parley-tenant", "initech"}, codes.PermissionDenied, "POLICY_DENIED", ""},
		"none, of a certificate":           {"machine", []string{"parley-tenant", "initech"}, codes.PermissionDenied, "POLICY_DENIED", ""},
		"none, of one who may read all":    {"everywhere", []string{"parley-tenant", "initech"}, codes.InvalidArgument, "TENANT_REQUIRED", ""},
		"one of two allowed":               {"everywhere", nil, codes.InvalidArgument, "TENANT_REQUIRED", ""},
		"two allowed, one named":           {"everywhere", []string{"parley-tenant", "fabrikam"}, codes.OK, "", otherID},
		"a certificate is of no tenant":    {"machine", []string{"parley-tenant", "contoso"}, codes.PermissionDenied, "POLICY_DENIED", ""},
	} {
		expect(t, name, g.list(t, c.token, carlaID, c.pairs...), c.code, c.reason)
		requests, _, _ := g.take()
		if got := g.records.take(t); c.reason == "POLICY_DENIED" && (len(got) != 1 || got[0].Outcome.Reason != c.reason) {
			t.Errorf("%s: records %+v", name, got)
		}
		if c.code != codes.OK && len(requests)+int(g.graph.n.Load()) > 0 {
			t.Errorf("%s: denied, yet the engine was asked %v", name, requests)
		}
		if c.code == codes.OK {
			if asked, ok := requests[0].(query.Events); !ok || asked.Tenant != c.tenant {
				t.Errorf("%s: engine asked %+v, want tenant %s", name, asked, c.tenant)
			}
		}
	}
}

// fed makes streams send one event and a checkpoint for each value on the channel.
func (g *guarded) fed() chan<- struct{} {
	feed := make(chan struct{})
	g.streamEvents = func(ctx context.Context, emit func(*parleyv1.StreamEventsResponse) error) error {
		for {
			select {
			case <-feed:
			case <-ctx.Done():
				return ctx.Err()
			}
			if err := emitAll(emit, eventFrame("1"), checkpointFrame("tok")); err != nil {
				return err
			}
		}
	}
	return feed
}

// streamOne begins a stream that sends one batch each time next is fed, and returns its client side.
func (g *guarded) streamOne(t *testing.T, token string) (next chan<- struct{}, recv func() error) {
	t.Helper()
	feed := g.fed()
	ctx, cancel := context.WithCancel(as(t.Context(), token))
	t.Cleanup(cancel)
	stream, err := parleyv1.NewEventServiceClient(g.conn).StreamEvents(ctx, &parleyv1.StreamEventsRequest{Parent: "users/me"})
	if err != nil {
		t.Fatal(err)
	}
	return feed, func() error {
		frame, err := stream.Recv()
		if err == nil && frame.GetBatch() != nil {
			_, err = stream.Recv() // its checkpoint
		}
		return err
	}
}

func TestStreamsAreAskedAgain(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*guarded)
		code   codes.Code
		reason string
	}{
		"the policy changes": {func(g *guarded) {
			g.write(t, "rules:\n  - name: others\n    match: {role: Other}\n    allow: {rpcs: all, sources: all, view: full, users: all}\n")
			g.pass(time.Minute)
		}, codes.PermissionDenied, "POLICY_DENIED"},
		"the credential ends": {func(g *guarded) { g.pass(time.Hour + 5*time.Minute + time.Second) }, codes.Unavailable, "STREAM_ENDED"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := startGuarded(t, func(c *server.Config) {
				tokens := book()
				tokens["owner"].Expires = c.Now().Add(time.Hour)
				c.Tokens = tokens
			})
			next, recv := g.streamOne(t, "owner")
			for range 2 {
				next <- struct{}{}
				if err := recv(); err != nil {
					t.Fatal(err)
				}
			}
			// A broken policy and an ended credential of less than five minutes change nothing.
			rules, err := os.ReadFile(g.policy)
			if err != nil {
				t.Fatal(err)
			}
			g.write(t, "rules: broken")
			g.pass(time.Minute)
			next <- struct{}{}
			if err := recv(); err != nil {
				t.Fatalf("a broken policy ended a stream: %v", err)
			}
			g.write(t, string(rules))
			c.change(g)
			next <- struct{}{}
			err = recv()
			expect(t, name, err, c.code, c.reason)
			if token := apierror.Info(status.Convert(err)).GetMetadata()[apierror.MetaResumeToken]; token != "tok" {
				t.Errorf("resume token %q", token)
			}
			records := g.records.take(t)
			if out := records[len(records)-1].Outcome; out == nil || out.Reason != c.reason || out.Events != 3 {
				t.Errorf("outcome %+v", out)
			}
		})
	}
}

// TestWaitingStreamsAreAskedAgain: a stream that has nothing to send still reads for its caller. It ends with a heartbeat, and
// never between a batch and its checkpoint.
func TestWaitingStreamsAreAskedAgain(t *testing.T) {
	t.Parallel()
	g := startGuarded(t, nil)
	next := make(chan *parleyv1.StreamEventsResponse)
	g.streamEvents = func(ctx context.Context, emit func(*parleyv1.StreamEventsResponse) error) error {
		for {
			select {
			case frame := <-next:
				if err := emit(frame); err != nil {
					return err
				}
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	}
	ctx, cancel := context.WithCancel(as(t.Context(), "owner"))
	defer cancel()
	stream, err := parleyv1.NewEventServiceClient(g.conn).StreamEvents(ctx, &parleyv1.StreamEventsRequest{Parent: "users/me"})
	if err != nil {
		t.Fatal(err)
	}
	send := func(frame *parleyv1.StreamEventsResponse) error {
		next <- frame
		_, err := stream.Recv()
		return err
	}
	if err := send(checkpointFrame("t1")); err != nil {
		t.Fatal(err)
	}
	if err := send(eventFrame("1")); err != nil {
		t.Fatal(err)
	}
	g.write(t, "rules:\n  - name: others\n    match: {role: Other}\n    allow: {rpcs: all, sources: all, view: full, users: all}\n")
	g.pass(time.Minute)
	if err := send(checkpointFrame("t2")); err != nil {
		t.Fatalf("the checkpoint of a batch that is out: %v", err)
	}
	err = send(checkpointFrame("t3"))
	expect(t, "a heartbeat", err, codes.PermissionDenied, "POLICY_DENIED")
	if token := apierror.Info(status.Convert(err)).GetMetadata()[apierror.MetaResumeToken]; token != "t2" {
		t.Errorf("resume token %q", token)
	}
}

func TestACallerAboveTheRateIsToldToWait(t *testing.T) {
	t.Parallel()
	g := startGuarded(t, func(c *server.Config) { c.CallerRate, c.CallerBurst = 1, 2 })
	for range 2 {
		expect(t, "within the burst", g.list(t, "owner", "me"), codes.OK, "")
	}
	err := g.list(t, "owner", "me")
	expect(t, "beyond it", err, codes.ResourceExhausted, "CALLER_LIMIT")
	if apierror.RetryDelay(status.Convert(err)) != time.Second {
		t.Errorf("retry after %s", apierror.RetryDelay(status.Convert(err)))
	}
	resp := g.get(t, "/v1/users/me/events", "Authorization", "Bearer owner")
	if resp.StatusCode != http.StatusTooManyRequests || resp.Header.Get("Retry-After") != "1" {
		t.Errorf("REST counts apart: %d %v", resp.StatusCode, resp.Header)
	}
	expect(t, "another caller", g.list(t, "officer", "me"), codes.OK, "")
	g.pass(time.Second)
	expect(t, "a second later", g.list(t, "owner", "me"), codes.OK, "")
}

func TestBrowsersOfOthers(t *testing.T) {
	t.Parallel()
	const page = "https://chats.contoso.example"
	g := startGuarded(t, func(c *server.Config) { c.CORSOrigins, c.TLSTerminated = []string{page}, true })
	resp := g.get(t, "/v1/users/me/events", "Authorization", "Bearer owner", "Origin", page)
	if resp.Header.Get("Access-Control-Allow-Origin") != page || resp.Header.Get("Strict-Transport-Security") == "" ||
		resp.Header.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("headers %v", resp.Header)
	}
	preflight := g.send(t, t.Context(), http.MethodOptions, "/v1/users/me/events", "Origin", page, "Access-Control-Request-Method", "GET", "Access-Control-Request-Headers", "authorization")
	if preflight.StatusCode != http.StatusNoContent || !strings.Contains(preflight.Header.Get("Access-Control-Allow-Headers"), "Authorization") {
		t.Errorf("preflight %d %v", preflight.StatusCode, preflight.Header)
	}
	open := start(t, nil)
	for _, address := range []string{open.base + "/v1/users", "http://" + open.server.AdminAddr() + "/debug/pprof/heap", "http://" + g.server.AdminAddr() + "/metrics"} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = "chats.evil.example"
		rebound, err := open.web.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		rebound.Body.Close()
		if requests, _, _ := open.take(); rebound.StatusCode != http.StatusForbidden || len(requests) > 0 {
			t.Errorf("%s under a name of a page's own: %d, %v", address, rebound.StatusCode, requests)
		}
	}
}

func TestIdentityCannotBeForged(t *testing.T) {
	t.Parallel()
	g := startGuarded(t, nil)
	for _, headers := range [][]string{
		{"Parley-Handover", "AAAAAAAAAAAAAAAAAAAAAAAAAA"},
		{"Grpc-Metadata-Parley-Handover", "AAAAAAAAAAAAAAAAAAAAAAAAAA"},
		{"Grpc-Metadata-Authorization", "Bearer officer"},
		{"X-Forwarded-Client-Cert", "By=x;URI=spiffe://contoso.example/archive"},
		{"X-Forwarded-User", carlaID},
		{"X-Ms-Client-Principal-Id", carlaID},
		{"Authorization", "Bearer stranger", "Authorization", "Bearer officer"},
		{"Authorization", "Bearer officer, Bearer stranger"},
		{"Proxy-Authorization", "Bearer officer"},
		{"Cookie", "authorization=Bearer officer"},
	} {
		if resp := g.get(t, "/v1/users/"+annaID+"/events", headers...); resp.StatusCode != http.StatusUnauthorized {
			t.Errorf("%q: %d", headers, resp.StatusCode)
		}
	}
	for _, path := range []string{"/v1/users/me/events?authorization=Bearer+officer", "/v1/users/me/events?access_token=officer"} {
		if resp := g.get(t, path); resp.StatusCode == http.StatusOK {
			t.Errorf("%s: %d", path, resp.StatusCode)
		}
	}
	expect(t, "a ticket over gRPC", g.list(t, "", annaID, "parley-handover", "AAAAAAAAAAAAAAAAAAAAAAAAAA"), codes.Unauthenticated, "CALLER_UNAUTHENTICATED")
	if !g.untouched() {
		t.Error("something was read")
	}
	for _, path := range []string{"/healthz", "/readyz", "/openapi.json"} {
		if resp := g.get(t, path); resp.StatusCode != http.StatusOK {
			t.Errorf("%s: %d, want it open", path, resp.StatusCode)
		}
	}
}

func TestContradictingAuthenticationSettingsAreErrors(t *testing.T) {
	t.Parallel()
	f := &fake{}
	dir := t.TempDir()
	secure := testTLS(t, dir, "")
	with := func(change func(*server.Config)) server.Config {
		g := &records{}
		c := server.Config{
			GRPCAddr: "127.0.0.1:0", HTTPAddr: "127.0.0.1:0", AdminAddr: "127.0.0.1:0", AuthMode: "oidc", Tokens: book(),
			Tenants: map[string]*service.Tenant{"contoso": f.tenant()}, Engine: f, Policy: loopbackPolicy(), Audit: newAudit(g),
		}
		change(&c)
		return c
	}
	for name, c := range map[string]struct {
		change func(*server.Config)
		field  string
	}{
		"no issuer":                    {func(c *server.Config) { c.Tokens = nil }, "Tokens"},
		"no policy":                    {func(c *server.Config) { c.Policy = nil }, "Policy"},
		"no audit":                     {func(c *server.Config) { c.Audit = nil }, "Audit"},
		"mtls without TLS":             {func(c *server.Config) { c.AuthMode = "mtls" }, "TLS"},
		"mtls where TLS ends before":   {func(c *server.Config) { c.AuthMode, c.TLSTerminated = "oidc,mtls", true }, "TLS"},
		"mtls without authorities":     {func(c *server.Config) { c.AuthMode, c.TLS = "mtls", secure }, "TLS.Roots"},
		"beyond loopback in the clear": {func(c *server.Config) { c.GRPCAddr = "0.0.0.0:0" }, "GRPCAddr"},
		"REST in the clear":            {func(c *server.Config) { c.HTTPAddr = ":0" }, "HTTPAddr"},
		"admin beyond loopback":        {func(c *server.Config) { c.AdminAddr, c.TLS = "0.0.0.0:0", secure }, "AdminAddr"},
		"TLS alone is no authentication": {func(c *server.Config) {
			c.AuthMode, c.TLS, c.GRPCAddr = "none", secure, "0.0.0.0:0"
		}, "GRPCAddr"},
		"a typo":        {func(c *server.Config) { c.AuthMode = "oidc,mtl" }, "AuthMode"},
		"none and more": {func(c *server.Config) { c.AuthMode = "none,oidc" }, "AuthMode"},
	} {
		_, err := server.New(with(c.change))
		var wrong *server.ConfigError
		if !errors.As(err, &wrong) || wrong.Field != c.field || wrong.Problem == "" {
			t.Errorf("%s: %v, want an error of %s", name, err, c.field)
		}
	}
	for name, change := range map[string]func(*server.Config){
		"loopback in the clear": func(*server.Config) {},
		"beyond it over TLS":    func(c *server.Config) { c.GRPCAddr, c.TLS = "0.0.0.0:0", secure },
		"TLS ends before":       func(c *server.Config) { c.HTTPAddr, c.TLSTerminated = "0.0.0.0:0", true },
		"both kinds":            func(c *server.Config) { c.AuthMode, c.TLS = "oidc,mtls", testTLS(t, dir, "ca") },
	} {
		s, err := server.New(with(change))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if err := s.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
}
