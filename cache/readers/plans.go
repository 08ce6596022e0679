package readers

import (
	"strings"
	"sync"
	"time"

	"github.com/parley-gateway/parley/internal/lru"
	"github.com/parley-gateway/parley/source"
)

const (
	// planPause is how long a user without a plan for Copilot is not asked about.
	planPause = 7 * 24 * time.Hour
	// maxPlans bounds the users that are remembered: about 128 bytes each.
	maxPlans = 1 << 16
)

// Plans decides for readings of many users whether Graph is asked about the interactions of users without a plan. It belongs to one tenant, and
// remembers when users without a plan are to be asked about again. A user who has fallen out of the memory begins a new pause.
type Plans struct {
	mu  sync.Mutex
	due *lru.Cache[string, time.Time]
}

// NewPlans returns an empty memory.
func NewPlans() *Plans { return &Plans{due: lru.New[string, time.Time](maxPlans, nil)} }

// Copilot returns how a reading of many users treats a user without a plan. Of the calls for one at most one a week returns
// source.PlanMissingAsked, and none in the first week.
func (p *Plans) Copilot(id string) source.CopilotPlan {
	id, now := strings.ToLower(id), time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	due, known := p.due.Get(id)
	if known && now.Before(due) {
		return source.PlanMissing
	}
	p.due.Put(id, now.Add(planPause))
	if !known {
		return source.PlanMissing
	}
	return source.PlanMissingAsked
}
