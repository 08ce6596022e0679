package authz_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/resource"
	"github.com/parley-gateway/parley/server/authn"
	"github.com/parley-gateway/parley/server/authz"
	"github.com/parley-gateway/parley/server/reload"
)

const (
	tenantA = "5f3c1f6e-2a7b-4d1c-9a55-0c6d2f7e8b10"
	tenantB = "11111111-2222-4333-8444-555555555555"
	ada     = "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee"
	bob     = "bbbbbbbb-bbbb-4ccc-8ddd-eeeeeeeeeeee"
	app     = "c0a8d9d2-6b1f-4f0e-8e57-3d2b9a417f66"

	chat         = parleyv1.Source_SOURCE_CHAT
	copilot      = parleyv1.Source_SOURCE_COPILOT
	conversation = parleyv1.Source_SOURCE_CONVERSATION
	usage        = parleyv1.Source_SOURCE_USAGE

	metadata = parleyv1.EventView_EVENT_VIEW_METADATA
	basic    = parleyv1.EventView_EVENT_VIEW_BASIC
	full     = parleyv1.EventView_EVENT_VIEW_FULL
)

var (
	inA = authz.Tenant{Alias: "a", ID: tenantA}
	inB = authz.Tenant{Alias: "b", ID: tenantB}
)

// parse reads rules out of a file of a fresh folder, beside the given other files.
func parse(t *testing.T, rules string, others map[string]string) (*authz.Policy, error) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range others {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(dir, "policy.yaml")
	if err := os.WriteFile(path, []byte(rules), 0o600); err != nil {
		t.Fatal(err)
	}
	return authz.Parse(path, []string{"a", "b"}, reload.ReadFile)
}

// rule is a rule with the given match and allow, on one line each.
func rule(name, match, allow string) string {
	return "  - name: " + name + "\n    match: {" + match + "}\n    allow: {" + allow + "}\n"
}

const everything = "rpcs: all, sources: all, view: full, users: all"

func user(change func(*authn.Caller)) *authn.Caller {
	c := &authn.Caller{
		Kind: authn.KindUser, Subject: "s", ObjectID: ada, TenantID: tenantA, AppID: app,
		Roles: []string{"Reader"}, Scopes: []string{"Read"}, Groups: []string{"g1"},
	}
	if change != nil {
		change(c)
	}
	return c
}

func application(c *authn.Caller) { c.Kind, c.Scopes = authn.KindApplication, nil }

// TestWeightIsTheMostOfTheCallersRules: a caller has the most that a rule for the caller says; a rule for others says nothing.
func TestWeightIsTheMostOfTheCallersRules(t *testing.T) {
	t.Parallel()
	text := "rules:\n" + rule("plain", "role: Reader", everything) + rule("more", "scope: Read", everything) + "    weight: 2.5\n" +
		rule("less", "role: Reader", everything) + "    weight: 0.5\n" + rule("others", "role: Writer", everything) + "    weight: 50\n"
	p, err := parse(t, text, nil)
	if err != nil {
		t.Fatal(err)
	}
	for want, caller := range map[float64]*authn.Caller{2.5: user(nil), 0.5: user(func(c *authn.Caller) { c.Scopes = nil }), 1: user(func(c *authn.Caller) { c.Scopes, c.Roles = nil, nil })} {
		if have := p.Weight(caller); have != want {
			t.Errorf("weight %g, want %g", have, want)
		}
	}
	if have := authz.Loopback().Weight(nil); have != 1 {
		t.Errorf("weight %g of nobody", have)
	}
}

