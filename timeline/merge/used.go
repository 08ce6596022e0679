package merge

import (
	"time"

	"github.com/parley-gateway/parley/cache/readers"
	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/timeline/chunk"
)

// UsedWindow is a window that a walk went through.
type UsedWindow struct {
	// Store is the cache of the source, and Key the key of the chunk there; empty = the window was read for this call.
	Store readers.Windows
	Key   string
	// Chunk holds the events of the window.
	Chunk *chunk.Chunk
}

// CachedWindows returns the windows that the walk went through, if all of them were cached and nothing that the walk found depends
// on when it is asked for. until is the time when that changes; zero = never. first says that the walk began with this call.
func (m *Merger) CachedWindows(first bool) (windows []UsedWindow, until time.Time, ok bool) {
	for _, r := range m.readers {
		switch {
		case m.extended || r.readsReverseChain() || len(r.gaps) > 0 || r.state != parleyv1.SourceState_SOURCE_STATE_READ || r.fetch.Store == nil:
			return nil, until, false
		case r.src == parleyv1.Source_SOURCE_CALL && m.span.Start.IsZero():
			return nil, until, false
		case first && m.settled(r.src).Before(m.span.End):
			return nil, until, false
		case r.src == parleyv1.Source_SOURCE_CALL:
			until = m.span.Start.Add(m.cfg.CallsKept)
		}
		for _, u := range r.used {
			if u.Key == "" {
				return nil, until, false
			}
			windows = append(windows, u)
		}
	}
	return windows, until, true
}
