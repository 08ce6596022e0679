package graphsim

import (
	"encoding/json"
	"io"
	"net/http"
	"time"
)

// SetClock moves the clock of the records to an instant, from which it goes on; the zero time = back to Config.Now. Tokens and
// faults keep the time of Config.Now. Records that were made after the instant do not exist until the clock has come there again.
func (s *Sim) SetClock(at time.Time) {
	offset := time.Duration(0)
	if !at.IsZero() {
		offset = at.Sub(s.cfg.Now())
	}
	s.offset.Store(int64(offset))
	for _, w := range s.worlds {
		w.DropIndexes()
	}
}

// Clock is the clock of the records.
func (s *Sim) Clock() time.Time { return s.cfg.Now().Add(time.Duration(s.offset.Load())) }

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
