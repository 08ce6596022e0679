package config_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/parley-gateway/parley/internal/config"
)

// TestFilesThatOthersCanReadAreReported: what others on the machine can read or change is as good as theirs.
func TestFilesThatOthersCanReadAreReported(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := func(name string, mode os.FileMode) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	link := filepath.Join(dir, "link")
	if err := os.Symlink(file("behind", 0o644), link); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		change func(*config.Settings)
		want   string // the setting; empty = none
	}{
		"the owner's alone":       {func(s *config.Settings) { s.SealKeysFile = file("a", 0o600) }, ""},
		"of a group":              {func(s *config.Settings) { s.SealKeysFile = file("b", 0o640) }, ""},
		"readable seal keys":      {func(s *config.Settings) { s.SealKeysFile = file("c", 0o644) }, "PARLEY_SEAL_KEYS_FILE"},
		"readable client secret":  {func(s *config.Settings) { s.GraphClientSecretFile = file("d", 0o604) }, "PARLEY_GRAPH_CLIENT_SECRET_FILE"},
		"readable key of Graph's": {func(s *config.Settings) { s.GraphCertificateFile = file("e", 0o444) }, "PARLEY_GRAPH_CERTIFICATE_FILE"},
		"readable TLS key":        {func(s *config.Settings) { s.TLSKeyFile = file("f", 0o644) }, "PARLEY_TLS_KEY_FILE"},
		"behind a link":           {func(s *config.Settings) { s.TLSKeyFile = link }, "PARLEY_TLS_KEY_FILE"},
		"a readable certificate":  {func(s *config.Settings) { s.TLSCertFile = file("g", 0o644) }, ""},
		"a readable policy":       {func(s *config.Settings) { s.PolicyFile = file("h", 0o644) }, ""},
		"a policy of everybody's": {func(s *config.Settings) { s.PolicyFile = file("i", 0o666) }, "PARLEY_POLICY_FILE"},
		"authorities that change": {func(s *config.Settings) { s.TLSClientCAFile = file("j", 0o646) }, "PARLEY_TLS_CLIENT_CA_FILE"},
		"readable shared keys":    {func(s *config.Settings) { s.SharedKeysFile = file("l", 0o644) }, "PARLEY_SHARED_KEYS_FILE"},
		"readable password":       {func(s *config.Settings) { s.SharedPasswordFile = file("m", 0o604) }, "PARLEY_SHARED_PASSWORD_FILE"},
		"the store's authorities": {func(s *config.Settings) { s.SharedCAFile = file("n", 0o644) }, ""},
		"authorities of a store":  {func(s *config.Settings) { s.SharedCAFile = file("o", 0o666) }, "PARLEY_SHARED_CA_FILE"},
		"of one tenant": {func(s *config.Settings) {
			own := *s
			own.GraphClientSecretFile = file("k", 0o644)
			s.Tenants = map[string]config.Settings{"contoso": own}
		}, "PARLEY_GRAPH_CLIENT_SECRET_FILE"},
		"missing": {func(s *config.Settings) { s.SealKeysFile = filepath.Join(dir, "nowhere") }, ""},
	} {
		s := config.Settings{}
		c.change(&s)
		found := s.Exposed()
		if c.want == "" && len(found) > 0 || c.want != "" && (len(found) != 1 || found[0].Setting != c.want || found[0].Problem == "" || found[0].Path == "") {
			t.Errorf("%s: %+v, want %q", name, found, c.want)
		}
	}
}
