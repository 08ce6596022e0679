//go:build !race

package cli_test

import (
	"net/http"
	"strings"
	"sync"
	"testing"
)

// The tests of this file hold that memory is bounded. They read what the kernel counts for a gateway in a process of
// its own, over a Graph whose users have what a test says. The race detector takes several times the memory, so they run
// without it.

// served fails the test unless a stream of a day is served whole.
func (p *process) served(t *testing.T, user int) {
	t.Helper()
	status, text := p.get(t, streamPath(user, 1))
	if status != http.StatusOK || !strings.Contains(text, `"summary":{"complete":true`) {
		t.Errorf("a stream is not served: %d %.300s", status, text)
	}
}

// bounded fails the test if the process takes, or took at the most, more MiB.
func (p *process) bounded(t *testing.T, what string, most int) {
	t.Helper()
	now, peak := p.resident(t)
	t.Logf("%s: %d MiB resident, at most %d; want at most %d", what, now, peak, most)
	if peak > most {
		t.Errorf("%s: %d MiB resident, want at most %d", what, peak, most)
	}
}

func streams(count int, path func(i int) string) []string {
	paths := make([]string, count)
	for i := range paths {
		paths[i] = path(i)
	}
	return paths
}

// TestResidentThirtyTwoStreams under a limit of 128 MiB, some deaf, some read: nothing is killed, nobody is locked out, and when load
// ends a stream is served at once, although the cache is full.
func TestResidentThirtyTwoStreams(t *testing.T) {
	t.Parallel()
	g := newMailbox(t, 200, 2000)
	p := spawn(t, g.URL, []string{"GOMEMLIMIT=128MiB"})
	release := p.deaf(t, streams(32, func(i int) string { return streamPath(i, 6) })...)
	g.quiet(t)
	p.served(t, 40)
	p.bounded(t, "32 streams that nobody reads", 200)
	release()
	p.served(t, 41)
	var group sync.WaitGroup
	for i := range 32 {
		group.Go(func() { p.served(t, 50+i) })
	}
	group.Wait()
	p.served(t, 42)
	p.alive(t)
	p.bounded(t, "and 32 that are read", 200)
}

// TestResidentStreamOfLargeMessages under a limit of 128 MiB: few rows fill the memory.
func TestResidentStreamOfLargeMessages(t *testing.T) {
	t.Parallel()
	for _, perDay := range []int{300, 20_000} {
		g := newMailbox(t, perDay, 28_000)
		p := spawn(t, g.URL, []string{"GOMEMLIMIT=128MiB"})
		release := p.deaf(t, streamPath(1, 27))
		g.quiet(t)
		p.bounded(t, "a stream of large messages that nobody reads", 160)
		release()
	}
}

// TestResidentLeavingCostsNothing: thirty streams that were never read leave together.
func TestResidentLeavingCostsNothing(t *testing.T) {
	t.Parallel()
	g := newMailbox(t, 500, 8000)
	p := spawn(t, g.URL, []string{"GOMEMLIMIT=512MiB"}, "--cache-size=0")
	release := p.deaf(t, streams(30, func(i int) string { return streamPath(i, 6) })...)
	g.quiet(t)
	before, _ := p.resident(t)
	p.resetPeak(t)
	release()
	g.quiet(t)
	p.bounded(t, "thirty streams that left", before+before/20+4)
	p.served(t, 41)
}

// TestResidentStreamsOfOneWindow share one copy of it.
func TestResidentStreamsOfOneWindow(t *testing.T) {
	t.Parallel()
	g := newMailbox(t, 200, 2000)
	p := spawn(t, g.URL, nil)
	release := p.deaf(t, streams(200, func(int) string { return streamPath(1, 7) })...)
	defer release()
	g.quiet(t)
	p.bounded(t, "two hundred streams of one week", 220)
	if n := g.asked.Load(); n > 60 {
		t.Errorf("%d requests for a week of 30 pages", n)
	}
}

// TestResidentFullCache takes little more than the cache itself.
func TestResidentFullCache(t *testing.T) {
	t.Parallel()
	g := newMailbox(t, 100, 8000)
	p := spawn(t, g.URL, nil, "--cache-size=64MiB")
	for user := range 10 { // with 16 MiB each, for body and plain text count
		p.served(t, user)
		status, _ := p.get(t, streamPath(user, 10))
		if status != http.StatusOK {
			t.Fatalf("status %d", status)
		}
	}
	if n := p.metric(t, "parley_cache_bytes"); n < 44<<20 || n > 64<<20 {
		t.Errorf("the cache is not full: %g bytes", n)
	}
	p.bounded(t, "a full cache of 64 MiB", (64+64)*16/10)
}
