package reload_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/parley-gateway/parley/server/reload"
)

// clock is a clock that tests move.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

var errBad = errors.New("bad content")

// words loads the words of a file and of the file that its first word names.
func words(path string) reload.LoadFunc[string] {
	return func(read reload.ReadFunc) (string, error) {
		text, err := read(path)
		if err != nil {
			return "", err
		}
		if strings.HasPrefix(string(text), "bad") {
			return "", errBad
		}
		other, found := strings.CutPrefix(string(text), "include ")
		if !found {
			return string(text), nil
		}
		more, err := read(filepath.Join(filepath.Dir(path), other))
		return string(more), err
	}
}

func TestValueFollowsItsFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "main")
	write(t, path, "one")
	at := &clock{now: time.Unix(1, 0)}
	var reports []error
	value, err := reload.New(words(path), reload.Options{Now: at.Now, Report: func(err error) { reports = append(reports, err) }})
	if err != nil {
		t.Fatal(err)
	}
	write(t, path, "two")
	if got := value.Get(); got != "one" {
		t.Errorf("within the interval: %q, want the old value", got)
	}
	for _, step := range []struct {
		name    string
		change  func()
		want    string
		reports int
		bad     bool
	}{
		{"a change", func() {}, "two", 1, false},
		{"no change", func() {}, "two", 1, false},
		{"broken", func() { write(t, path, "bad") }, "two", 2, true},
		{"still broken", func() {}, "two", 2, true},
		{"gone", func() {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
		}, "two", 3, true},
		{"mended", func() { write(t, path, "three") }, "three", 4, false},
		{"a file that is missing", func() { write(t, path, "include other") }, "three", 5, true},
		{"the file appears", func() { write(t, filepath.Join(dir, "other"), "four") }, "four", 6, false},
		{"the file changes", func() { write(t, filepath.Join(dir, "other"), "five") }, "five", 7, false},
	} {
		step.change()
		at.pass(reload.DefaultInterval)
		if got := value.Get(); got != step.want {
			t.Errorf("%s: %q, want %q", step.name, got, step.want)
		}
		if len(reports) != step.reports || (reports[len(reports)-1] != nil) != step.bad {
			t.Errorf("%s: reports %v, want %d, the last bad: %v", step.name, reports, step.reports, step.bad)
		}
	}
}

func TestNewNeedsAGoodFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "main")
	for name, prepare := range map[string]func(){
		"missing":   func() {},
		"bad":       func() { write(t, path, "bad") },
		"too large": func() { write(t, path, strings.Repeat("x", reload.MaxFile+1)) },
	} {
		prepare()
		if _, err := reload.New(words(path), reload.Options{}); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := reload.New(words(dir), reload.Options{}); err == nil {
		t.Error("a folder was read")
	}
	if _, err := reload.New(words(""), reload.Options{}); err == nil {
		t.Error("no path was read")
	}
}

func TestGetIsSafeForConcurrentUse(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "main")
	write(t, path, "one")
	value, err := reload.New(words(path), reload.Options{Interval: time.Nanosecond})
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 50 {
				if got := value.Get(); got != "one" && got != "two" {
					t.Errorf("got %q", got)
				}
			}
		})
	}
	// Replaced as deployments do: nobody sees a half-written file.
	write(t, path+".new", "two")
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
	group.Wait()
	if got := value.Get(); got != "two" {
		t.Errorf("got %q, want the new value", got)
	}
}
