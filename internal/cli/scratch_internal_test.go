package cli

import (
	"os"
	"path/filepath"
	"testing"
)

// TestTheDemoFindsAPlaceForItsFiles holds that the demo has a place for its files although nothing can be written where temporary files go: shared memory, if
// there is any.
func TestTheDemoFindsAPlaceForItsFiles(t *testing.T) {
	t.Setenv("TMPDIR", filepath.Join(t.TempDir(), "absent"))
	if _, err := os.Stat(sharedMemory); err != nil {
		t.Logf("no shared memory: %v", err)
		return
	}
	files, err := newScratch()
	if err != nil {
		t.Fatal(err)
	}
	path, err := files.write("secret", []byte("x"))
	if err != nil {
		t.Error(err)
	}
	if err := files.close(); err != nil {
		t.Error(err)
	}
	if filepath.Dir(filepath.Dir(path)) != sharedMemory {
		t.Errorf("path %s", path)
	}
	if _, err := os.Stat(filepath.Dir(path)); err == nil {
		t.Errorf("%s is left", path)
	}
}
