package authz_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/server/authn"
	"github.com/parley-gateway/parley/server/authz"
	"github.com/parley-gateway/parley/server/reload"
)

// TestSubjectsHaveNamespaces: who chooses a name in one namespace (a token's subject, say) must not become the holder of
// the same text in another.
func TestSubjectsHaveNamespaces(t *testing.T) {
	t.Parallel()
	const uri, host = "spiffe://contoso.example/export", "export.contoso.example"
	token := func(name string) *authn.Caller {
		return &authn.Caller{Kind: authn.KindUser, Namespace: authn.TokenSubject, Subject: name}
	}
	uriName := func(name string) *authn.Caller {
		return &authn.Caller{Kind: authn.KindCertificate, Namespace: authn.URIName, Subject: name}
	}
	dnsName := func(name string) *authn.Caller {
		return &authn.Caller{Kind: authn.KindCertificate, Namespace: authn.DNSName, Subject: name}
	}
	for match, c := range map[string]struct{ is, not []*authn.Caller }{
		"subject: " + uri:                       {[]*authn.Caller{uriName(uri)}, []*authn.Caller{token(uri), dnsName(uri), uriName(uri + "/x")}},
		"subject: 'uri:" + uri + "'":            {[]*authn.Caller{uriName(uri)}, []*authn.Caller{token(uri), token("uri:" + uri), dnsName(uri)}},
		"subject: 'token:" + uri + "'":          {[]*authn.Caller{token(uri)}, []*authn.Caller{uriName(uri), dnsName(uri)}},
		"subject: Export.contoso.example":       {[]*authn.Caller{dnsName(host)}, []*authn.Caller{token(host), token("Export.contoso.example"), uriName(host)}},
		"subject: 'dns:Export.contoso.example'": {[]*authn.Caller{dnsName(host)}, []*authn.Caller{token(host), uriName(host)}},
		"subject: 'dns:export'":                 {[]*authn.Caller{dnsName("export")}, []*authn.Caller{token("export"), uriName("export")}},
		"subject: 'token:" + host + "'":         {[]*authn.Caller{token(host)}, []*authn.Caller{dnsName(host), uriName(host)}},
		"subject: auth0|62fb":                   {[]*authn.Caller{token("auth0|62fb")}, []*authn.Caller{uriName("auth0|62fb"), dnsName("auth0|62fb")}},
		"subject: 'urn:uuid:1'":                 {[]*authn.Caller{token("urn:uuid:1")}, []*authn.Caller{uriName("urn:uuid:1")}},
		"subject: 'uri:urn:uuid:1'":             {[]*authn.Caller{uriName("urn:uuid:1")}, []*authn.Caller{token("urn:uuid:1")}},
		"subject: export":                       {[]*authn.Caller{token("export")}, []*authn.Caller{dnsName("export"), token("")}},
		"kind: user, subject: " + host:          {[]*authn.Caller{token(host)}, []*authn.Caller{dnsName(host)}},
		"kind: certificate, subject: export":    {[]*authn.Caller{dnsName("export")}, []*authn.Caller{token("export")}},
		"subject: [" + uri + ", auth0|62fb]":    {[]*authn.Caller{uriName(uri), token("auth0|62fb")}, []*authn.Caller{token(uri)}},
		"subject: 'token:a*'":                   {[]*authn.Caller{token("a*")}, []*authn.Caller{token("ab")}},
	} {
		p, err := parse(t, "rules:\n"+rule("r", match, everything+", tenants: all"), nil)
		if err != nil {
			t.Errorf("%s: %v", match, err)
			continue
		}
		req := authz.Request{RPC: "ListEvents", Tenant: inA, User: bob, Sources: []parleyv1.Source{chat}, View: basic}
		for _, caller := range c.is {
			if p.Decide(caller, req).Answer != authz.Allowed {
				t.Errorf("%s: not %s %q", match, caller.Namespace, caller.Subject)
			}
		}
		for _, caller := range c.not {
			if p.Decide(caller, req).Answer != authz.Denied {
				t.Errorf("%s: also %s %q", match, caller.Namespace, caller.Subject)
			}
		}
	}
}

// TestWhatCannotBeToldIsRefused: a rule that believes in a distinction which the deployment's credentials do not make.
func TestWhatCannotBeToldIsRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		match                string
		tokens, certificates bool
		programs             authn.Programs
		want                 string // in the error; empty = accepted
	}{
		"kind of Entra's":             {"kind: user", true, false, authn.ProgramsEntra, ""},
		"kind of a product's":         {"kind: application", true, false, authn.ProgramsKeycloak, ""},
		"users of no known issuer":    {"kind: user, scope: x", true, true, authn.ProgramsUnknown, "kind `user` cannot be told"},
		"programs of none":            {"kind: [certificate, application]", true, true, authn.ProgramsUnknown, "oidc-programs: "},
		"certificates beside it":      {"kind: certificate", true, true, authn.ProgramsUnknown, ""},
		"no kind":                     {"scope: x", true, false, authn.ProgramsUnknown, ""},
		"no tokens":                   {"kind: user", false, true, authn.ProgramsUnknown, ""},
		"a host without certificates": {"subject: ada.lovelace", true, false, authn.ProgramsEntra, "write `token:`"},
		"a URI without them":          {"subject: https://id.example/users/1", true, false, authn.ProgramsEntra, "write `token:`"},
		"a word without tokens":       {"subject: export", false, true, authn.ProgramsUnknown, "write `dns:`"},
		"said so":                     {"subject: ['dns:ada.lovelace', 'token:x']", true, false, authn.ProgramsEntra, ""},
		"both":                        {"subject: [export, export.example, spiffe://a/b]", true, true, authn.ProgramsEntra, ""},
	} {
		path := filepath.Join(t.TempDir(), "policy.yaml")
		if err := os.WriteFile(path, []byte("rules:\n"+rule("r", c.match, everything)), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := authz.Parse(path, []string{"a"}, reload.ReadFile, authz.CheckCredentials(authz.AcceptedCredentials{Tokens: c.tokens, Certificates: c.certificates, Programs: c.programs}))
		if (err == nil) != (c.want == "") || err != nil && (!strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "rule r")) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}
