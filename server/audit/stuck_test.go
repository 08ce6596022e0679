package audit_test

import (
	"errors"
	"strings"
	"sync"
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

// TestAStuckSinkHoldsUpNobody: a sink that neither takes nor refuses must not hold up the gateway with it.
func TestAStuckSinkHoldsUpNobody(t *testing.T) {
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
				if _, err := record(log, intent()); err == nil {
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
		if _, err := record(log, intent()); err == nil || time.Since(begun) != 0 {
			t.Errorf("%v after %s", err, time.Since(begun))
		}
		if err := log.Close(); err == nil {
			t.Error("closed, while a record is under way")
		}
		close(sink.gate)
		synctest.Wait()
		if _, err := record(log, intent()); err == nil {
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

// TestStuckSinkComesBack: the records of those who waited in time are there, and the log goes on.
func TestStuckSinkComesBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		sink := &gated{gate: make(chan struct{})}
		log := audit.New(sink, audit.Options{})
		var group sync.WaitGroup
		for range 200 {
			group.Go(func() {
				if _, err := record(log, intent()); err != nil {
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

// TestAFullDiskIsTriedAgain: a sink that refuses is tried again without calls, since a gateway that is not ready gets none.
func TestAFullDiskIsTriedAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		sink := &flaky{}
		var states []bool
		failures := 0
		log := audit.New(sink, audit.Options{Failed: func(error) { failures++ }})
		defer log.Follow(func(ok bool) { states = append(states, ok) })()
		sink.set(errors.New("no space left on device"), 0)
		for range 2 {
			if _, err := record(log, intent()); err == nil {
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
		if _, err := record(log, intent()); err != nil {
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

// TestClosedWhileItFails: nothing stays behind.
func TestClosedWhileItFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log := audit.New(&flaky{fail: errors.New("disk full")}, audit.Options{})
		if _, err := record(log, intent()); err == nil {
			t.Error("recorded on a full disk")
		}
		if err := log.Close(); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Minute) // synctest fails if a goroutine is left
	})
}
