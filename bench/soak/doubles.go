package main

import (
	"fmt"
	"io"
	"maps"
	"sync"
	"time"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
)

// place is where an event came: in which call of a walk (page of a list, or stream), and as which event of it.
type place struct {
	how   string // "list" or "stream"
	call  int
	event int
	at    time.Time
	// marked is the event's out_of_window.
	marked bool
}

func (p place) String() string {
	return fmt.Sprintf("%s call %d event %d, event_time %s, out_of_window %t", p.how, p.call, p.event, p.at.Format(time.RFC3339Nano), p.marked)
}

// copies finds events that come twice in one walk.
type copies struct {
	how    string
	doubts *doubles
	call   int
	known  map[string]place // what earlier calls brought for good
	fresh  map[string]place // what this call brought behind its last checkpoint
	here   map[string]place // all of this call
	count  int
}

func newCopies(how string, to *doubles) *copies {
	return &copies{how: how, doubts: to, known: map[string]place{}}
}

// begin begins a call: what the one before brought behind its last checkpoint comes again.
func (c *copies) begin() {
	c.call++
	c.count = 0
	c.fresh, c.here = map[string]place{}, map[string]place{}
}

func (c *copies) add(e *parleyv1.Event) {
	c.count++
	key, now := version(e), place{c.how, c.call, c.count, e.GetEventTime().AsTime(), e.GetOutOfWindow()}
	if before, twice := c.here[key]; twice {
		c.doubts.note(key, before, now, true)
	} else if before, twice := c.known[key]; twice {
		c.doubts.note(key, before, now, false)
	}
	c.here[key], c.fresh[key] = now, now
}

// settle says that a token stands behind everything that came.
func (c *copies) settle() {
	maps.Copy(c.known, c.fresh)
	clear(c.fresh)
}

// doubles are the events of all walks that came twice.
type doubles struct {
	mu             sync.Mutex
	within, across int // one call; calls of one walk
	marked         int // of those across calls, how many had a copy out of its window
	lines          []string
}

const maxLines = 50

func (d *doubles) note(key string, before, now place, within bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case within:
		d.within++
	case before.marked || now.marked:
		d.marked++
		fallthrough
	default:
		d.across++
	}
	if len(d.lines) < maxLines {
		d.lines = append(d.lines, fmt.Sprintf("%s\n  %v\n  %v", key, before, now))
	}
}

// write prints the figures and every event with both of its places.
func (d *doubles) write(w io.Writer) {
	d.mu.Lock()
	defer d.mu.Unlock()
	fmt.Fprintf(w, "events doubled within one call %d, across pages and resumes %d, of these marked out_of_window %d\n", d.within, d.across, d.marked)
	for _, line := range d.lines {
		fmt.Fprintln(w, line)
	}
}

func (d *doubles) any() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.within+d.across > 0
}
