package cli_test

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/parley-gateway/parley/internal/cli"
)

// inFolder makes a folder with files the working folder of a test.
func inFolder(t *testing.T, files map[string]string) {
	t.Helper()
	t.Chdir(t.TempDir())
	for name, text := range files {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

const demoPolicy = "rules:\n  - {name: all, match: {authenticated: true}, allow: {rpcs: all, sources: all, view: full, users: all}}\n"

// TestConfigCheckStartsNothing: a configuration is checked without starting. The files that it names are read, nothing is listened
// on or written, and the exit code tells.
func TestConfigCheckStartsNothing(t *testing.T) {
	keys := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("k", 32))) + "\n"
	inFolder(t, map[string]string{
		"keys": keys, "short": "c2hvcnQ=\n", "policy.yaml": demoPolicy, "typo.yaml": strings.Replace(demoPolicy, "rpcs", "rcps", 1), "none.pem": "x", "secret": "s3cret",
		"good.yaml": "graph_credential: none\ngraph_url: http://127.0.0.1:9\nseal_keys_file: keys\npolicy_file: policy.yaml\naudit_file: audit\n" +
			"auth_mode: oidc\noidc_issuer: https://id.example\noidc_audience: api://parley\n",
		"bad.yaml": "graph_credential: client-secret\ngraph_tenant_id: 8a6d5c1e-0f1b-4e7a-b1a5-6a2f3c4d5e6f\ngraph_client_id: x\n" +
			"graph_client_secret_file: empty\ngraph_ca_file: none.pem\nseal_keys_file: short\npolicy_file: typo.yaml\n" +
			"tls_cert_file: none.pem\ntls_key_file: secret\naudit_file: absent/audit\ncaller_rate: many\n",
		"empty": "", "audit": "a record\n",
	})
	folder, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	if code, out, errOut := run(t, "config", "check", "--config=good.yaml"); code != cli.OK || out != "the configuration is good\n" || errOut != "" {
		t.Errorf("%d %q %q", code, out, errOut)
	}
	if records, err := os.ReadFile("audit"); err != nil || string(records) != "a record\n" {
		t.Errorf("the check wrote audit records: %q, %v", records, err)
	}
	// What is wrong in a file is told with what is wrong in the settings.
	want := strings.TrimSpace(`
parley: bad.yaml:4:27: graph_client_secret_file: file is empty
parley: bad.yaml:5:16: graph_ca_file: holds no certificate in PEM form
parley: bad.yaml:6:17: seal_keys_file: FOLDER/short: line 1 is not 32 bytes in base64
parley: bad.yaml:7:14: policy_file: FOLDER/typo.yaml:2: unknown key of allow "rcps"; known are rpcs, sources, view, users, tenants, graph
parley: bad.yaml:7:14: policy_file: FOLDER/typo.yaml:2: allow needs ` + "`rpcs`" + `
parley: bad.yaml:8:16: tls_cert_file: FOLDER/none.pem and FOLDER/secret: not a certificate and its key in PEM
parley: bad.yaml:10:13: audit_file: audit: the folder FOLDER/absent: no such file or directory
parley: bad.yaml:11:14: caller_rate: is not a whole number, such as 50`)
	for _, verb := range [][]string{{"config", "check"}, {"serve"}} {
		code, out, errOut := run(t, append(verb, "--config=bad.yaml")...)
		if diff := cmp.Diff(want, strings.TrimSpace(strings.ReplaceAll(errOut, folder, "FOLDER"))); diff != "" || code != cli.Usage || out != "" {
			t.Errorf("%v: %d, %q (-want +have):\n%s", verb, code, out, diff)
		}
	}
	t.Setenv("PARLEY_CONFIG_FILE", "absent.yaml")
	if code, _, errOut := run(t, "config", "check"); code != cli.Usage || errOut != "parley: PARLEY_CONFIG_FILE: absent.yaml: no such file or directory\n" {
		t.Errorf("%d %q", code, errOut)
	}
}

