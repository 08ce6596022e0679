package cli_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/parley-gateway/parley/internal/cli"
	"github.com/parley-gateway/parley/server/audit"
)

// TestAuditVerifyReportsByExitCode: what the verb says of records, and by which exit code scripts learn it.
func TestAuditVerifyReportsByExitCode(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "audit")
	file, err := audit.OpenFile(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	log := audit.New(file, audit.Options{})
	for range 3 {
		call := &audit.Call{}
		call.Open(log)
		if err := call.Intent(audit.Intent{RPC: "ListEvents"}); err != nil {
			t.Fatal(err)
		}
		call.End(audit.Outcome{Code: "OK"})
	}
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(string(text), "\n")
	write := func(name string, lines ...string) string {
		at := filepath.Join(dir, name)
		if err := os.WriteFile(at, []byte(strings.Join(lines, "")), 0o600); err != nil {
			t.Fatal(err)
		}
		return at
	}
	for name, c := range map[string]struct {
		files         []string
		code          int
		want, wantErr string
	}{
		"whole":         {[]string{path}, cli.OK, "records 1 to 6, 6 of them here; 3 calls with their outcome, 0 without", ""},
		"in two files":  {[]string{write("a", lines[:3]...), write("b", lines[3:]...)}, cli.OK, "3 calls with their outcome", ""},
		"the second":    {[]string{filepath.Join(dir, "b")}, cli.OK, "begins with record 4", ""},
		"cut":           {[]string{write("cut", lines[:3]...)}, cli.Failed, "1 calls have no outcome, the first of them with the intent 3", "not whole: 1 findings"},
		"changed":       {[]string{write("changed", strings.Replace(string(text), "ListEvents", "GetEvent", 1))}, cli.Failed, "changed:1: process ", "not whole"},
		"no record":     {[]string{write("none", "hello\n")}, cli.Failed, "none:1: is not a whole record", "no audit record"},
		"empty":         {[]string{write("empty")}, cli.Failed, "", "no audit record"},
		"no file":       {[]string{filepath.Join(dir, "absent")}, cli.Usage, "", "absent"},
		"a folder":      {[]string{dir}, cli.Usage, "", "is a directory"},
		"nothing named": {nil, cli.Usage, "", "<file>"},
	} {
		code, out, errOut := run(t, append([]string{"audit", "verify"}, c.files...)...)
		if code != c.code || !strings.Contains(out, c.want) || !strings.Contains(errOut, c.wantErr) || code != cli.Usage && !strings.Contains(out, "Not proven") {
			t.Errorf("%s: exit code %d, want %d: %s%s", name, code, c.code, out, errOut)
		}
	}
}
