package readers

import (
	"cmp"
	"time"

	"github.com/parley-gateway/parley/cache"
	"github.com/parley-gateway/parley/cache/shared"
	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/source"
)

// Defaults of Config.
const (
	defaultCopilot = 24 * time.Hour
	defaultChat    = time.Hour
	defaultCall    = time.Hour
	defaultUsage   = 6 * time.Hour
	defaultOther   = time.Minute
)

// Config says how long values are cached. Zero fields take the defaults.
type Config struct {
	// Open is for a window whose end is not settled yet, at most cache.MostOpen; Copilot, Chat and Call for settled windows. Usage is
	// for usage reports whose refresh date does not move, Other for conversations and users.
	Open, Copilot, Chat, Call, Usage, Other time.Duration
	// Settle is how long after an event its row may still appear; as timeline.Config.Settle.
	Settle map[parleyv1.Source]time.Duration
	// Shared has the values that replicas share; nil = they share none. Values that were read on behalf of a user are never put there.
	Shared *shared.Values
}

// Scope is the part of a key that the query does not hold: the tenant of the data, and the identity that Graph was asked as.
type Scope struct {
	// Tenant is the tenant's alias or id, Identity the application or user that the token belongs to.
	Tenant, Identity string
	// Source is the API.
	Source parleyv1.Source
	// Skew is the time by which this machine's clock is ahead of Graph's; nil = none. It is no part of the key.
	Skew func() time.Duration
	// Delegated is true when the identity is a user, who may lose the right to read: reports are cached no longer than chats then.
	Delegated bool
}

// key returns the beginning of the key of a value.
func (s *Scope) key(kind string) cache.Key {
	key := cache.NewKey(kind)
	key.Text(s.Tenant, s.Identity)
	key.Number(int64(s.Source))
	return key
}

// Decorator decorates readers of all sources and tenants with one cache.
type Decorator struct {
	cache        *cache.Cache
	cfg          Config
	refreshDates refreshDates
	uncacheable  uncacheableReports
}

// New returns a Decorator over a cache, which its caller closes.
func New(over *cache.Cache, cfg Config) *Decorator {
	cfg.Open = min(cmp.Or(cfg.Open, cache.MostOpen), cache.MostOpen)
	cfg.Copilot = cmp.Or(cfg.Copilot, defaultCopilot)
	cfg.Chat = cmp.Or(cfg.Chat, defaultChat)
	cfg.Call = cmp.Or(cfg.Call, defaultCall)
	cfg.Usage = cmp.Or(cfg.Usage, defaultUsage)
	cfg.Other = cmp.Or(cfg.Other, defaultOther)
	cfg.Settle = source.Settle(cfg.Settle)
	return &Decorator{cache: over, cfg: cfg}
}

// scoped is a Decorator for one scope.
type scoped struct {
	*Decorator

	scope Scope
	label string // of the source, in metrics
}

func (d *Decorator) in(scope Scope) scoped {
	return scoped{d, scope, cmp.Or(source.Describe(scope.Source).Label, "other")}
}

// settles is when a window that ends at end is settled, by Graph's clock or this machine's, whichever is behind.
func (s *scoped) settles(end time.Time) time.Time {
	settle := s.cfg.Settle[s.scope.Source]
	if s.scope.Skew != nil {
		settle += max(s.scope.Skew(), 0)
	}
	return end.Add(settle)
}

// windowLife is how long a window is cached that ends at end and was read at read: longer if it was settled by then.
func (s *scoped) windowLife(end, read time.Time) time.Duration {
	switch {
	case s.settles(end).After(read):
		return s.cfg.Open
	case s.scope.Source == parleyv1.Source_SOURCE_COPILOT:
		return s.cfg.Copilot
	case s.scope.Source == parleyv1.Source_SOURCE_CALL:
		return s.cfg.Call
	default:
		return s.cfg.Chat
	}
}
