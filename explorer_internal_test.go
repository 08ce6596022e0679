package parley

import (
	"io/fs"
	"strings"
	"testing"
)

// TestExplorerSite checks the built files of the explorer: they are small, load nothing from elsewhere, render no markup from
// answers, and keep nothing in the browser.
func TestExplorerSite(t *testing.T) {
	t.Parallel()
	const most = 300_000
	size, files := 0, 0
	err := fs.WalkDir(explorerSite(), ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := fs.ReadFile(explorerSite(), path)
		if err != nil {
			return err
		}
		files++
		size += len(data)
		text := strings.ReplaceAll(string(data), "http://www.w3.org/2000/svg", "")
		for _, forbidden := range []string{
			"http://", "https://", "innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "DOMParser", "eval(", "new Function",
			"localStorage", "sessionStorage", "indexedDB", "document.cookie", "serviceWorker",
		} {
			if strings.Contains(text, forbidden) {
				t.Errorf("%s holds %s", path, forbidden)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if files < 3 || size > most {
		t.Errorf("%d files of %d bytes, at most %d are allowed", files, size, most)
	}
}
