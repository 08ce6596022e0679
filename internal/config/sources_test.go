package config_test

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/parley-gateway/parley"
	"github.com/parley-gateway/parley/internal/config"
)

// written writes files of a test into its folder, which becomes the working folder.
func written(t *testing.T, files map[string]string) {
	t.Helper()
	t.Chdir(t.TempDir())
	for name, text := range files {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// TestWhichValueWins: the flag wins over the environment, the environment over the file, the file over the default.
func TestWhichValueWins(t *testing.T) {
	written(t, map[string]string{"parley.yaml": "caller_rate: 1\ncaller_burst: 1\nsettle_call: 0.5h30m\nlog_format: json\ntls_terminated: yes\nlog_level:\n" +
		"settle_chat: 0\ngraph_ca_file: ''\ncaller_graph_requests: 1_000\n"})
	t.Setenv("PARLEY_CONFIG_FILE", "parley.yaml")
	t.Setenv("PARLEY_CALLER_RATE", "2")
	t.Setenv("PARLEY_CALLER_BURST", "2")
	t.Setenv("PARLEY_POLICY_FILE", "")
	s := loaded(t, "--caller-rate=3", "--no-such-flag")
	if s.CallerRate != 3 || s.CallerBurst != 2 || s.SettleCall.String() != "1h0m0s" || s.LogFormat != "json" || !s.TLSTerminated ||
		s.LogLevel != "info" || s.SettleChat != 0 || s.CallerGraphRequests != 1000 || s.CacheMaxAge.String() != "24h0m0s" || s.PolicyFile != "" || s.GraphCAFile != "" {
		t.Errorf("%+v", s.Settings)
	}
}

// TestVariablesOfServicesAreNoSettings: variables that others set are not ours to refuse. Those that Kubernetes and Docker make of a
// service named parley or parley-grpc, and settings of other verbs and of parley-export.
func TestVariablesOfServicesAreNoSettings(t *testing.T) {
	for name, value := range map[string]string{
		"PARLEY_PORT": "tcp://10.0.0.7:9090", "PARLEY_SERVICE_HOST": "10.0.0.7", "PARLEY_SERVICE_PORT": "9090", "PARLEY_SERVICE_PORT_GRPC": "9090",
		"PARLEY_PORT_9090_TCP": "tcp://10.0.0.7:9090", "PARLEY_PORT_9090_TCP_PROTO": "tcp", "PARLEY_PORT_9090_TCP_PORT": "9090",
		"PARLEY_PORT_9090_TCP_ADDR": "10.0.0.7", "PARLEY_GRPC_SERVICE_HOST": "10.0.0.8", "PARLEY_GRPC_PORT": "tcp://10.0.0.8:9090",
		"PARLEY_HEADLESS_PORT_53_UDP_ADDR": "10.0.0.9", "PARLEY_NAME": "/web/parley", "PARLEY_EXPORT_AUTH": "none", "PARLEY_ENV_PATH": "/bin", "PARLEY_SIM_PORT_8090_TCP": "tcp://10.0.0.1:8090",
	} {
		t.Setenv(name, value)
	}
	if err := loaded(t, strings.Fields(loopback)...).Check(); err != nil {
		t.Errorf("refused: %v", err)
	}
	t.Setenv("PARLEY_PORTS", "1")
	t.Setenv("PARLEY_NAME", "contoso")
	const want = "PARLEY_NAME: is no setting; `parley serve --help` lists all\nPARLEY_PORTS: is no setting; `parley serve --help` lists all"
	if err := loaded(t, strings.Fields(loopback)...).Check(); err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}

// TestShownSettingsAreReadTheSame: the configuration is shown as it is, with where each value came from. As a file that makes the same
// settings, without secrets.
func TestShownSettingsAreReadTheSame(t *testing.T) {
	written(t, map[string]string{"s3cret.txt": "s3cret", "parley.yaml": `
graph_credential: client-secret
graph_client_secret_file: s3cret.txt
cors_origins: "true"
tenants:
  fabrikam:
    graph_tenant_id: ` + second + `
    graph_cloud: us-l4
    graph_client_secret_file: the-s3cret-itself
  contoso:
    graph_tenant_id: ` + first + `
`})
	t.Setenv("PARLEY_CALLER_RATE", "7")
	s := loaded(t, "--config=parley.yaml", "--log-level=warn", "--graph-url=https://user:s3cret@graph.example")
	shown, err := s.Show()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"\ncaller_rate: 7 # PARLEY_CALLER_RATE\n", "\nlog_level: warn # --log-level\n", "\ncaller_burst: 100 # default\n", "\npolicy_file: # not set\n",
		"\ngraph_url: https://***@graph.example # --graph-url\n", "\ncors_origins: \"true\" # parley.yaml:4:15\n", "\ntls_terminated: false # default\n",
		"\ngraph_credential: client-secret # parley.yaml:2:19\n", "/s3cret.txt # parley.yaml:3:27\n",
		"\n  fabrikam:\n    graph_cloud: us-l4 # parley.yaml:8:18\n", "\n    graph_client_secret_file: '***' # parley.yaml:9:31\n",
		"\n    graph_tenant_id: " + first + " # parley.yaml:11:22\n", "\n    graph_credential: client-secret # parley.yaml:2:19\n",
	} {
		if !strings.Contains(string(shown), want) {
			t.Errorf("lacks %q", want)
		}
	}
	if strings.Contains(string(shown), "s3cret@") || strings.Contains(string(shown), "itself") || bytes.Index(shown, []byte("contoso")) > bytes.Index(shown, []byte("fabrikam")) || t.Failed() {
		t.Errorf("shown:\n%s", shown)
	}
	if err := os.WriteFile("again.yaml", shown, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PARLEY_CALLER_RATE", "7")
	again := loaded(t, "--config=again.yaml", "--graph-url=https://user:s3cret@graph.example")
	if diff := cmp.Diff(s.Tenants["contoso"].GraphClientSecretFile, again.Tenants["contoso"].GraphClientSecretFile); diff != "" || again.LogLevel != "warn" ||
		again.CORSOrigins != "true" || again.Tenants["fabrikam"].GraphCloud != "us-l4" || again.GraphTenantID != "" {
		t.Errorf("what is shown makes other settings: %+v", again.Settings)
	}
}

// TestErrorsOfFieldsNameTheirSettings: libraries name fields, the configuration names settings. Each error of a join is translated, with
// the place that its value came from, in a tenant too; what is no field of a setting stays.
func TestErrorsOfFieldsNameTheirSettings(t *testing.T) {
	written(t, map[string]string{"parley.yaml": "graph_url: https://x\ntenants:\n  a:\n    graph_tenant_id: " + first + "\n    graph_model: A\n"})
	s := loaded(t, "--config=parley.yaml", "--http-addr=127.0.0.1:1")
	field := func(path, problem string) error { return &parley.ConfigError{Field: path, Problem: problem} }
	err := s.Translate(errors.Join(
		field("HTTP.Addr", "cannot listen"), field("PolicyFile", "no file: file does not exist"), field("Other", "is odd"), os.ErrNotExist,
	))
	const want = "--http-addr: PARLEY_HTTP_ADDR: cannot listen\nPARLEY_POLICY_FILE: no file: file does not exist\nOther: is odd\nfile does not exist"
	if diff := cmp.Diff(want, err.Error()); diff != "" {
		t.Error(diff)
	}
	for path, want := range map[string]string{
		"Tenants[a].BaseURL": "parley.yaml:1:12: graph_url: x", "Tenants[a].Model": "parley.yaml:5:18: tenants.a.graph_model: x",
		"Tenants[a].Credential": "parley.yaml:3:3: tenants.a.graph_credential: x", "Tenants[b]": "tenants: \"b\" x",
	} {
		if have := s.Translate(field(path, "x")); have.Error() != want {
			t.Errorf("%s: %v, want %s", path, have, want)
		}
	}
	if err := s.Translate(nil); err != nil {
		t.Errorf("no error becomes %v", err)
	}
	if name := (&config.Settings{}).Name(&s.HTTPAddr); name != "" {
		t.Errorf("a field of other settings has the name %q", name)
	}
}
