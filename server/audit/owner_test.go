//go:build unix

package audit_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/parley-gateway/parley/server/audit"
)

// TestFileIsItsOwnersAlone: whatever stands at the path, nobody else reads the records or chooses where they go.
func TestFileIsItsOwnersAlone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	for name, mode := range map[string]os.FileMode{"readable": 0o644, "writable": 0o666, "by the group": 0o640} {
		if err := os.WriteFile(at(name), []byte("before\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(at(name), mode); err != nil {
			t.Fatal(err)
		}
		file, err := audit.OpenFile(at(name), nil)
		if err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(at(name)); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
		if err := file.Close(); err != nil {
			t.Error(err)
		}
	}
	if err := os.Symlink(at("readable"), at("link")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(at("nowhere"), at("dangling")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"link", "dangling"} {
		if _, err := audit.OpenFile(at(name), nil); err == nil || !strings.Contains(err.Error(), "symbolic link") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := os.Lstat(at("nowhere")); err == nil {
		t.Error("a file was made behind a link")
	}

	// A link that is put in the place of the open file is not followed either, and the records go nowhere else.
	now := time.Unix(1, 0)
	file, err := audit.OpenFile(at("audit"), func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.Rename(at("audit"), at("audit.1")), os.Symlink(at("audit.1"), at("audit"))); err != nil {
		t.Fatal(err)
	}
	now = now.Add(2 * time.Second)
	if _, err := file.Write([]byte("x\n")); err == nil {
		t.Error("written through a link")
	}
	if err := os.Remove(at("audit")); err != nil {
		t.Fatal(err)
	}
	if _, err := file.Write([]byte("x\n")); err != nil {
		t.Errorf("after the link is gone: %v", err)
	}
	if err := file.Close(); err != nil {
		t.Error(err)
	}
	if err := syscall.Mkfifo(at("pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := audit.OpenFile(at("pipe"), nil); !errors.Is(err, syscall.ENXIO) {
		t.Errorf("a pipe that nobody reads: %v", err)
	}
}
