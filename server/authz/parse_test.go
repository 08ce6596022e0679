package authz_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/server/authn"
	"github.com/parley-gateway/parley/server/authz"
	"github.com/parley-gateway/parley/server/reload"
)

func TestMistakesAreNamed(t *testing.T) {
	t.Parallel()
	good := rule("r", "role: x", everything)
	allow := func(text string) string { return "rules:\n" + rule("r", "role: x", text) }
	match := func(text string) string { return "rules:\n" + rule("r", text, everything) }
	for name, c := range map[string]struct{ text, want string }{
		"empty":                      {"", ":1: not a YAML document"},
		"no YAML":                    {"rules: [", ":1: not a YAML document"},
		"a list":                     {"- a", ":1: the file must be"},
		"no rules":                   {"rules: []", ":1: needs `rules:`"},
		"null rules":                 {"rules:", ":1: needs `rules:`"},
		"unknown key":                {"rule:\n" + good, `:1: unknown key of the file "rule"; known are rules`},
		"two documents":              {"rules:\n" + good + "---\nrules:\n" + good, "only one document"},
		"rules twice":                {"rules:\n" + good + "rules:\n" + good, ":5: rules is set twice"},
		"same name":                  {"rules:\n" + good + good, `:5: rule "r" is there twice, first on line 2`},
		"no name":                    {"rules:\n  - match: {role: x}\n    allow: {" + everything + "}\n", ":2: a rule needs a `name`"},
		"a name with spaces":         {"rules:\n" + rule("a b", "role: x", everything), ":2: a rule needs a `name`"},
		"no weight":                  {"rules:\n" + good + "    weight: much\n", ":5: weight is a number from 0.01 to 100"},
		"weight of nothing":          {"rules:\n" + good + "    weight: 0\n", ":5: weight is a number from 0.01 to 100"},
		"weight beyond numbers":      {"rules:\n" + good + "    weight: NaN\n", ":5: weight is a number from 0.01 to 100"},
		"no allow":                   {"rules:\n  - name: r\n    match: {role: x}\n", ":2: a rule needs `match` and `allow`"},
		"deny":                       {"rules:\n  - name: r\n    deny: {}\n", `:3: unknown key of a rule "deny"; known are name, match, allow, weight`},
		"empty match":                {match(""), ":3: match is empty"},
		"match is a text":            {"rules:\n  - name: r\n    match: everybody\n    allow: {" + everything + "}\n", ":3: match must be"},
		"typo in match":              {match("rol: x"), `:3: unknown key of match "rol"; known are role, scope, group`},
		"typo in kind":               {match("kind: usr"), `:3: unknown kind "usr"; known are anonymous, user`},
		"empty role":                 {match(`role: ""`), ":3: role must be a text"},
		"role with spaces around":    {match(`role: " x"`), ":3: role must be a text"},
		"empty list":                 {match("role: []"), ":3: role is an empty list"},
		"mapping as role":            {match("role: {a: b}"), ":3: role must be a text"},
		"not authenticated":          {match("authenticated: false"), ":3: authenticated can only be `true`"},
		"anchor":                     {match("role: &a x"), ":3: anchors and aliases are not read"},
		"typo in rpc":                {allow("rpcs: ListEvent, sources: all, view: full, users: all"), `:4: unknown rpcs "ListEvent"; known are all, Download`},
		"rpc with its service":       {allow("rpcs: EventService.ListEvents, sources: all, view: full, users: all"), `:4: unknown rpcs`},
		"typo in source":             {allow("rpcs: all, sources: [chats], view: full, users: all"), `:4: unknown sources "chats"; known are all, call, chat`},
		"unspecified source":         {allow("rpcs: all, sources: [unspecified], view: full, users: all"), `:4: unknown sources`},
		"typo in view":               {allow("rpcs: all, sources: all, view: most, users: all"), `:4: unknown view "most"; known are basic, full, metadata`},
		"unspecified view":           {allow("rpcs: all, sources: all, view: unspecified, users: all"), `:4: unknown view`},
		"no view":                    {allow("rpcs: all, sources: all, users: all"), ":4: allow needs `view`"},
		"no users":                   {allow("rpcs: all, sources: all, view: full"), ":4: allow needs `users`"},
		"typo in users":              {allow("rpcs: all, sources: all, view: full, users: everyone"), ":4: users is `own`, `all` or `listed: file`"},
		"typo in listed":             {allow("rpcs: all, sources: all, view: full, users: {list: x}"), `:4: unknown key of users "list"; known are listed`},
		"listed nothing":             {allow("rpcs: GetEvent, sources: all, view: full, users: {listed: }"), ":4: users: listed names a file"},
		"missing list":               {allow("rpcs: GetEvent, sources: all, view: full, users: {listed: nowhere}"), "nowhere"},
		"a name in the list":         {allow("rpcs: GetEvent, sources: all, view: full, users: {listed: bad}"), "bad:2: not an object id"},
		"unknown tenant":             {allow(everything + ", tenants: [c]"), `:4: unknown tenants "c"; known are all, a, b`},
		"no tenant":                  {allow(everything + ", tenants: []"), ":4: tenants is an empty list"},
		"sources do not fit":         {allow("rpcs: ListUsers, sources: chat, view: full, users: all"), "allows ListUsers but not what it reads: sources user"},
		"own and tenant-wide":        {allow("rpcs: ListCopilotUsage, sources: usage, view: full, users: own"), "needs `users: all`"},
		"own data of an application": {"rules:\n" + rule("r", "kind: application", "rpcs: GetEvent, sources: chat, view: full, users: own"), "only users have"},
		"a pattern of hosts":         {match(`subject: "*.example"`), ":3: subject \"*.example\" is a pattern"},
		"a pattern of URIs":          {match(`subject: "spiffe://contoso.example/*"`), ":3: subject"},
		"a pattern of DNS names":     {match(`subject: "dns:*"`), "names are matched whole"},
		"a DNS name with a space":    {match(`subject: "dns:a b"`), "is no host name"},
		"a URI without a scheme":     {match("subject: 'uri:export'"), "is no URI"},
		"a namespace alone":          {match("subject: 'token:'"), "names nobody"},
		"a user's URI name":          {match("kind: user, subject: 'uri:spiffe://a/b'"), "namespace `uri`, which callers of this kind do not have"},
		"a certificate's token":      {match("kind: certificate, subject: 'token:a'"), "namespace `token`"},
		"the kind of nobody knows":   {match("kind: unknown"), `unknown kind "unknown"; known are anonymous, user, application, certificate`},
		"long values are cut":        {match("kind: " + strings.Repeat("x", 1000)), "xxx…"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, err := parse(t, c.text, map[string]string{"bad": ada + "\nada@contoso.example\n"})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, %v, want %q", p, err, c.want)
			}
			if err != nil && strings.Contains(err.Error(), "ada@") {
				t.Errorf("a user name is quoted: %v", err)
			}
		})
	}
}

