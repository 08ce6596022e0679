package rest

import (
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"
)

// heldWriter is a writer whose client reads nothing until read is closed.
type heldWriter struct {
	*httptest.ResponseRecorder
	read     chan struct{}
	deadline time.Time
}

func (w *heldWriter) Write(b []byte) (int, error) {
	<-w.read
	return w.ResponseRecorder.Write(b)
}

func (w *heldWriter) SetWriteDeadline(at time.Time) error {
	w.deadline = at
	return nil
}

// TestAbortLeavesTimeForTheError: a write that waits for its client ends at once; an answer that is just not writing still ends with its error.
func TestAbortLeavesTimeForTheError(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		writes bool
		want   time.Duration
	}{"while it writes": {true, 0}, "while it does not": {false, lastWords}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := &heldWriter{httptest.NewRecorder(), make(chan struct{}), time.Time{}}
				r := &response{ResponseWriter: w}
				if c.writes {
					go func() { _, _ = r.Write([]byte("x")) }()
					synctest.Wait()
				}
				r.abort()
				if got := time.Until(w.deadline); got != c.want {
					t.Errorf("the answer may be written for %v, want %v", got, c.want)
				}
				close(w.read)
			})
		})
	}
}
