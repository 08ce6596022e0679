package cli

import (
	"os"
	"path/filepath"
	"testing"
)

// TestScratch holds that the demo has a folder although nothing can be written where temporary files go, if there is shared memory.
func TestScratch(t *testing.T) {
	t.Setenv("TMPDIR", filepath.Join(t.TempDir(), "absent"))
	_, absent := os.Stat(sharedMemory)
	folder, err := scratch()
	if absent != nil {
		if err == nil {
			t.Errorf("a folder %s where nothing can be written", folder)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(folder); err != nil {
		t.Error(err)
	}
	if filepath.Dir(folder) != sharedMemory {
		t.Errorf("folder %s", folder)
	}
}
