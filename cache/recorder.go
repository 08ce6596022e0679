package cache

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// Recorder sums up the look-ups of one call, for the headers cache-status (RFC 9211) and age.
type Recorder struct {
	mu           sync.Mutex
	hits, misses int
	oldest       time.Time
}

// RecorderKey is the key under which a context gives the *Recorder of its call.
type RecorderKey struct{}

// recorderOf returns the Recorder of a context, or nil; a nil Recorder records nothing.
func recorderOf(ctx context.Context) *Recorder {
	r, _ := ctx.Value(RecorderKey{}).(*Recorder)
	return r
}

// hit records a look-up that was answered by a cached value, which was true at read.
func (r *Recorder) hit(read time.Time) { r.record(1, 0, read) }

// miss records any other look-up. read is when its value was true; zero = it has none.
func (r *Recorder) miss(read time.Time) { r.record(0, 1, read) }

// record adds look-ups. read is when the oldest of their values was true; zero = they have none.
func (r *Recorder) record(hits, misses int, read time.Time) {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.hits += hits
	r.misses += misses
	if !read.IsZero() && (r.oldest.IsZero() || read.Before(r.oldest)) {
		r.oldest = read
	}
}

// add records the look-ups of another recorder.
func (r *Recorder) add(o *Recorder) {
	o.mu.Lock()
	hits, misses, oldest := o.hits, o.misses, o.oldest
	o.mu.Unlock()
	r.record(hits, misses, oldest)
}

// LookUps returns how many look-ups were answered from the cache, and how many fetched, or would have.
func (r *Recorder) LookUps() (hits, misses int) {
	if r == nil {
		return 0, 0
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.hits, r.misses
}

// Age is the age of the oldest value of the call, in whole seconds; 0 when no value was used.
func (r *Recorder) Age() time.Duration {
	if r == nil {
		return 0
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.oldest.IsZero() {
		return 0
	}
	return max(time.Since(r.oldest), 0).Truncate(time.Second)
}

// Status is the value of a cache-status header: a hit when every value was cached, else why it was fetched. It is empty
// when there was no look-up.
func (r *Recorder) Status() string {
	hits, misses := r.LookUps()
	switch {
	case hits+misses == 0:
		return ""
	case misses == 0:
		return "parley; hit"
	case hits == 0:
		return "parley; fwd=miss"
	default:
		return fmt.Sprintf("parley; fwd=partial; detail=%d-of-%d-pages-kept", hits, hits+misses)
	}
}