func TestAllMistakesAtOnce(t *testing.T) {
	t.Parallel()
	_, err := parse(t, "rules:\n"+rule("a", "rol: x", everything)+rule("b", "role: x", "rpcs: Nothing, sources: all, view: big, users: all"), nil)
	if err == nil || strings.Count(err.Error(), "\n") < 2 {
		t.Errorf("got %v, want every mistake", err)
	}
}

// TestEntraAppRoles checks the file that comes with the handbook.
func TestEntraAppRoles(t *testing.T) {
	t.Parallel()
	p, err := authz.Parse(filepath.Join("..", "..", "docs", "policies", "entra-app-roles.yaml"), []string{"a"}, reload.ReadFile)
	if err != nil {
		t.Fatal(err)
	}
	events := []parleyv1.Source{copilot, chat}
	with := func(role string, change func(*authn.Caller)) *authn.Caller {
		return user(func(c *authn.Caller) {
			c.Roles, c.Scopes = []string{role}, nil
			if change != nil {
				change(c)
			}
		})
	}
	signedIn := user(func(c *authn.Caller) { c.Roles, c.Scopes = nil, []string{"Conversations.Read"} })
	for name, c := range map[string]struct {
		caller *authn.Caller
		req    authz.Request
		rule   string
	}{
		"own":                      {signedIn, authz.Request{RPC: "StreamEvents", User: ada, Sources: events, View: full}, "own-data"},
		"another's":                {signedIn, authz.Request{RPC: "StreamEvents", User: bob, Sources: events, View: metadata}, ""},
		"users":                    {signedIn, authz.Request{RPC: "ListUsers", Sources: []parleyv1.Source{parleyv1.Source_SOURCE_USER}}, ""},
		"officer":                  {with("Conversations.Read.All", nil), authz.Request{RPC: "ListEvents", User: bob, Sources: events, View: full}, "officer"},
		"an officer's program":     {with("Conversations.Read.All", application), authz.Request{RPC: "ListEvents", User: bob, Sources: events, View: full}, ""},
		"export":                   {with("Conversations.Export.All", application), authz.Request{RPC: "DownloadCopilotUsage", Sources: []parleyv1.Source{usage}}, "export"},
		"a person as export":       {with("Conversations.Export.All", nil), authz.Request{RPC: "ListEvents", User: bob, Sources: events, View: metadata}, ""},
		"metadata":                 {with("Conversations.Metadata.All", application), authz.Request{RPC: "ListEvents", User: bob, Sources: events, View: metadata}, "metadata"},
		"metadata does not see":    {with("Conversations.Metadata.All", application), authz.Request{RPC: "ListEvents", User: bob, Sources: events, View: basic}, ""},
		"usage":                    {with("Usage.Read.All", nil), authz.Request{RPC: "ListCopilotUsage", Sources: []parleyv1.Source{usage}}, "usage"},
		"usage reads no events":    {with("Usage.Read.All", nil), authz.Request{RPC: "ListEvents", User: bob, Sources: events, View: metadata}, ""},
		"a stranger":               {with("Other", nil), authz.Request{RPC: "ListEvents", User: ada, Sources: events, View: metadata}, ""},
		"an officer of elsewhere":  {with("Conversations.Read.All", func(c *authn.Caller) { c.TenantID = tenantB }), authz.Request{RPC: "ListEvents", User: bob, Sources: events, View: full}, ""},
		"anonymous has no policy":  {authn.Anonymous(), authz.Request{RPC: "ListEvents", User: bob, Sources: events, View: metadata}, ""},
		"whole tenant of an owner": {signedIn, authz.Request{RPC: "ListEvents", User: "-", Sources: []parleyv1.Source{parleyv1.Source_SOURCE_CALL}, View: metadata}, ""},
	} {
		c.req.Tenant = authz.Tenant{Alias: "a", ID: tenantA, Only: true}
		if have := p.Decide(c.caller, c.req); have.Rule != c.rule || (have.Answer == authz.Allowed) != (c.rule != "") {
			t.Errorf("%s: %+v, want rule %q", name, have, c.rule)
		}
	}
}

