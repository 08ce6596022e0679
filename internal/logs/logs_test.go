package logs_test

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-gateway/parley/internal/logs"
)

// gated is a place whose writes wait for a gate.
type gated struct {
	gate chan struct{} // closed = open

	mu  sync.Mutex
	buf bytes.Buffer
}

func (g *gated) Write(p []byte) (int, error) {
	<-g.gate
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.buf.Write(p)
}

func (g *gated) String() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.buf.String()
}

func lost(lines int) []byte { return fmt.Appendf(nil, "lost %d\n", lines) }

// TestNobodyReads: a log that nobody takes must not stop the calls that are logged.
func TestNobodyReads(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		to := &gated{gate: make(chan struct{})}
		w := logs.New(to, lost)
		begun := time.Now()
		var group sync.WaitGroup
		for range 3 {
			group.Go(func() {
				if n, err := w.Write([]byte("waits\n")); n != 6 || err != nil {
					t.Errorf("%d, %v", n, err)
				}
			})
		}
		group.Wait()
		if took := time.Since(begun); took != time.Second {
			t.Errorf("waited %s", took)
		}
		begun = time.Now()
		for range 2000 {
			if _, err := w.Write([]byte("does not wait\n")); err != nil {
				t.Error(err)
			}
		}
		if took := time.Since(begun); took != 0 {
			t.Errorf("waited %s for a log that is stuck", took)
		}
		close(to.gate)
		synctest.Wait()
		if _, err := w.Write([]byte("last\n")); err != nil {
			t.Error(err)
		}
		w.Close()
		text := to.String()
		if strings.Count(text, "waits\n") != 3 || !strings.HasSuffix(text, "last\n") || strings.Count(text, "lost ") != 1 {
			t.Errorf("%d lines: …%s", strings.Count(text, "\n"), text[max(0, len(text)-200):])
		}
		// Each line is there or counted.
		var missed int
		_, tail, _ := strings.Cut(text, "lost ")
		if _, err := fmt.Sscan(tail, &missed); err != nil || missed+strings.Count(text, "does not wait\n") != 2000 {
			t.Errorf("%d lost, %d there, %v", missed, strings.Count(text, "does not wait\n"), err)
		}
	})
}

// TestLinesInOrder: in the ordinary case a line is written when Write returns, as without the Writer.
func TestLinesInOrder(t *testing.T) {
	t.Parallel()
	to := &gated{gate: make(chan struct{})}
	close(to.gate)
	w := logs.New(to, lost)
	defer w.Close()
	want := ""
	for i := range 100 {
		text := fmt.Sprintf("line %d\n", i)
		want += text
		if _, err := w.Write([]byte(text)); err != nil || to.String() != want {
			t.Fatalf("after line %d: %q, %v", i, to.String(), err)
		}
	}
}

// TestClosedWhileStuck: a log that nobody takes does not hold up the end either.
func TestClosedWhileStuck(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		to := &gated{gate: make(chan struct{})}
		w := logs.New(to, lost)
		begun := time.Now()
		if _, err := w.Write([]byte("x\n")); err != nil {
			t.Error(err)
		}
		w.Close()
		if took := time.Since(begun); took != 2*time.Second {
			t.Errorf("took %s", took)
		}
		close(to.gate)
	})
}