func TestEveryConditionOfMatchMustHold(t *testing.T) {
	t.Parallel()
	certificate := func(c *authn.Caller) {
		*c = authn.Caller{Kind: authn.KindCertificate, Namespace: authn.URIName, Subject: "spiffe://contoso.example/export"}
	}
	for name, c := range map[string]struct {
		match  string
		change func(*authn.Caller)
		want   bool
	}{
		"role":                         {"role: Reader", nil, true},
		"one of several roles":         {"role: [Other, Reader]", nil, true},
		"no such role":                 {"role: Writer", nil, false},
		"roles are case-sensitive":     {"role: reader", nil, false},
		"part of a role":               {"role: Read", nil, false},
		"scope":                        {"scope: Read", nil, true},
		"a scope is no role":           {"scope: Reader", nil, false},
		"an application has no scope":  {"scope: Read", application, false},
		"group":                        {"group: g1", nil, true},
		"group of others":              {"group: g2", nil, false},
		"subject":                      {"subject: s", nil, true},
		"certificate":                  {"subject: spiffe://contoso.example/export, kind: certificate", certificate, true},
		"another certificate":          {"subject: spiffe://contoso.example/other", certificate, false},
		"application id":               {"application: " + strings.ToUpper(app), nil, true},
		"another application":          {"application: " + tenantA, nil, false},
		"no application":               {"application: x", func(c *authn.Caller) { c.AppID = "" }, false},
		"kind":                         {"kind: user", nil, true},
		"another kind":                 {"kind: [application, certificate]", nil, false},
		"all conditions":               {"kind: user, role: Reader, scope: Read, group: g1", nil, true},
		"all conditions but one":       {"kind: user, role: Reader, scope: Write", nil, false},
		"authenticated":                {"authenticated: true", nil, true},
		"anonymous is not":             {"authenticated: true", func(c *authn.Caller) { *c = *authn.Anonymous() }, false},
		"anonymous has no subject":     {"subject: anonymous", func(c *authn.Caller) { *c = *authn.Anonymous() }, false},
		"anonymous by name":            {"kind: anonymous", func(c *authn.Caller) { *c = *authn.Anonymous() }, true},
		"roles of nobody do not match": {"role: Reader", func(c *authn.Caller) { c.Roles = nil }, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, err := parse(t, "rules:\n"+rule("r", c.match, everything+", tenants: all"), nil)
			if err != nil {
				t.Fatal(err)
			}
			req := authz.Request{RPC: "ListEvents", Tenant: inA, User: bob, Sources: []parleyv1.Source{chat}, View: basic}
			if have := p.Decide(user(c.change), req); have.Answer != answer(c.want, false) || c.want != (have.Rule == "r") {
				t.Errorf("%+v, want allowed: %v", have, c.want)
			}
		})
	}
}

