package merge

import (
	"time"

	"github.com/parley-gateway/parley/cache"
	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/timeline/chunk"
)

// UsedWindow is a window that a walk went through.
type UsedWindow struct {
	// Store is the cache of the source, and Key the key of the chunk there; empty = the window was read for this call.
	Store cache.Windows
	Key   string
	// Chunk holds the events of the window.
	Chunk *chunk.Chunk
}

// CachedWindows returns the windows that the walk went through, if all of them were cached and nothing that the walk found depends
// on when it is asked for. until is the time when that changes; zero = never. first says that the walk began with this call.
func (w *Merger) CachedWindows(first bool) (windows []UsedWindow, until time.Time, ok bool) {
	for _, t := range w.readers {
		switch {
		case w.extended || t.isChain() || len(t.gaps) > 0 || t.state != parleyv1.SourceState_SOURCE_STATE_READ || t.fetch.Store == nil:
			return nil, until, false
		case t.src == parleyv1.Source_SOURCE_CALL && w.span.Start.IsZero():
			return nil, until, false
		case first && w.settled(t.src).Before(w.span.End):
			return nil, until, false
		case t.src == parleyv1.Source_SOURCE_CALL:
			until = w.span.Start.Add(w.cfg.CallsKept)
		}
		for _, u := range t.used {
			if u.Key == "" {
				return nil, until, false
			}
			windows = append(windows, u)
		}
	}
	return windows, until, true
}
