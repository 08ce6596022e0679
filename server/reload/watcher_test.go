package reload_test

import (
	"path/filepath"
	"testing"
	"testing/synctest"

	"github.com/parley-gateway/parley/server/reload"
)

// TestWatcherLooksByItself: a change is noticed without a call. Nobody gets the value, and its reload is reported; after
// Close none is.
func TestWatcherLooksByItself(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "main")
	write(t, path, "one")
	synctest.Test(t, func(t *testing.T) {
		watcher := reload.NewWatcher(0)
		reports, loads := make(chan error, 9), 0
		value, err := reload.New(words(path), reload.Options{
			Watcher: watcher, Loaded: func() { loads++ }, Report: func(err error) { reports <- err },
		})
		if err != nil || loads != 1 {
			t.Fatalf("%v, %d loads", err, loads)
		}
		watcher.Start()
		write(t, path, "bad")
		if err := <-reports; err == nil {
			t.Error("a broken file came into force")
		}
		write(t, path, "two")
		if err := <-reports; err != nil {
			t.Error(err)
		}
		watcher.Close()
		write(t, path, "three")
		if watcher.Look(); len(reports) != 1 || value.Get() != "three" {
			t.Errorf("%d reports of a look, %q", len(reports), value.Get())
		}
	})
}

// TestNoWatcher watches nothing.
func TestNoWatcher(t *testing.T) {
	t.Parallel()
	var none *reload.Watcher
	none.Add(nil)
	none.Start()
	none.Look()
	none.Close()
	reload.NewWatcher(0).Close()
}