var mistake = regexp.MustCompile(`^policy\.yaml(:\d+)?: |^people:\d+: `)

func FuzzParse(f *testing.F) {
	shipped, err := os.ReadFile(filepath.Join("..", "..", "docs", "policies", "entra-app-roles.yaml"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(shipped)
	f.Add([]byte("rules:\n" + rule("r", "role: [x, y]", "rpcs: GetEvent, sources: chat, view: basic, users: {listed: people}, tenants: [a]")))
	f.Add([]byte("rules:\n" + rule("r", "role: x", delegating)))
	f.Add([]byte("rules: [{name: r, match: &m {role: x}, allow: *m}]"))
	f.Add([]byte("rules:\n- <<: {}\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := authz.Parse("policy.yaml", []string{"a", "b"}, func(path string) ([]byte, error) {
			switch path {
			case "policy.yaml":
				return data, nil
			case "people":
				return []byte(bob), nil
			default:
				return nil, fs.ErrNotExist
			}
		})
		if (p == nil) == (err == nil) {
			t.Fatalf("policy %v and error %v", p, err)
		}
		if err != nil {
			var many interface{ Unwrap() []error }
			if !errors.As(err, &many) {
				many = one{err}
			}
			for _, each := range many.Unwrap() {
				if !mistake.MatchString(each.Error()) {
					t.Fatalf("a mistake without its place: %v", each)
				}
			}
			return
		}
		// Whatever the file says: no rule for nobody, none without a name, and a caller without anything reads nothing
		// unless the rule says that it is for the anonymous.
		for _, name := range p.Rules() {
			if name == "" {
				t.Fatal("a rule without a name")
			}
		}
		req := authz.Request{RPC: "GetEvent", Tenant: inA, User: ada, Sources: []parleyv1.Source{chat}, View: metadata}
		if have := p.Decide(nil, req); have.Answer != authz.Denied {
			t.Fatalf("nobody may read: %+v", have)
		}
	})
}

type one struct{ err error }

func (o one) Unwrap() []error { return []error{o.err} }
