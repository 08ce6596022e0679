package graphsim

import (
	"encoding/json"
	"io"
	"net/http"
	"time"
)

// SetClock moves the clock of the records to an instant, from which it goes on; the zero time = back to where it was at the start.
// Tokens, limits and faults keep the time of Config.Now. Records that were made after the instant do not exist until the clock has come there again.
func (s *Sim) SetClock(at time.Time) {
	clock := s.firstClock()
	if !at.IsZero() {
		clock = moved(s.cfg.Now, at.Sub(s.cfg.Now()))
	}
	s.moveClock(clock)
	for _, w := range s.worlds {
		w.DropIndexes()
	}
}

// Clock is the clock of the records.
func (s *Sim) Clock() time.Time { return (*s.recordClock.Load())() }

// firstClock is the clock of the records until SetClock moves it.
func (s *Sim) firstClock() func() time.Time {
	if at := s.cfg.StandsAt; !at.IsZero() {
		return func() time.Time { return at }
	}
	return s.cfg.Now
}

func (s *Sim) moveClock(to func() time.Time) { s.recordClock.Store(&to) }

func moved(clock func() time.Time, by time.Duration) func() time.Time {
	return func() time.Time { return clock().Add(by) }
}

// serveClock takes {"now":…} by POST, an instant in RFC 3339, and answers the present instant.
func (s *Sim) serveClock(x *exchange) {
	if x.r.Method == http.MethodPost {
		var asked struct {
			Now time.Time `json:"now"`
		}
		body, err := io.ReadAll(http.MaxBytesReader(x.w, x.r.Body, maxAdminBody))
		if err == nil {
			err = json.Unmarshal(body, &asked)
		}
		if err != nil {
			x.adminJSON(http.StatusBadRequest, map[string]string{"error": err.Error()})
			return
		}
		s.SetClock(asked.Now)
	}
	x.adminJSON(http.StatusOK, map[string]string{"now": s.Clock().UTC().Format(time.RFC3339)})
}
