// Package logs writes log lines to a place that may stop taking them: a pipe to a collector that hangs, a disk that does not answer. A
// line waits a second at most; then its writer goes on. When too many lines wait, further ones are lost, and a later line says how many.
package logs

import (
	"io"
	"sync"
	"time"

	"github.com/parley-gateway/parley/internal/wait"
)

const (
	// maxWait is how long a line waits to be taken, and how long Close does.
	maxWait = time.Second
	// room is how many lines wait at most.
	room = 1024
)

// Writer hands lines on in their order. It is safe for concurrent use. Close it.
type Writer struct {
	to     io.Writer
	lost   func(lines int) []byte
	wait   time.Duration
	tasks  sync.WaitGroup
	mu     sync.Mutex
	queue  []*line
	busy   bool      // a goroutine writes
	since  time.Time // when the write under way began; zero = none is
	missed int       // lines that were lost since one was written
}

var _ io.Writer = (*Writer)(nil)

// line is one line and who waits for it.
type line struct {
	text []byte
	done chan struct{}
}

// New returns a Writer to a place; lost makes the line that says how many were lost.
func New(to io.Writer, lost func(lines int) []byte) *Writer {
	return &Writer{to: to, lost: lost, wait: maxWait}
}

// Write hands a line on, and returns when it is taken or a second has passed. While a line is not taken the next ones do not wait.
// It never fails: nobody could be told.
func (w *Writer) Write(text []byte) (int, error) {
	l := &line{append([]byte(nil), text...), make(chan struct{})}
	w.mu.Lock()
	stuck := !w.since.IsZero() && time.Since(w.since) >= w.wait
	if len(w.queue) >= room {
		w.missed++
		w.mu.Unlock()
		return len(text), nil
	}
	w.queue = append(w.queue, l)
	if !w.busy {
		w.busy = true
		w.tasks.Go(w.drain)
	}
	w.mu.Unlock()
	if stuck {
		return len(text), nil
	}
	timer := time.NewTimer(w.wait)
	defer timer.Stop()
	select {
	case <-l.done:
	case <-timer.C:
	}
	return len(text), nil
}

// drain writes until nothing waits.
func (w *Writer) drain() {
	for {
		w.mu.Lock()
		w.since = time.Time{}
		if len(w.queue) == 0 {
			w.busy = false
			w.mu.Unlock()
			return
		}
		next, missed := w.queue[0], w.missed
		w.queue = append(w.queue[:0], w.queue[1:]...)
		w.missed, w.since = 0, time.Now()
		w.mu.Unlock()
		if missed > 0 {
			_, _ = w.to.Write(w.lost(missed)) // there is nowhere to tell
		}
		_, _ = w.to.Write(next.text)
		close(next.done)
	}
}

// Close waits until the lines are taken, for a second at most.
func (w *Writer) Close() {
	wait.Within(&w.tasks, w.wait)
}
