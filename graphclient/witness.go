package graphclient

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/parley-gateway/parley/graphclient/graph"
)

const (
	// witnessTime is how long an answer to one user counts when another one is refused.
	witnessTime = 10 * time.Minute
	// suspects is how many users must be refused without a reason, and none answered, before a permission is suspected.
	suspects    = 2
	maxSuspects = 1024 // that are told apart
)

// witness remembers for a while whom Graph answered and whom it refused without a reason, per source: a refusal that meets
// one user is about that user, one that meets everybody is probably about the application.
type witness struct {
	log *slog.Logger

	mu      sync.Mutex
	sources map[string]*sightings
}

// sightings are those of one source.
type sightings struct {
	answered [2]sighting // of two users, the latest first
	refused  map[string]time.Time
	told     time.Time
}

type sighting struct {
	user string
	at   time.Time
}

func newWitness(log *slog.Logger) *witness {
	return &witness{log: log, sources: map[string]*sightings{}}
}

// of returns the sightings of a source. The lock is held.
func (w *witness) of(source string) *sightings {
	s := w.sources[source]
	if s == nil {
		s = &sightings{refused: map[string]time.Time{}}
		w.sources[source] = s
	}
	return s
}

// saw notes the outcome of a request about a user.
func (w *witness) saw(ctx context.Context, source, user string, err *graph.Error) {
	if err != nil && err.Kind != graph.KindUserRefused && err.Kind != graph.KindRefused {
		return
	}
	now := time.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.of(source)
	if err == nil {
		if s.answered[0].user != user {
			s.answered[1] = s.answered[0]
		}
		s.answered[0] = sighting{user, now}
		clear(s.refused)
		return
	}
	if len(s.refused) < maxSuspects {
		s.refused[user] = now
	}
	if s.suspicious(now) && now.Sub(s.told) >= witnessTime {
		s.told = now
		w.log.LogAttrs(ctx, slog.LevelWarn, "graph refuses every user of the last minutes without a reason; a permission of the application is suspected to be missing",
			slog.String("source", source), slog.Int("users", len(s.refused)), slog.Any("graph", err))
	}
}

// suspicious forgets what is old and reports whether everybody who is left was refused.
func (s *sightings) suspicious(now time.Time) bool {
	for user, at := range s.refused {
		if now.Sub(at) >= witnessTime {
			delete(s.refused, user)
		}
	}
	return len(s.refused) >= suspects && now.Sub(s.answered[0].at) >= witnessTime
}

// others reports whether Graph has answered another user lately.
func (w *witness) others(source, user string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.sources[source]
	if s == nil {
		return false
	}
	for _, seen := range s.answered {
		if seen.user != "" && seen.user != user && time.Since(seen.at) < witnessTime {
			return true
		}
	}
	return false
}

// PermissionSuspected reports whether every user of whom a source was asked in the last ten minutes, at least two, was refused
// without a reason.
func (c *Client) PermissionSuspected(source string) bool {
	w := c.witness
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.sources[source]
	return s != nil && s.suspicious(time.Now())
}
