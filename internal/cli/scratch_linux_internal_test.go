package cli

import (
	"os"
	"testing"
)

// TestFilesInMemoryAreReadLikeOthers holds that files without a folder are read like others, each from its beginning as often as wanted, and that nobody but their
// owner may read them.
func TestFilesInMemoryAreReadLikeOthers(t *testing.T) {
	t.Parallel()
	files, err := newMemory()
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{}
	for _, content := range []string{"one", "two", ""} {
		path, err := files.write("file", []byte(content))
		if err != nil {
			t.Fatal(err)
		}
		want[path] = content
	}
	for range 2 {
		for path, content := range want {
			read, err := os.ReadFile(path)
			if err != nil || string(read) != content {
				t.Errorf("%s: %q, %v, want %q", path, read, err, content)
			}
			if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("%s: %v, %v", path, info, err)
			}
		}
	}
	if len(want) != 3 {
		t.Errorf("paths %v", want)
	}
	if err := files.close(); err != nil {
		t.Error(err)
	}
}