func TestRuleAllowsNoMoreThanItNames(t *testing.T) {
	t.Parallel()
	request := authz.Request{RPC: "ListEvents", Tenant: inA, User: ada, Sources: []parleyv1.Source{chat}, View: basic}
	with := func(change func(*authz.Request)) authz.Request {
		r := request
		change(&r)
		return r
	}
	const (
		events = "rpcs: [ListEvents, GetEvent], sources: [chat, copilot], view: basic, "
		own    = events + "users: own"
		listed = events + "users: {listed: people}"
		all    = events + "users: all"
	)
	for name, c := range map[string]struct {
		allow  string
		caller *authn.Caller
		req    authz.Request
		want   bool
		lookup bool
	}{
		"as asked":                     {all, user(nil), request, true, false},
		"another method":               {all, user(nil), with(func(r *authz.Request) { r.RPC = "StreamEvents" }), false, false},
		"an unknown method":            {all, user(nil), with(func(r *authz.Request) { r.RPC = "DeleteEvent" }), false, false},
		"no method":                    {all, user(nil), with(func(r *authz.Request) { r.RPC = "" }), false, false},
		"all sources of the rule":      {all, user(nil), with(func(r *authz.Request) { r.Sources = []parleyv1.Source{copilot, chat} }), true, false},
		"one source too many":          {all, user(nil), with(func(r *authz.Request) { r.Sources = []parleyv1.Source{chat, usage} }), false, false},
		"no source":                    {all, user(nil), with(func(r *authz.Request) { r.Sources = nil }), false, false},
		"a lesser view":                {all, user(nil), with(func(r *authz.Request) { r.View = metadata }), true, false},
		"a greater view":               {all, user(nil), with(func(r *authz.Request) { r.View = full }), false, false},
		"a view of the future":         {all, user(nil), with(func(r *authz.Request) { r.View = 99 }), false, false},
		"the whole tenant by all":      {all, user(nil), with(func(r *authz.Request) { r.User = "-" }), true, false},
		"a name by all":                {all, user(nil), with(func(r *authz.Request) { r.User, r.UPN = "", "ada@contoso.example" }), true, false},
		"own":                          {own, user(nil), request, true, false},
		"own in upper case":            {own, user(nil), with(func(r *authz.Request) { r.User = strings.ToUpper(ada) }), true, false},
		"another's":                    {own, user(nil), with(func(r *authz.Request) { r.User = bob }), false, false},
		"the whole tenant as own":      {own, user(nil), with(func(r *authz.Request) { r.User = "-" }), false, false},
		"nobody's":                     {own, user(nil), with(func(r *authz.Request) { r.User = "" }), false, false},
		"nobody's by nobody":           {own, user(func(c *authn.Caller) { c.ObjectID = "" }), with(func(r *authz.Request) { r.User = "" }), false, false},
		"an application has none":      {own, user(application), request, false, false},
		"a name that is not known":     {own, user(nil), with(func(r *authz.Request) { r.User, r.UPN = "", "ada@contoso.example" }), false, false},
		"listed":                       {listed, user(nil), with(func(r *authz.Request) { r.User = strings.ToUpper(bob) }), true, false},
		"not listed":                   {listed, user(nil), request, false, false},
		"the whole tenant as listed":   {listed, user(nil), with(func(r *authz.Request) { r.User = "-" }), false, false},
		"listed by a name":             {listed, user(nil), with(func(r *authz.Request) { r.User, r.UPN = "", "bob@contoso.example" }), false, true},
		"a look-up for another method": {listed, user(nil), with(func(r *authz.Request) { r.RPC, r.User, r.UPN = "StreamEvents", "", "bob@contoso.example" }), false, false},
		"the caller's own tenant":      {all, user(nil), request, true, false},
		"another tenant":               {all, user(nil), with(func(r *authz.Request) { r.Tenant = inB }), false, false},
		"another tenant by name":       {all + ", tenants: [b]", user(nil), with(func(r *authz.Request) { r.Tenant = inB }), true, false},
		"own tenant not named":         {all + ", tenants: [b]", user(nil), request, false, false},
		"every tenant":                 {all + ", tenants: all", user(nil), with(func(r *authz.Request) { r.Tenant = inB }), true, false},
		"own id in another tenant":     {own + ", tenants: all", user(nil), with(func(r *authz.Request) { r.Tenant = inB }), false, false},
		"of no tenant, one of two":     {all, user(func(c *authn.Caller) { c.TenantID = "" }), request, false, false},
		"of no tenant, the only one": {all, user(func(c *authn.Caller) { c.TenantID = "" }), with(func(r *authz.Request) {
			r.Tenant.Only = true
		}), true, false},
		"of no tenant, a tenant of no id": {own + ", tenants: all", user(func(c *authn.Caller) { c.TenantID = "" }), with(func(r *authz.Request) {
			r.Tenant.ID = ""
		}), false, false},
		"no caller": {all, nil, request, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, err := parse(t, "rules:\n"+rule("r", "authenticated: true", c.allow), map[string]string{"people": "# people\n" + bob + " # one\n\n"})
			if err != nil {
				t.Fatal(err)
			}
			have := p.Decide(c.caller, c.req)
			if have.Answer != answer(c.want, c.lookup) || have.Digest != p.Digest() || have.Digest == "" {
				t.Errorf("%+v, want allowed: %v, look-up: %v", have, c.want, c.lookup)
			}
		})
	}
}

func TestOneRuleAllowsACallWhole(t *testing.T) {
	t.Parallel()
	p, err := parse(t, "rules:\n"+
		rule("chats", "authenticated: true", "rpcs: ListEvents, sources: chat, view: full, users: all")+
		rule("copilot", "authenticated: true", "rpcs: ListEvents, sources: copilot, view: metadata, users: all")+
		rule("later", "authenticated: true", everything), nil)
	if err != nil {
		t.Fatal(err)
	}
	req := authz.Request{RPC: "ListEvents", Tenant: inA, User: bob, Sources: []parleyv1.Source{copilot}, View: metadata}
	if have := p.Decide(user(nil), req); have.Rule != "copilot" {
		t.Errorf("%+v, want the first rule that allows it whole", have)
	}
	req.View = full
	if have := p.Decide(user(nil), req); have.Rule != "later" {
		t.Errorf("%+v: two rules were added up", have)
	}
	if diff := strings.Join(p.Rules(), " "); diff != "chats copilot later" {
		t.Errorf("rules %q", diff)
	}
}

func TestTenantsAreThoseOfTheCallersRules(t *testing.T) {
	t.Parallel()
	p, err := parse(t, "rules:\n"+rule("own", "role: Reader", everything)+rule("named", "role: Other", everything+", tenants: [b]"), nil)
	if err != nil {
		t.Fatal(err)
	}
	known := []authz.Tenant{inB, inA}
	for roles, want := range map[string]string{"Reader": "a", "Other": "b", "Reader Other": "a b", "": ""} {
		caller := user(func(c *authn.Caller) { c.Roles = strings.Fields(roles) })
		if have := strings.Join(p.Tenants(caller, known), " "); have != want {
			t.Errorf("roles %q: tenants %q, want %q", roles, have, want)
		}
	}
}

