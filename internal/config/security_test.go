package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/parley-gateway/parley/internal/config"
)

const anyFile = "security_test.go" // a file that can be read

// guarded returns settings of a gateway that asks for tokens and certificates on all addresses.
func guarded(t *testing.T) config.Settings {
	t.Helper()
	s := valid(t)
	s.GRPCAddr, s.HTTPAddr, s.AuthMode = "0.0.0.0:9090", "[::]:8080", "oidc,mtls"
	s.OIDCIssuer, s.OIDCAudience = "https://login.microsoftonline.com/{tid}/v2.0", "api://parley"
	s.TLSCertFile, s.TLSKeyFile, s.TLSClientCAFile, s.PolicyFile = anyFile, anyFile, anyFile, anyFile
	return s
}

func TestCheckAcceptsGuardedSettings(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*config.Settings){
		"both":              func(*config.Settings) {},
		"tokens behind TLS": func(s *config.Settings) { s.AuthMode, s.TLSClientCAFile = "oidc", "" },
		"TLS in front": func(s *config.Settings) {
			s.AuthMode, s.TLSTerminated, s.TLSCertFile, s.TLSKeyFile, s.TLSClientCAFile = "oidc", true, "", "", ""
		},
		"certificates alone": func(s *config.Settings) { s.AuthMode, s.OIDCIssuer, s.OIDCAudience = "mtls", "", "" },
		"tokens on loopback in the clear": func(s *config.Settings) {
			s.AuthMode, s.GRPCAddr, s.HTTPAddr = "oidc", "127.0.0.1:1", "localhost:2"
			s.TLSCertFile, s.TLSKeyFile, s.TLSClientCAFile = "", "", ""
		},
		"a policy for loopback": func(s *config.Settings) {
			*s = valid(t)
			s.PolicyFile, s.AuditFile, s.CORSOrigins = anyFile, "audit.log", "https://a.example, http://localhost:3000"
		},
	} {
		s := guarded(t)
		change(&s)
		if err := s.Check(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCheckRefusesUnguardedSettings(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*config.Settings)
		want   string
	}{
		"no issuer":       {func(s *config.Settings) { s.OIDCIssuer = "" }, "PARLEY_OIDC_ISSUER: is needed with PARLEY_AUTH_MODE=oidc,mtls"},
		"no such product": {func(s *config.Settings) { s.OIDCPrograms = "oidc" }, `PARLEY_OIDC_PROGRAMS: "oidc" is unknown; use entra, rfc9068`},
		"programs without tokens": {func(s *config.Settings) {
			s.AuthMode, s.OIDCIssuer, s.OIDCAudience, s.OIDCPrograms = "mtls", "", "", "okta"
		}, "PARLEY_OIDC_PROGRAMS: is set, yet"},
		"a lifetime below zero": {func(s *config.Settings) { s.TokenMaxLifetime = -1 }, "PARLEY_TOKEN_MAX_LIFETIME: must not be negative"},
		"a lifetime without tokens": {func(s *config.Settings) {
			s.AuthMode, s.OIDCIssuer, s.OIDCAudience, s.TokenMaxLifetime = "mtls", "", "", 1
		}, "PARLEY_TOKEN_MAX_LIFETIME: is set, yet"},
		"no audience":                {func(s *config.Settings) { s.OIDCAudience = "" }, "PARLEY_OIDC_AUDIENCE: is needed"},
		"issuer in the clear":        {func(s *config.Settings) { s.OIDCIssuer = "http://id.example" }, "PARLEY_OIDC_ISSUER: is not an https URL"},
		"no certificate":             {func(s *config.Settings) { s.TLSCertFile = "" }, "PARLEY_TLS_CERT_FILE: is needed"},
		"no key":                     {func(s *config.Settings) { s.AuthMode, s.TLSClientCAFile, s.TLSKeyFile = "oidc", "", "" }, "PARLEY_TLS_KEY_FILE: is needed: a certificate and its key go together"},
		"no authorities":             {func(s *config.Settings) { s.TLSClientCAFile = "" }, "PARLEY_TLS_CLIENT_CA_FILE: is needed"},
		"no policy":                  {func(s *config.Settings) { s.PolicyFile = "" }, "PARLEY_POLICY_FILE: is needed"},
		"a file that is not there":   {func(s *config.Settings) { s.PolicyFile = "nowhere" }, "PARLEY_POLICY_FILE: open nowhere"},
		"authorities that none asks": {func(s *config.Settings) { s.AuthMode = "oidc" }, "PARLEY_TLS_CLIENT_CA_FILE: is set, yet"},
		"an issuer that none asks":   {func(s *config.Settings) { s.AuthMode = "mtls" }, "PARLEY_OIDC_ISSUER: is set, yet"},
		"an issuer for nobody":       {func(s *config.Settings) { *s = valid(t); s.OIDCIssuer = "https://id.example" }, "PARLEY_OIDC_ISSUER: is set, yet PARLEY_AUTH_MODE=none"},
		"TLS here and in front":      {func(s *config.Settings) { s.TLSTerminated = true }, "PARLEY_TLS_TERMINATED: contradicts"},
		"TLS in front of nobody":     {func(s *config.Settings) { *s = valid(t); s.TLSTerminated = true }, "PARLEY_TLS_TERMINATED: is set, yet"},
		"in the clear": {func(s *config.Settings) {
			s.AuthMode, s.TLSCertFile, s.TLSKeyFile, s.TLSClientCAFile = "oidc", "", "", ""
		}, `PARLEY_GRPC_ADDR: "0.0.0.0:9090" is not a loopback address and there is no TLS`},
		"admin for everybody": {func(s *config.Settings) { s.AdminAddr = ":9091" }, "PARLEY_ADMIN_ADDR: \":9091\" is not a loopback address; metrics"},
		"TLS without callers": {func(s *config.Settings) {
			*s = valid(t)
			s.GRPCAddr, s.TLSCertFile, s.TLSKeyFile = ":1", anyFile, anyFile
		}, "set PARLEY_AUTH_MODE"},
		"a mode twice":           {func(s *config.Settings) { s.AuthMode = "oidc,oidc" }, "PARLEY_AUTH_MODE: \"oidc,oidc\" is unknown"},
		"none and another":       {func(s *config.Settings) { s.AuthMode = "none,oidc" }, "PARLEY_AUTH_MODE: \"none,oidc\" is unknown"},
		"no mode":                {func(s *config.Settings) { s.AuthMode = "" }, "PARLEY_AUTH_MODE: \"\" is unknown"},
		"any origin":             {func(s *config.Settings) { s.CORSOrigins = "*" }, "PARLEY_CORS_ORIGINS: names each origin"},
		"a negative rate":        {func(s *config.Settings) { s.CallerRate = -1 }, "PARLEY_CALLER_RATE"},
		"every mistake at once":  {func(s *config.Settings) { s.PolicyFile, s.OIDCAudience = "", "" }, "\nPARLEY_POLICY_FILE"},
		"tenant of the old kind": {func(s *config.Settings) { s.GraphTenantID = "x"; s.Tenants = map[string]config.Settings{"a": valid(t)} }, "PARLEY_GRAPH_TENANT_ID: contradicts tenants"},
	} {
		s := guarded(t)
		c.change(&s)
		if err := s.Check(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

func load(t *testing.T, text string) (config.Settings, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "parley.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s := loaded(t, "--config="+path, "--graph-credential=none", "--graph-url=http://127.0.0.1:8090", "--graph-model=A")
	return s.Settings, s.Check()
}

const (
	first  = "8a6d5c1e-0f1b-4e7a-b1a5-6a2f3c4d5e6f"
	second = "1b2c3d4e-5f60-4718-8293-a4b5c6d7e8f9"
)

func TestTenantsInheritSettingsButNotTheirID(t *testing.T) {
	t.Parallel()
	s, err := load(t, "log_level: warn\ntenants:\n  contoso:\n    graph_tenant_id: "+first+"\n  fabrikam:\n    graph_tenant_id: "+second+
		"\n    graph_model: B\n    graph_url: http://127.0.0.1:2\n    graph_client_id:\n")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Check(); err != nil {
		t.Fatal(err)
	}
	tenants := s.ByAlias()
	contoso, fabrikam := tenants["contoso"], tenants["fabrikam"]
	if len(tenants) != 2 || contoso.GraphTenantID != first || contoso.GraphModel != "A" || contoso.GraphURL != s.GraphURL ||
		fabrikam.GraphTenantID != second || fabrikam.GraphModel != "B" || fabrikam.GraphURL != "http://127.0.0.1:2" || fabrikam.Tenants != nil {
		t.Errorf("%+v", tenants)
	}
	s, err = load(t, "log_level: warn\n")
	if err != nil {
		t.Fatal(err)
	}
	if only := s.ByAlias(); len(only) != 1 || only[config.DefaultAlias].GraphURL != s.GraphURL {
		t.Errorf("%+v", only)
	}
}
