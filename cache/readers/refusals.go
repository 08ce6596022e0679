package readers

import (
	"cmp"
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/parley-gateway/parley/cache"
	"github.com/parley-gateway/parley/cache/shared"
	"github.com/parley-gateway/parley/graphclient/graph"
	"github.com/parley-gateway/parley/internal/lru"
	"github.com/parley-gateway/parley/source"
)

const (
	// defaultRefused is how long a refusal is remembered.
	defaultRefused = 5 * time.Minute
	maxRefusals    = 1 << 15
)

// Refusals remembers for a while which users a source refuses as such: those without a licence, those it does not know,
// and those whose refusal does not say whom it is about (a 403 or 402 without a reason).
// A reading of many users then costs one request for each of them, not one for each window. Whatever may be different the
// next moment (429, 5xx, broken answers), and what Graph says concerns the application and not the user (missing roles,
// billing, credentials), is never remembered.
type Refusals struct {
	life   time.Duration
	shared *shared.Values // nil = replicas share none

	mu    sync.Mutex
	known *lru.Cache[string, *refusal]
}

// refusal is one remembered answer. It never changes.
type refusal struct {
	err            *graph.Error
	asked, expires time.Time
}

// NewRefusals returns an empty memory; life is how long a refusal is remembered, less up to a tenth, 0 = defaultRefused. Replicas share
// what is in the store; nil = they share nothing.
func NewRefusals(life time.Duration, store *shared.Values) *Refusals {
	life = cmp.Or(life, defaultRefused)
	return &Refusals{life: life, shared: store, known: lru.New[string, *refusal](maxRefusals, nil)}
}

// Refusals returns an empty memory of refusals, which replicas share like the other values of the Decorator.
func (d *Decorator) Refusals() *Refusals { return NewRefusals(0, d.cfg.Shared) }

// Events decorates a reader of events. It belongs below Decorator.Events: cached pages are served all the same.
func (r *Refusals) Events(next source.EventReader, scope Scope) source.EventReader {
	return &refusing{r, next, scope}
}

type refusing struct {
	known *Refusals
	next  source.EventReader
	scope Scope
}

var _ source.EventReader = (*refusing)(nil)

// Events implements source.EventReader. What a caller's cache-control says holds for refusals as for pages.
func (r *refusing) Events(ctx context.Context, q source.EventQuery, link string) (*source.Page[source.Item], error) {
	if q.User == "" || q.Conversation != "" || link != "" {
		return r.next.Events(ctx, q, link)
	}
	key := r.scope.key("refusal")
	key.Text(q.User)
	if known := r.known.get(ctx, string(key)); known != nil {
		again := *known.err
		again.Requests = 0
		return nil, &again
	}
	page, err := r.next.Events(ctx, q, link)
	r.known.learn(string(key), err)
	return page, err
}

// get returns a refusal that the caller accepts.
func (r *Refusals) get(ctx context.Context, key string) *refusal {
	r.mu.Lock()
	known, _ := r.known.Get(key)
	r.mu.Unlock()
	if known != nil && cache.ControlOf(ctx).Accepts(known.asked, known.expires) {
		return known
	}
	return r.fromReplicas(ctx, key)
}

// fromReplicas returns a refusal that another replica has met and the caller accepts, and remembers it.
func (r *Refusals) fromReplicas(ctx context.Context, key string) *refusal {
	if r.shared == nil {
		return nil
	}
	found, asked, expires := sharedJSON[sharedRefusal](ctx, r.shared, key)
	if found == nil {
		return nil
	}
	known := &refusal{found.error(), asked, expires}
	if !known.err.Personal() {
		r.shared.Invalid()
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.known.Put(key, known)
	return known
}

// learn remembers a refusal of the user, and forgets one when Graph answered.
func (r *Refusals) learn(key string, err error) {
	graphErr, ok := errors.AsType[*graph.Error](err)
	refused := ok && graphErr.Personal()
	if err != nil && !refused {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if err == nil {
		r.known.Delete(key)
		return
	}
	now, life := time.Now(), r.life-rand.N(r.life/10+1) //nolint:gosec // spreads load, keeps no secret
	r.known.Put(key, &refusal{graphErr, now, now.Add(life)})
	if r.shared != nil && graphErr.Kind != graph.KindPaymentRequired { // whom that is about is each replica's to find out
		shareJSON(r.shared, key, now, life, refusalOf(graphErr))
	}
}
