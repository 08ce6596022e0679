package graphclient

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/parley-gateway/parley/graphclient/graph"
)

const (
	// outcomeTime is how long an outcome counts, and the time between two warnings of the log.
	outcomeTime = 10 * time.Minute
	// minRefused is how many users must be refused without a reason within outcomeTime, and none answered, before a permission is suspected.
	minRefused = 2
	// maxRefused is how many refused users are counted.
	maxRefused = 1024
)

// outcomes remembers for a while whom Graph answered and whom it refused without a reason, per API: a refusal that meets
// one user is about that user, one that meets everybody is probably about the application.
type outcomes struct {
	log *slog.Logger

	mu   sync.Mutex
	apis map[string]*apiOutcomes
}

// apiOutcomes are the outcomes of one API.
type apiOutcomes struct {
	answered [2]answeredUser      // two users, the latest first
	refused  map[string]time.Time // when users were refused since somebody was answered last
	warned   time.Time            // when a warning was logged last
}

type answeredUser struct {
	user string
	at   time.Time
}

func newOutcomes(log *slog.Logger) *outcomes {
	return &outcomes{log: log, apis: map[string]*apiOutcomes{}}
}

// of returns the outcomes of an API. The lock is held.
func (o *outcomes) of(api string) *apiOutcomes {
	s := o.apis[api]
	if s == nil {
		s = &apiOutcomes{refused: map[string]time.Time{}}
		o.apis[api] = s
	}
	return s
}

// note takes the outcome of a request about a user.
func (o *outcomes) note(ctx context.Context, api, user string, err *graph.Error) {
	if err != nil && err.Kind != graph.KindUserRefused && err.Kind != graph.KindRefused {
		return
	}
	now := time.Now()
	o.mu.Lock()
	defer o.mu.Unlock()
	s := o.of(api)
	if err == nil {
		if s.answered[0].user != user {
			s.answered[1] = s.answered[0]
		}
		s.answered[0] = answeredUser{user, now}
		clear(s.refused)
		return
	}
	if len(s.refused) < maxRefused {
		s.refused[user] = now
	}
	if s.allRefused(now) && now.Sub(s.warned) >= outcomeTime {
		s.warned = now
		o.log.LogAttrs(ctx, slog.LevelWarn, "graph refuses every user of the last minutes without a reason; a permission of the application is suspected to be missing",
			slog.String("source", api), slog.Int("users", len(s.refused)), slog.Any("graph", err))
	}
}

// allRefused forgets old refusals, and reports whether minRefused users or more were refused lately and none was answered.
func (s *apiOutcomes) allRefused(now time.Time) bool {
	for user, at := range s.refused {
		if now.Sub(at) >= outcomeTime {
			delete(s.refused, user)
		}
	}
	return len(s.refused) >= minRefused && now.Sub(s.answered[0].at) >= outcomeTime
}

// answeredOthers reports whether Graph has answered another user lately.
func (o *outcomes) answeredOthers(api, user string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	s := o.apis[api]
	if s == nil {
		return false
	}
	for _, seen := range s.answered {
		if seen.user != "" && seen.user != user && time.Since(seen.at) < outcomeTime {
			return true
		}
	}
	return false
}

// PermissionSuspected reports whether every user of whom an API was asked in the last ten minutes, at least two, was refused
// without a reason.
func (c *Client) PermissionSuspected(api string) bool {
	o := c.outcomes
	o.mu.Lock()
	defer o.mu.Unlock()
	s := o.apis[api]
	return s != nil && s.allRefused(time.Now())
}
