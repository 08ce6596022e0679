package graphsim_test

import (
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/parley-gateway/parley/graphsim"
)

// TestTheClockMovesRecordsBothWays moves the clock back and forth: records come and go, and the same instant has the same records.
func TestTheClockMovesRecordsBothWays(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	c := newClient(t, s)
	user := s.DemoUser().ID
	state := func() (messages map[string]string, calls int) {
		messages = map[string]string{}
		for r := range s.Oracle("").Records(graphsim.SourceChat, user, testNow.AddDate(0, 0, -4), time.Time{}) {
			messages[r.Container+r.ID] = r.Version
		}
		for range s.Oracle("").Records(graphsim.SourceCall, "", testNow.AddDate(0, 0, -4), time.Time{}) {
			calls++
		}
		return messages, calls
	}
	move := func(to string, want int) {
		t.Helper()
		if a := c.post("/_sim/clock", fmt.Sprintf(`{"now":%q}`, to)); a.err != nil || a.status != want {
			t.Fatalf("%s: %d, %v", to, a.status, a.err)
		}
	}
	late, lateCalls := state()
	move(testNow.AddDate(0, 0, -1).Format(time.RFC3339), http.StatusOK)
	early, earlyCalls := state()
	changed := 0
	for id, version := range early {
		if late[id] != version {
			changed++
		}
	}
	if len(early) >= len(late) || earlyCalls >= lateCalls || changed == 0 || s.Clock() != testNow.AddDate(0, 0, -1) {
		t.Errorf("a day before: %d messages of %d, %d changed since, %d calls of %d, at %s", len(early), len(late), changed, earlyCalls, lateCalls, s.Clock())
	}
	move("yesterday", http.StatusBadRequest)
	s.SetClock(time.Time{})
	if again, calls := state(); len(again) != len(late) || calls != lateCalls {
		t.Errorf("back again: %d messages of %d, %d calls of %d", len(again), len(late), calls, lateCalls)
	}
}

// TestClockStandsStill holds that no record appears while the service's own clock goes on, until the clock of the records is moved.
func TestClockStandsStill(t *testing.T) {
	t.Parallel()
	var passed atomic.Int64
	s := start(t, func(c *graphsim.Config) {
		c.Now = func() time.Time { return testNow.Add(time.Duration(passed.Load())) }
		c.StandsAt = testNow
	})
	count := func() (messages int) {
		for range s.Oracle("").Records(graphsim.SourceChat, s.DemoUser().ID, testNow.AddDate(0, 0, -4), time.Time{}) {
			messages++
		}
		return messages
	}
	before := count()
	passed.Store(int64(48 * time.Hour))
	if after := count(); after != before || before == 0 || s.Clock() != testNow {
		t.Errorf("two days later: %d messages, want %d; the clock is at %s", after, before, s.Clock())
	}
	s.SetClock(testNow.Add(48 * time.Hour))
	if moved := count(); moved <= before {
		t.Errorf("after the clock was moved by two days: %d messages, before %d", moved, before)
	}
	s.SetClock(time.Time{})
	if again := count(); again != before {
		t.Errorf("after the clock was moved back: %d messages, want %d", again, before)
	}
}
