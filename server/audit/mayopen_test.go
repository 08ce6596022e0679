package audit_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/parley-gateway/parley/server/audit"
)

// TestMayOpenChangesNothing: a check changes nothing. It says what OpenFile would say, and neither creates nor writes the file.
func TestMayOpenChangesNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	there, link := filepath.Join(dir, "there"), filepath.Join(dir, "link")
	if err := os.WriteFile(there, []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(there, link); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		there: "", filepath.Join(dir, "new"): "", os.DevNull: "", dir: "is a folder", link: "is a symbolic link",
		filepath.Join(dir, "none", "new"): "no such file", filepath.Join(there, "new"): "not a directory",
	} {
		err := audit.MayOpen(path)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
	}
	info, err := os.Stat(there)
	text, errRead := os.ReadFile(there)
	if _, errNew := os.Lstat(filepath.Join(dir, "new")); !os.IsNotExist(errNew) || err != nil || errRead != nil || string(text) != "x" || info.Mode().Perm() != 0o644 {
		t.Errorf("the check changed something: %v, %v, %q, %v", errNew, err, text, info.Mode())
	}
}
