package cli_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/parley-gateway/parley/export/internal/cli"
)

func run(t *testing.T, args ...string) (code int, out, errOut string) {
	t.Helper()
	var o, e bytes.Buffer
	code = cli.Run(t.Context(), args, &o, &e)
	return code, o.String(), e.String()
}

// TestMistakesAreToldAtOnce: each wrong flag is named with its fix, in one answer.
func TestMistakesAreToldAtOnce(t *testing.T) {
	t.Parallel()
	ids := filepath.Join(t.TempDir(), "ids")
	if err := os.WriteFile(ids, []byte("# people\nmara@contoso.example\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		args []string
		want []string
	}{
		"nothing": {nil, []string{"--server: say host:port", "--out: say where"}},
		"everything": {
			[]string{
				"--server=gateway", "--out=x", "--start=today", "--users=" + ids, "--shard=4/4", "--sources=mail,chat", "--view=most",
				"--format=csv", "--datasets=events,rows", "--auth=basic",
			},
			[]string{
				"--server=gateway: say host:port", "--start=today: use a time", "line 2 is no object id", "--shard=4/4: use I/N", "--sources=mail: use copilot",
				"--view=most: use metadata, basic or full", "--format=csv: use parquet or ndjson", "--datasets=rows: use events", "--auth=basic: use none, token-file",
			},
		},
		"interval":    {[]string{"--server=a:1", "--out=x", "--start=2026-11-30", "--end=2026-11-29"}, []string{"--start=2026-11-30T00:00:00Z: choose one before the end"}},
		"day":         {[]string{"--server=a:1", "--out=x", "monday"}, []string{"<day>=monday: use yesterday"}},
		"future":      {[]string{"--server=a:1", "--out=x", "--end=2999-01-01"}, []string{"--end=2999-01-01: choose an end that is not in the future"}},
		"future day":  {[]string{"--server=a:1", "--out=x", "2999-01-01"}, []string{"<day>=2999-01-01: choose a day that is over"}},
		"both":        {[]string{"--server=a:1", "--out=x", "yesterday", "--end=2026-11-29"}, []string{"<day>=yesterday: leave it out"}},
		"token file":  {[]string{"--server=a:1", "--out=x", "--auth=token-file"}, []string{"--token-file: name the file"}},
		"certificate": {[]string{"--server=a:1", "--out=x", "--auth=cert"}, []string{"--cert-file: name the client certificate", "--key-file: name its key"}},
		"oidc":        {[]string{"--server=a:1", "--out=x", "--auth=oidc-client"}, []string{"--oidc-token-url: say where", "--oidc-client-id: say", "--oidc-client-secret-file: name"}},
		"azure":       {[]string{"--server=a:1", "--out=x", "--auth=azure", "--azure-credential=guess"}, []string{"--scope: say the scope", "--azure-credential=guess: use workload-identity"}},
		"in the open": {[]string{"--server=a:1", "--out=x", "--plaintext", "--auth=token-file", "--token-file=x"}, []string{"--plaintext: leave it out with --auth=token-file"}},
		"authorities": {[]string{"--server=a:1", "--out=x", "--ca-file=" + ids}, []string{"--ca-file=" + ids + ": there is no certificate in it"}},
		"dialect": {
			[]string{"schema", "--dialect=cobol", "--format=csv", "--datasets=events,chats"},
			[]string{"--dialect=cobol: use one of duckdb, spark", "--format=csv: use parquet or ndjson", "--datasets=chats: use some of events, "},
		},
		"finish":  {[]string{"finish", "x"}, []string{"--out: say where the export is"}},
		"metrics": {[]string{"--server=a:1", "--out=x", "--metrics-addr=9464"}, []string{"--metrics-addr=9464: say host:port"}},
		"no flag": {[]string{"--colour"}, []string{"unknown flag --colour"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			code, out, errOut := run(t, c.args...)
			if code != cli.Usage || out != "" {
				t.Errorf("exit code %d: %s%s", code, out, errOut)
			}
			for _, want := range c.want {
				if !strings.Contains(errOut, want) {
					t.Errorf("does not say %q:\n%s", want, errOut)
				}
			}
		})
	}
}

func TestSchema(t *testing.T) {
	t.Parallel()
	for dialect, want := range map[string][]string{
		"duckdb":    {"FROM read_parquet('s3://b/p/run_date=*/dataset=events/*.parquet'", "VIEW events_latest", "PARTITION BY uid, user_id ORDER BY version DESC, run", "PARTITION BY uid, user_id ORDER BY version DESC, answers DESC, run", "VIEW events_once"},
		"spark":     {"USING parquet", "CREATE OR REPLACE TEMPORARY VIEW turns_latest", "call_modalities ARRAY<STRING>"},
		"bigquery":  {"LOAD DATA INTO events", "s3://b/p/run_date=DATE/dataset=events/*.parquet", "event_time TIMESTAMP"},
		"snowflake": {"COPY INTO events", "uid VARCHAR NOT NULL", "MATCH_BY_COLUMN_NAME"},
		"markdown":  {"### events", "| `uid` | 1 | string | equal for every version"},
	} {
		code, out, errOut := run(t, "schema", "--dialect="+dialect, "--out=s3://b/p/")
		if code != cli.Done || errOut != "" {
			t.Errorf("%s: exit code %d: %s", dialect, code, errOut)
		}
		for _, text := range want {
			if !strings.Contains(out, text) {
				t.Errorf("%s lacks %q:\n%s", dialect, text, out)
			}
		}
	}
}

// TestSchemaOfSomeDatasets: who wrote some datasets gets the tables and views of these alone.
func TestSchemaOfSomeDatasets(t *testing.T) {
	t.Parallel()
	code, out, errOut := run(t, "schema", "--datasets=events,users")
	if code != cli.Done || strings.Count(out, "VIEW ") != 5 || strings.Contains(out, "dataset=turns") {
		t.Errorf("exit code %d: %s%s", code, out, errOut)
	}
}

// TestHandbook holds the tables of the documentation.
func TestHandbook(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../../docs/nightly.md")
	if err != nil {
		t.Fatal(err)
	}
	_, want, _ := run(t, "schema", "--dialect=markdown")
	if want = strings.TrimSpace(want); want == "" || !strings.Contains(string(page), want) {
		t.Error("docs/nightly.md has other tables than `parley-export schema --dialect markdown` prints")
	}
}

func TestUnreachable(t *testing.T) {
	t.Parallel()
	out := t.TempDir()
	// The folder of the export cannot be made: a local failure is no refusal.
	file := filepath.Join(out, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if code, _, errOut := run(t, "--server=127.0.0.1:1", "--plaintext", "--out="+file, "--state="+out); code != cli.Unexpected {
		t.Errorf("exit code %d: %s", code, errOut)
	}
	if code, _, errOut := run(t, "finish", "--out="+out, "no-such-run"); code != cli.Refused || !strings.Contains(errOut, "no shard of the run no-such-run") {
		t.Errorf("exit code %d: %s", code, errOut)
	}
}
