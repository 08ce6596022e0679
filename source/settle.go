package source

import (
	"time"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
)

// Settle returns how long after an event its row may still appear in each source: the given times where they are
// positive, else Copilot 1 h, chat 15 min, calls 36 h.
func Settle(given map[parleyv1.Source]time.Duration) map[parleyv1.Source]time.Duration {
	settle := map[parleyv1.Source]time.Duration{
		parleyv1.Source_SOURCE_COPILOT: time.Hour,
		parleyv1.Source_SOURCE_CHAT:    15 * time.Minute,
		parleyv1.Source_SOURCE_CALL:    36 * time.Hour,
	}
	for src, d := range given {
		if d > 0 {
			settle[src] = d
		}
	}
	return settle
}
