package main

import (
	"fmt"
	"io"
	"maps"
	"sync"
	"time"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
)

// place is where an event came: in which call of a walk (page of a list, or stream), and at which position.
type place struct {
	how    string // how its walk is read, such as "list"
	call   int
	event  int
	at     time.Time
	marked bool // out_of_window
}

func (p place) String() string {
	return fmt.Sprintf("%s call %d event %d, event_time %s, out_of_window %t", p.how, p.call, p.event, p.at.Format(time.RFC3339Nano), p.marked)
}

// walkEvents are the events of one walk, and find those that come twice.
type walkEvents struct {
	how   string // how the walk is read, such as "list"
	found *duplicates
	call  int
	known map[string]place // events before the last token of an earlier call
	fresh map[string]place // events of this call behind its last token
	here  map[string]place // all events of this call
	count int              // events of this call
}

func newWalkEvents(how string, to *duplicates) *walkEvents {
	return &walkEvents{how: how, found: to, known: map[string]place{}}
}

// begin begins a call. Events that the call before brought behind its last token come again, and are no duplicates.
func (c *walkEvents) begin() {
	c.call++
	c.count = 0
	c.fresh, c.here = map[string]place{}, map[string]place{}
}

// add takes an event, and notes it if it came before.
func (c *walkEvents) add(e *parleyv1.Event) {
	c.count++
	key, now := version(e), place{c.how, c.call, c.count, e.GetEventTime().AsTime(), e.GetOutOfWindow()}
	if before, twice := c.here[key]; twice {
		c.found.add(key, before, now, withinCall)
	} else if before, twice := c.known[key]; twice {
		c.found.add(key, before, now, acrossCalls)
	}
	c.here[key], c.fresh[key] = now, now
}

// settle says that a token stands behind all events that came: the next call does not bring them again.
func (c *walkEvents) settle() {
	maps.Copy(c.known, c.fresh)
	clear(c.fresh)
}

// span says whether an event came twice in one call, or in two calls of one walk.
type span bool

const (
	withinCall  span = true
	acrossCalls span = false
)

// duplicates are the events of all walks that came twice.
type duplicates struct {
	mu             sync.Mutex
	within, across int // by span
	marked         int // of those across calls, how many are marked out_of_window in one of them
	lines          []string
}

const maxLines = 50

func (d *duplicates) add(key string, before, now place, in span) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case in == withinCall:
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
func (d *duplicates) write(w io.Writer) {
	d.mu.Lock()
	defer d.mu.Unlock()
	fmt.Fprintf(w, "events doubled within one call %d, across pages and resumes %d, of these marked out_of_window %d\n", d.within, d.across, d.marked)
	for _, line := range d.lines {
		fmt.Fprintln(w, line)
	}
}

func (d *duplicates) any() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.within+d.across > 0
}
