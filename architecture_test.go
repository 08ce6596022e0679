package parley_test

import (
	"os"
	"regexp"
	"testing"
)

// TestArchitecturePaths holds that every file and folder that docs/architecture.md names is there.
func TestArchitecturePaths(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("docs/architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, match := range regexp.MustCompile("`([a-z]+(?:/[a-z0-9_]+)+(?:\\.[a-z]+)?)`").FindAllSubmatch(page, -1) {
		found++
		if _, err := os.Stat(string(match[1])); err != nil {
			t.Errorf("the page names %s: %v", match[1], err)
		}
	}
	if found < 30 {
		t.Errorf("%d paths found", found)
	}
}
