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

func (r *Recorder) record(hit bool, read time.Time) {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if !hit {
		r.misses++
	} else {
		r.hits++
	}
	if !read.IsZero() && (r.oldest.IsZero() || read.Before(r.oldest)) {
		r.oldest = read
	}
}

// add takes over the look-ups of another recorder.
func (r *Recorder) add(o *Recorder) {
	hits, misses := o.LookUps()
	o.mu.Lock()
	oldest := o.oldest
	o.mu.Unlock()
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.hits += hits
	r.misses += misses
	if !oldest.IsZero() && (r.oldest.IsZero() || oldest.Before(r.oldest)) {
		r.oldest = oldest
	}
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
