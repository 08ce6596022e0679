package audit_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-gateway/parley/server/audit"
)

// gated is a sink whose writes wait for a gate.
type gated struct {
	flaky

	gate chan struct{} // closed = open
}

func (g *gated) Write(line []byte) (int, error) {
	<-g.gate
	return g.flaky.Write(line)
}

// TestStuckSink, kind: a sink that neither takes nor refuses must not hold up the gateway with it.
func TestStuckSink(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		sink := &gated{gate: make(chan struct{})}
		var states []bool
		log := audit.New(sink, audit.Options{})
		leave := log.Follow(func(ok bool) { states = append(states, ok) })
		begun := time.Now()
		var group sync.WaitGroup
		for range 3 {
			group.Go(func() {
				if _, err := log.Intent(intent()); err == nil {
					t.Error("a record that nobody took let a call go on")
				}
			})
		}
		group.Wait()
		if took := time.Since(begun); took != audit.DefaultWait || log.OK() {
			t.Errorf("waited %s, well: %t", took, log.OK())
		}
		// Those who come later need not find out for themselves.
		time.Sleep(time.Millisecond)
		begun = time.Now()
		if _, err := log.Intent(intent()); err == nil || time.Since(begun) != 0 {
			t.Errorf("%v after %s", err, time.Since(begun))
		}
		if err := log.Close(); err == nil {
			t.Error("closed, while a record is under way")
		}
		close(sink.gate)
		synctest.Wait()
		if _, err := log.Intent(intent()); err == nil {
			t.Error("a closed log took a record")
		}
		if log.OK(); len(states) < 2 || !states[0] || states[1] {
			t.Errorf("states %v", states)
		}
		leave()
		// The one that was under way is there; those that were taken back are not.
		if n := strings.Count(sink.String(), "\n"); n > 3 || n < 1 {
			t.Errorf("%d records", n)
		}
	})
}

// TestStuckSinkComesBack, kind: the records of those who waited in time are there, and the log goes on.
func TestStuckSinkComesBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		sink := &gated{gate: make(chan struct{})}
		log := audit.New(sink, audit.Options{})
		var group sync.WaitGroup
		for range 200 {
			group.Go(func() {
				if _, err := log.Intent(intent()); err != nil {
					t.Error(err)
				}
			})
		}
		time.Sleep(4 * time.Second)
		close(sink.gate)
		group.Wait()
		if !log.OK() {
			t.Error("not well")
		}
		if err := log.Close(); err != nil {
			t.Error(err)
		}
		processes, problems := verify(t, sink.String())
		if len(processes) != 1 || processes[0].Records != 200 || len(problems) != 1 || !strings.Contains(problems[0], "200 calls have no outcome") {
			t.Errorf("%+v, %q", processes, problems)
		}
	})
}

// TestFullDisk, kind: a sink that refuses is tried again without calls, since a gateway that is not ready gets none.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		sink := &flaky{}
		var states []bool
		failures := 0
		log := audit.New(sink, audit.Options{Failed: func(error) { failures++ }})
		defer log.Follow(func(ok bool) { states = append(states, ok) })()
		sink.set(errors.New("no space left on device"), 0)
		for range 2 {
			if _, err := log.Intent(intent()); err == nil {
				t.Error("recorded on a full disk")
			}
		}
		time.Sleep(10 * time.Second)
		if log.OK() {
			t.Error("well on a full disk")
		}
		sink.set(nil, 0)
		time.Sleep(2 * time.Second)
		if !log.OK() {
			t.Error("nobody noticed that there is room again")
		}
		if _, err := log.Intent(intent()); err != nil {
			t.Error(err)
		}
		if err := log.Close(); err != nil {
			t.Error(err)
		}
		records := lines(t, sink.String())
		if len(records) != 2 || records[0]["kind"] != "resumed" || records[0]["lost"] != 2.0 || records[0]["number"] != 3.0 || records[1]["number"] != 4.0 {
			t.Errorf("records %v", records)
		}
		if len(states) != 3 || !states[0] || states[1] || !states[2] || failures != 2 {
			t.Errorf("states %v, %d failures", states, failures)
		}
	})
}

// TestClosedWhileItFails, kind: nothing stays behind.
func TestClosedWhileItFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log := audit.New(&flaky{fail: errors.New("disk full")}, audit.Options{})
		if _, err := log.Intent(intent()); err == nil {
			t.Error("recorded on a full disk")
		}
		if err := log.Close(); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Minute) // synctest fails if a goroutine is left
	})
}

// TestFullDevice is TestFullDisk with a file of the system's that is always full.
func TestFullDevice(t *testing.T) {
	t.Parallel()
	file, err := audit.OpenFile("/dev/full", nil)
	if err != nil {
		t.Skip("this system has no /dev/full")
	}
	log := audit.New(file, audit.Options{})
	if _, err := log.Intent(intent()); !errors.Is(err, syscall.ENOSPC) || log.OK() {
		t.Errorf("%v, well: %t", err, log.OK())
	}
	if err := log.Close(); err != nil {
		t.Error(err)
	}
}

// TestFileIsItsOwnersAlone, kind: whatever stands at the path, nobody else reads the records or chooses where they go.
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
