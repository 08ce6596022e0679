package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"time"
)

// figures are what a process holds at one moment.
type figures struct {
	heap       uint64 // bytes in use after a collection
	goroutines int
	files      int // open descriptors; -1 where /proc does not tell
}

// measure collects garbage first: what is left is in use. The second collection empties the pools of buffers.
func measure() figures {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	f := figures{heap: m.HeapAlloc, goroutines: runtime.NumGoroutine(), files: -1}
	if entries, err := os.ReadDir("/proc/self/fd"); err == nil {
		f.files = len(entries)
	}
	return f
}

// settle measures again until goroutines and descriptors are back where they were, for at most ten seconds.
func settle(before figures) figures {
	after := measure()
	for range 100 {
		if after.goroutines <= before.goroutines && after.files <= before.files {
			break
		}
		time.Sleep(100 * time.Millisecond) // connections end in the kernel's own time
		after = measure()
	}
	return after
}

const (
	rows     = 10   // lines of the table
	looks    = 12   // measurements for a line
	markRow  = 3    // the line that the last one is compared with
	maxRatio = 1.05 // of the heap
)

// table collects a line ten times over the run.
type table struct {
	length time.Duration
	load   *load
	lines  []line
}

type line struct {
	at time.Duration
	figures

	streams, lists, events, failed int64
}

func newTable(length time.Duration, l *load) *table { return &table{length: length, load: l} }

// watch runs the load for the table's length and takes its lines.
func (t *table) watch(ctx context.Context, run func(context.Context)) {
	// No deadline: the gateway would answer early where it knows that waiting is in vain.
	ctx, cancel := context.WithCancel(ctx)
	end := time.AfterFunc(t.length, cancel)
	defer end.Stop()
	defer cancel()
	done := make(chan struct{})
	go func() {
		defer close(done)
		run(ctx)
	}()
	began := time.Now()
	for n := range rows {
		seen := make([]figures, 0, looks)
		for look := range looks {
			pause(ctx, time.Until(began.Add(t.length*time.Duration(n*looks+look+1)/(rows*looks)-t.length/500)))
			seen = append(seen, t.atRest())
		}
		// What is cached comes and goes; the middle measurement stands for the line.
		slices.SortFunc(seen, func(a, b figures) int { return cmp.Compare(a.heap, b.heap) })
		l := t.load
		t.lines = append(t.lines, line{time.Since(began), seen[looks/2], l.streams.Load(), l.lists.Load(), l.events.Load(), l.failed.Load()})
	}
	<-done
}

// atRest measures while no call runs: what calls hold for a moment is no growth.
func (t *table) atRest() figures {
	t.load.rest.Lock()
	defer t.load.rest.Unlock()
	return measure()
}

// check prints the table. The error has a line for each thing that is wrong.
func (t *table) check(w io.Writer, before, after figures) error {
	const mib = 1 << 20
	fmt.Fprintf(w, "| after | heap in use, MiB | goroutines | descriptors | streams | list pages | events | failed calls |\n|---|---|---|---|---|---|---|---|\n")
	row := func(name string, f figures, more string) {
		fmt.Fprintf(w, "| %s | %.1f | %d | %d | %s |\n", name, float64(f.heap)/mib, f.goroutines, f.files, more)
	}
	row("start", before, "| | |")
	for _, l := range t.lines {
		row(l.at.Round(time.Second).String(), l.figures, fmt.Sprintf("%d | %d | %d | %d", l.streams, l.lists, l.events, l.failed))
	}
	row("drain", after, "| | |")
	ratio := float64(t.lines[rows-1].heap) / float64(t.lines[markRow-1].heap)
	l := t.load
	fmt.Fprintf(w, "\nheap at the end ÷ at %s: %.3f (at most %.2f)\nresumed %d, gaps asked for %d, walks abandoned %d\nevents lost %d, not Graph's %d\n",
		t.lines[markRow-1].at.Round(time.Second), ratio, maxRatio, l.resumed.Load(), l.mended.Load(), l.abandoned.Load(),
		l.lost.Load(), l.foreign.Load())
	l.duplicates.write(w)
	var errs []error
	wrong := func(is bool, text string) {
		if is {
			errs = append(errs, errors.New(text)) //nolint:err113 // for people
		}
	}
	// A shorter run is still filling its cache when it is marked.
	wrong(ratio > maxRatio && t.length >= 5*time.Minute, "the heap grew")
	wrong(after.goroutines > before.goroutines, "goroutines were left")
	wrong(after.files > before.files, "descriptors were left")
	wrong(l.lost.Load()+l.foreign.Load() > 0 || l.duplicates.any(), "events were lost or came twice")
	wrong(l.abandoned.Load() > 0, "walks could not be mended")
	wrong(l.events.Load() == 0, "nothing was read")
	return errors.Join(errs...)
}
