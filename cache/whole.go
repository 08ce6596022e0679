package cache

import (
	"context"
	"time"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/source"
)

// records keeps whole call records by id and version.
type records struct {
	c     *Cache
	next  source.EventGetter
	scope Scope
}

var _ source.EventGetter = (*records)(nil)

// Records decorates a getter of call records. Only records that were asked for in a version are kept, for as long as pages
// of settled calls: streams of the view FULL read the same ones again and again, while GetEvent wants the newest.
func (c *Cache) Records(next source.EventGetter, scope Scope) source.EventGetter {
	return &records{c, next, scope}
}

// Event implements source.EventGetter. What is kept proves the part that this very user has in the call.
func (r *records) Event(ctx context.Context, owner, user string, ref source.Ref) (*parleyv1.Event, error) {
	if ref.Version <= 0 {
		return r.next.Event(ctx, owner, user, ref)
	}
	key := newKey("record", r.scope)
	key.text(owner, user, ref.ID)
	key.number(ref.Version)
	life := r.c.cfg.Call
	page, err := look(ctx, r.c, r.scope.Source, key.with(""), "",
		func() time.Duration { return life },
		func(e *parleyv1.Event) int64 { return resident(e) },
		key.with,
		func(ctx context.Context) (*source.Page[*parleyv1.Event], error) {
			event, err := r.next.Event(ctx, owner, user, ref)
			if event.GetVersion() < ref.Version || event.GetCall().GetPartial() {
				life = 0 // an older or a partial record is handed on, not kept
			}
			return &source.Page[*parleyv1.Event]{Items: []*parleyv1.Event{event}, Read: time.Now()}, err
		})
	if err != nil {
		return nil, err
	}
	return page.Items[0], nil
}
