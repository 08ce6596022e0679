package config_test

import (
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
	"github.com/google/go-cmp/cmp"

	"github.com/parley-gateway/parley/internal/config"
)

var update = flag.Bool("update", false, "write docs/configuration.md anew")

func TestReferenceIsCurrent(t *testing.T) {
	t.Parallel()
	page := filepath.Join("..", "..", "docs", "configuration.md")
	if *update {
		if err := os.WriteFile(page, []byte(reference()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(reference(), string(have)); diff != "" {
		t.Errorf("docs/configuration.md is stale, run this test with -update:\n%s", diff)
	}
}

func TestNamesFollowOneRule(t *testing.T) {
	t.Parallel()
	fields := reflect.TypeFor[config.Settings]()
	for field := range fields.Fields() {
		tag := field.Tag
		if tag.Get("kong") == "-" || !field.IsExported() {
			continue
		}
		want := "PARLEY_" + strings.ToUpper(strings.ReplaceAll(tag.Get("name"), "-", "_"))
		if tag.Get("env") != want || tag.Get("help") == "" || tag.Get("group") == "" {
			t.Errorf("%s: env %q, want %q; help and group must be set", field.Name, tag.Get("env"), want)
		}
	}
}

// valid returns settings that pass every check.
func valid(t *testing.T) config.Settings {
	t.Helper()
	s, err := config.Defaults()
	if err != nil {
		t.Fatal(err)
	}
	s.GraphCredential, s.GraphURL = "none", "http://127.0.0.1:8090"
	return s
}

func TestCheckAcceptsValidSettings(t *testing.T) {
	s := valid(t)
	if err := s.Check(); err != nil {
		t.Error(err)
	}
}

func TestCheckNamesTheSetting(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*config.Settings)
		want   string
	}{
		"no credential":           {func(s *config.Settings) { s.GraphCredential = "" }, "PARLEY_GRAPH_CREDENTIAL: is not set"},
		"unknown credential":      {func(s *config.Settings) { s.GraphCredential = "magic" }, "PARLEY_GRAPH_CREDENTIAL: \"magic\" is unknown"},
		"none without url":        {func(s *config.Settings) { s.GraphURL = "" }, "PARLEY_GRAPH_URL: is needed"},
		"url with version":        {func(s *config.Settings) { s.GraphURL = "http://127.0.0.1/v1.0" }, "PARLEY_GRAPH_URL: must be scheme and host only"},
		"proxy of another kind":   {func(s *config.Settings) { s.ProxyURL = "ftp://proxy:21" }, "PARLEY_PROXY_URL: has a scheme that is not known"},
		"proxy without a scheme":  {func(s *config.Settings) { s.ProxyURL = "proxy:3128" }, "PARLEY_PROXY_URL: \"proxy:3128\" is not a URL of the form"},
		"proxy with a path":       {func(s *config.Settings) { s.ProxyURL = "http://proxy:3128/x" }, "PARLEY_PROXY_URL: must be scheme, host and port"},
		"proxy with a bad secret": {func(s *config.Settings) { s.ProxyURL = "http://u:p%zz@proxy" }, "PARLEY_PROXY_URL: is not a URL of the form http://host:port"},
		"url of another kind":     {func(s *config.Settings) { s.GraphURL = "ftp://127.0.0.1" }, "PARLEY_GRAPH_URL: is not a URL"},
		"secret without its file": {func(s *config.Settings) { s.GraphCredential = "client-secret" }, "PARLEY_GRAPH_CLIENT_SECRET_FILE: is needed"},
		"tenant not a uuid":       {func(s *config.Settings) { s.GraphTenantID = "contoso" }, "PARLEY_GRAPH_TENANT_ID: \"contoso\" is not a UUID"},
		"contradiction":           {func(s *config.Settings) { s.GraphClientSecretFile = "config_test.go" }, "PARLEY_GRAPH_CLIENT_SECRET_FILE: contradicts"},
		"missing file":            {func(s *config.Settings) { s.SealKeysFile = "no-such-file" }, "PARLEY_SEAL_KEYS_FILE: no such file"},
		"version":                 {func(s *config.Settings) { s.GraphVersionCall = "v2" }, "PARLEY_GRAPH_VERSION_CALL: \"v2\""},
		"model":                   {func(s *config.Settings) { s.GraphModel = "C" }, "PARLEY_GRAPH_MODEL: \"C\""},
		"open listener":           {func(s *config.Settings) { s.HTTPAddr = "0.0.0.0:8080" }, "PARLEY_HTTP_ADDR: \"0.0.0.0:8080\" is not a loopback"},
		"named listener":          {func(s *config.Settings) { s.GRPCAddr = "example.org:1" }, "PARLEY_GRPC_ADDR: \"example.org:1\" is not a loopback"},
		"listener without port":   {func(s *config.Settings) { s.AdminAddr = "127.0.0.1" }, "PARLEY_ADMIN_ADDR: \"127.0.0.1\" is not host:port"},
		"auth mode":               {func(s *config.Settings) { s.AuthMode = "basic" }, "PARLEY_AUTH_MODE: \"basic\" is unknown"},
		"cache size":              {func(s *config.Settings) { s.CacheSize = "lots" }, "PARLEY_CACHE_SIZE: \"lots\" is not a size"},
		"negative":                {func(s *config.Settings) { s.SettleCall = -1 }, "PARLEY_SETTLE_CALL: must not be negative"},
	} {
		t.Run(name, func(t *testing.T) {
			s := valid(t)
			c.change(&s)
			err := s.Check()
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func TestParseSize(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int64{"0": 0, "512": 512, "1KiB": 1 << 10, "64MiB": 64 << 20, "2GiB": 2 << 30} {
		if have, err := config.ParseSize(text); err != nil || have != want {
			t.Errorf("%s: %d, %v, want %d", text, have, err, want)
		}
	}
	for _, text := range []string{"", "MiB", "-1", "1.5GiB", "64 MiB", "99999999999999GiB", "1TB"} {
		if have, err := config.ParseSize(text); err == nil {
			t.Errorf("%q: %d, want an error", text, have)
		}
	}
}

// loaded reads a command line of serve.
func loaded(t *testing.T, args ...string) *config.Loaded {
	t.Helper()
	var line struct {
		Serve struct {
			config.Loaded `embed:""`
		} `cmd:""`
	}
	parser, err := kong.New(&line)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := config.NewCommandLine(parser).Parse(append([]string{"serve"}, args...)); err != nil {
		t.Fatal(err)
	}
	return &line.Serve.Loaded
}
