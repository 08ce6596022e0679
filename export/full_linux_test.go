package export_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/parley-gateway/parley/export"
	"github.com/parley-gateway/parley/export/internal/dataset"
)

// TestAFullDiskLosesNothing: a disk that is full when the state is committed ends the run as something unexpected. When there is room, the same command
// goes on and ends with each row once.
func TestAFullDiskLosesNothing(t *testing.T) {
	t.Parallel()
	out := t.TempDir()
	o := options(out)
	// The new state file is to be a device that has no room.
	folder := filepath.Join(o.State, o.Run()+"-0")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	blocked := filepath.Join(folder, "state.json.new")
	if err := os.Symlink("/dev/full", blocked); err != nil {
		t.Fatal(err)
	}
	g := &gateway{users: 5}
	address := g.serve(t)
	_, err := run(t, address, o)
	if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "state file") ||
		errors.Is(err, export.ErrIncomplete) || errors.Is(err, export.ErrRefused) || errors.Is(err, export.ErrInterrupted) {
		t.Fatalf("a full disk: %v", err)
	}
	if err := os.Remove(blocked); err != nil {
		t.Fatal(err)
	}
	result, err := run(t, address, o)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, wantKeys(5), keys(t, rows[dataset.Event](t, out, readManifest(t, out, result.Run), dataset.Events)))
}