func TestLoopbackAllowsAnonymousEverything(t *testing.T) {
	t.Parallel()
	p := authz.Loopback()
	for _, method := range authz.Methods() {
		req := authz.Request{RPC: method.Name, Tenant: inB, User: resource.AnyUser, Sources: method.Sources, View: full}
		if have := p.Decide(authn.Anonymous(), req); have.Answer != authz.Allowed || have.Rule != "loopback" {
			t.Errorf("%s: %+v", method.Name, have)
		}
		if have := p.Decide(user(nil), req); have.Answer != authz.Denied {
			t.Errorf("%s: a caller that is not anonymous: %+v", method.Name, have)
		}
	}
}

func TestEveryMethodHasSources(t *testing.T) {
	t.Parallel()
	if len(authz.Methods()) < 10 {
		t.Errorf("only %d methods", len(authz.Methods()))
	}
	for _, method := range authz.Methods() {
		if len(method.Sources) == 0 {
			t.Errorf("%s: its service is not in the table of sources, so no rule can allow it", method.Name)
		}
	}
	if names := authz.SourceNames([]parleyv1.Source{chat, conversation}); !slices.Equal(names, []string{"chat", "conversation"}) {
		t.Errorf("names %v", names)
	}
	if authz.ViewName(full) != "full" || authz.ViewName(0) != "" {
		t.Error("names of views")
	}
}

func TestStoreKeepsTheOldPolicy(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path, people := filepath.Join(dir, "policy.yaml"), filepath.Join(dir, "people")
	write := func(path, text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(people, bob)
	write(path, "rules:\n"+rule("r", "authenticated: true", "rpcs: ListEvents, sources: chat, view: full, users: {listed: people}"))
	now := time.Unix(1, 0)
	broken := 0
	store, err := authz.Open(path, []string{"a"}, reload.Options{Now: func() time.Time { return now }, Report: func(err error) {
		if err != nil {
			broken++
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	may := func(id string) bool {
		now = now.Add(time.Minute)
		req := authz.Request{RPC: "ListEvents", Tenant: inA, User: id, Sources: []parleyv1.Source{chat}, View: basic}
		return store.Current().Decide(user(nil), req).Answer == authz.Allowed
	}
	first := store.Current().Digest()
	if !may(bob) || may(ada) {
		t.Error("the first list does not decide")
	}
	write(people, ada)
	if may(bob) || !may(ada) {
		t.Error("the list was not read again")
	}
	second := store.Current().Digest()
	write(path, "rules:\n"+rule("r", "everybody: true", everything))
	if may(bob) || !may(ada) || broken != 1 {
		t.Errorf("a broken policy came into force, or was not told (%d times)", broken)
	}
	write(people, "nobody")
	if may(bob) || !may(ada) {
		t.Error("a broken list came into force")
	}
	if first == second || second != store.Current().Digest() {
		t.Errorf("digests %s, %s and %s", first, second, store.Current().Digest())
	}
	if (authz.Fixed{Policy: authz.Loopback()}).Current().Digest() != "builtin:loopback" {
		t.Error("digest of the built-in policy")
	}
}

// TestOptInSourcesAreAllowedByNameOnly: a rule allows a source that is read on request only if it names it; all sources are those without an opt-in.
func TestOptInSourcesAreAllowedByNameOnly(t *testing.T) {
	t.Parallel()
	const retained = parleyv1.Source_SOURCE_RETAINED_CHAT
	for sources, want := range map[string]bool{"all": false, "chat": false, "retained_chat": true, "[chat, copilot, retained_chat]": true} {
		p, err := parse(t, "rules:\n"+rule("r", "role: R", "rpcs: ListEvents, sources: "+sources+", view: full, users: all"), nil)
		if err != nil {
			t.Fatal(err)
		}
		caller := user(func(c *authn.Caller) { c.Roles = []string{"R"} })
		req := authz.Request{RPC: "ListEvents", Tenant: inA, User: ada, Sources: []parleyv1.Source{retained}, View: basic}
		if have := p.Decide(caller, req); (have.Answer == authz.Allowed) != want {
			t.Errorf("sources %s: %+v", sources, have)
		}
	}
}

// answer is the answer to a call that is allowed, or that takes a look-up.
func answer(allowed, lookup bool) authz.Answer {
	switch {
	case allowed:
		return authz.Allowed
	case lookup:
		return authz.NeedsUserID
	default:
		return authz.Denied
	}
}
