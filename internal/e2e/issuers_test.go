package e2e_test

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/parley-gateway/parley"
	"github.com/parley-gateway/parley/graphsim"
	"github.com/parley-gateway/parley/internal/config"
)

// TestKindsOfCallersAreToldAtStart: a rule that believes in a distinction which the issuer does not make keeps the gateway
// from starting.
func TestKindsOfCallersAreToldAtStart(t *testing.T) {
	t.Parallel()
	policy := filepath.Join(t.TempDir(), "policy.yaml")
	rules := "rules:\n  - {name: people, match: {kind: user, scope: read}, allow: {rpcs: all, sources: all, view: full, users: all}}\n"
	if err := os.WriteFile(policy, []byte(rules), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		issuer, programs string
		refused          bool
	}{
		"Entra":                 {"https://login.microsoftonline.com/" + contosoID + "/v2.0", "", false},
		"Auth0":                 {"https://contoso.auth0.com/", "", false},
		"Keycloak":              {"https://id.contoso.example/realms/main", "", false},
		"Okta":                  {"https://contoso.okta.com/oauth2/default", "", false},
		"nothing is known":      {"https://id.contoso.example", "", true},
		"Okta, under a domain":  {"https://id.contoso.example/oauth2/default", "", false},
		"Auth0, under a domain": {"https://login.contoso.example/", "", true},
		"and said so":           {"https://login.contoso.example/", "auth0", false},
		"RFC 9068, said so":     {"https://id.contoso.example", "rfc9068", false},
	} {
		settings := settingsFor(t, "http://127.0.0.1:9", nil)
		settings.GraphCredential, settings.GraphCAFile, settings.GraphClientSecretFile = "none", "", ""
		settings.AuthMode, settings.OIDCIssuer, settings.OIDCPrograms, settings.OIDCAudience = "oidc", c.issuer, c.programs, "api://parley"
		settings.PolicyFile, settings.AuditFile = policy, filepath.Join(t.TempDir(), "audit")
		running, err := settings.NewGateway(parley.Config{Logger: slog.New(slog.DiscardHandler), Version: "test"})
		if err == nil {
			err = errors.Join(running.Close(t.Context()))
		}
		bad, refused := errors.AsType[*config.Error](err)
		if refused != c.refused || refused && (bad.Setting != "PARLEY_POLICY_FILE" || !strings.Contains(bad.Error(), "oidc-programs: ")) || !refused && err != nil {
			t.Errorf("%s: %v, want it refused: %v", name, err, c.refused)
		}
	}
}

// TestExposedFilesAreLogged: what the operator has to mend is said at start, without the secret.
func TestExposedFilesAreLogged(t *testing.T) {
	t.Parallel()
	settings := settingsFor(t, "http://127.0.0.1:9", nil)
	settings.GraphCredential, settings.GraphCAFile, settings.GraphClientSecretFile = "none", "", ""
	settings.SealKeysFile = filepath.Join(t.TempDir(), "keys")
	const key = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
	if err := errors.Join(os.WriteFile(settings.SealKeysFile, []byte(key+"\n"), 0o600), os.Chmod(settings.SealKeysFile, 0o644)); err != nil {
		t.Fatal(err)
	}
	log := &shared{}
	running, err := settings.NewGateway(parley.Config{Logger: slog.New(slog.NewTextHandler(log, nil)), Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	if err := running.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if text := log.String(); !strings.Contains(text, "can read the secret") || !strings.Contains(text, "PARLEY_SEAL_KEYS_FILE") || strings.Contains(text, key) {
		t.Errorf("logged %q", text)
	}
}

// TestTokenMaxLifetime: a setting that counts from the command line to the verifier of tokens.
func TestTokenMaxLifetime(t *testing.T) {
	t.Parallel()
	g := guardOver(t, graphsim.Config{Users: 3, Chats: 2, Messages: 4}, func(settings *config.Settings) {
		settings.PolicyFile = filepath.Join("..", "..", "docs", "policies", "entra-app-roles.yaml")
		settings.TokenMaxLifetime = 30 * time.Minute
	})
	for lifetime, want := range map[time.Duration]int{30 * time.Minute: 200, 31 * time.Minute: 401} {
		job := g.token(t, graphsim.CallerToken{Roles: []string{"Conversations.Export.All"}, Lifetime: lifetime})
		if status, reason, body := g.ask(t, job, "/v1/users?pageSize=1"); status != want {
			t.Errorf("a token of %s: %d %s: %s", lifetime, status, reason, body)
		}
	}
}
