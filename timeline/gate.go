package timeline

import (
	"context"
	"sync"
)

// gate holds windows back that are read ahead while too many rows lie ready.
type gate struct {
	limit int64 // rows; 0 = none
	mu    sync.Mutex
	moved chan struct{} // closed when rows were handed over
}

// pass waits until there is room for another page, or the window is the next one that is wanted.
func (r *reading) pass(ctx context.Context, wanted <-chan struct{}) error {
	for r.gate.limit > 0 && r.buffered.Load() >= r.gate.limit {
		r.gate.mu.Lock()
		if r.gate.moved == nil {
			r.gate.moved = make(chan struct{})
		}
		moved := r.gate.moved
		r.gate.mu.Unlock()
		if r.buffered.Load() < r.gate.limit {
			return nil
		}
		select {
		case <-moved:
		case <-wanted:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// room reports whether another page may be asked for behind one of so many rows.
func (r *reading) room(rows int) bool {
	return r.gate.limit <= 0 || r.buffered.Load()+int64(rows) < r.gate.limit
}

// release notes that rows were handed over or dropped.
func (r *reading) release(rows int) {
	r.buffered.Add(-int64(rows))
	r.gate.mu.Lock()
	defer r.gate.mu.Unlock()
	if r.gate.moved != nil {
		close(r.gate.moved)
		r.gate.moved = nil
	}
}
