package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// wrong is a configuration that is refused: the text of parley.yaml, variables as NAME=value, and flags.
type wrong struct {
	file, env, args string
	// want has all lines; FOLDER stands for the folder of the test.
	want string
}

// loopback is a Graph that needs no credential.
const loopback = "--graph-credential=none --graph-url=http://127.0.0.1:9"

// answer returns everything that is wrong with a configuration.
func (w wrong) answer(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	t.Chdir(dir)
	args := strings.Fields(w.args)
	if w.file != "" {
		if err := os.WriteFile("parley.yaml", []byte(w.file), 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, "--config=parley.yaml")
	}
	if err := os.WriteFile(filepath.Join(dir, "some.pem"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	for variable := range strings.FieldsSeq(w.env) {
		name, value, _ := strings.Cut(variable, "=")
		t.Setenv(name, value)
	}
	err := loaded(t, args...).Check()
	if err == nil {
		return ""
	}
	return strings.ReplaceAll(err.Error(), dir, "FOLDER")
}

// TestWrongConfigurations: a wrong configuration is answered whole. Every mistake at once, each with the place that
// the value came from, the setting, what is wrong, and the fix.
func TestWrongConfigurations(t *testing.T) {
	for name, w := range wrongConfigurations() {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(w.want, w.answer(t)); diff != "" {
				t.Errorf("answer (-want +have):\n%s", diff)
			}
		})
	}
}