// TestConfigShowShowsWhatWouldBeServed: what is shown is what would be served. Also when something is wrong with it.
func TestConfigShowShowsWhatWouldBeServed(t *testing.T) {
	inFolder(t, map[string]string{"parley.yaml": "graph_url: http://127.0.0.1:9\nlog_level: warn\n", "broken.yaml": "log_level: 'warn\n"})
	t.Setenv("PARLEY_CONFIG_FILE", "parley.yaml")
	t.Setenv("PARLEY_GRAPH_CREDENTIAL", "none")
	code, out, errOut := run(t, "config", "show")
	if code != cli.OK || errOut != "" || !strings.Contains(out, "\ngraph_credential: none # PARLEY_GRAPH_CREDENTIAL\n") || !strings.Contains(out, "\nlog_level: warn # parley.yaml:2:12\n") {
		t.Errorf("%d %s%s", code, out, errOut)
	}
	code, out, errOut = run(t, "config", "show", "--http-addr=:1")
	if code != cli.Usage || !strings.Contains(out, "\nhttp_addr: :1 # --http-addr\n") || !strings.HasPrefix(errOut, "parley: --http-addr: PARLEY_HTTP_ADDR: \":1\" is not a loopback address") {
		t.Errorf("%d %s%s", code, out, errOut)
	}
	code, out, errOut = run(t, "config", "show", "--config=broken.yaml")
	if code != cli.Usage || out != "" || !strings.HasPrefix(errOut, "parley: broken.yaml:1: is not valid YAML: ") {
		t.Errorf("%d %s%s", code, out, errOut)
	}
}

// TestOtherVerbsNameWhereAValueCameFrom: every wrong value at once, with where it came from, for verbs without a file.
// A probe does not mind variables that it does not know.
func TestOtherVerbsNameWhereAValueCameFrom(t *testing.T) {
	t.Setenv("PARLEY_LOG_LEVEL", "loud")
	t.Setenv("PARLEY_HTTP_ADR", "127.0.0.1:1")
	t.Setenv("PARLEY_HTTP_ADDR", "nowhere")
	for line, want := range map[string]string{
		"demo --seed=x --log-format=xml": "parley: --seed: is not a whole number from 0 on, such as 1\nparley: PARLEY_LOG_LEVEL: is none of debug, info, warn, error\n" +
			"parley: --log-format: PARLEY_LOG_FORMAT: is none of text, json\nparley: PARLEY_HTTP_ADR: is no setting; did you mean PARLEY_HTTP_ADDR?\n",
		"sim --users=many": "parley: --users: is not a whole number, such as 50\nparley: PARLEY_HTTP_ADR: is no setting; did you mean PARLEY_HTTP_ADDR?\n",
		"healthcheck":      "parley: PARLEY_HTTP_ADDR: \"nowhere\" is not host:port\n",
	} {
		if code, _, errOut := run(t, strings.Fields(line)...); code != cli.Usage || errOut != want {
			t.Errorf("%s: %d %s, want %s", line, code, errOut, want)
		}
	}
	if code, _, errOut := run(t, "version"); code != cli.OK || errOut != "" {
		t.Errorf("version: %d %q", code, errOut)
	}
}

// TestStartsBesideAService: variables that others set are not ours to refuse. A gateway starts with those that
// Kubernetes makes of a Service of its own name.
func TestStartsBesideAService(t *testing.T) {
	t.Parallel()
	p := spawn(t, "http://127.0.0.1:9", []string{
		"PARLEY_PORT=tcp://10.0.0.7:9090", "PARLEY_SERVICE_HOST=10.0.0.7", "PARLEY_SERVICE_PORT=9090", "PARLEY_SERVICE_PORT_HTTP=8080",
		"PARLEY_PORT_9090_TCP=tcp://10.0.0.7:9090", "PARLEY_PORT_9090_TCP_PROTO=tcp", "PARLEY_PORT_9090_TCP_PORT=9090", "PARLEY_PORT_9090_TCP_ADDR=10.0.0.7",
	})
	if p.http == "" || filepath.IsAbs(p.http) {
		t.Errorf("listens on %q", p.http)
	}
}
