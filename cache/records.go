package cache

import (
	"context"
	"errors"
	"time"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/source"
)

// records caches whole call records by id and version.
type records struct {
	c     *Cache
	next  source.EventGetter
	scope Scope
}

var _ source.EventGetter = (*records)(nil)

// Records decorates a getter of call records. Only records that were asked for in a version are cached, for as long as pages
// of settled calls: streams of the view FULL read the same ones again and again, while GetEvent wants the newest.
func (c *Cache) Records(next source.EventGetter, scope Scope) source.EventGetter {
	return &records{c, next, scope}
}

// Event implements source.EventGetter. The key names the user, because a cached record says that this user has a part in the call.
func (r *records) Event(ctx context.Context, owner, user string, ref source.Ref) (*parleyv1.Event, error) {
	if ref.Version <= 0 {
		return r.next.Event(ctx, owner, user, ref)
	}
	key := newKey("record", r.scope)
	key.text(owner, user, ref.ID)
	key.number(ref.Version)
	life := r.c.cfg.Call
	page, err := look(ctx, r.c, request[*parleyv1.Event]{
		source: r.scope.Source, key: key,
		life: func(*entry) time.Duration { return life },
		size: func(e *parleyv1.Event) int64 { return resident(e) },
		fetch: func(ctx context.Context) (*source.Page[*parleyv1.Event], error) {
			event, err := r.next.Event(ctx, owner, user, ref)
			if event.GetVersion() < ref.Version || event.GetCall().GetPartial() {
				life = 0 // an older or a partial record is handed on, not cached
			}
			return &source.Page[*parleyv1.Event]{Items: []*parleyv1.Event{event}, Read: time.Now()}, err
		},
	})
	if err != nil {
		return nil, err
	}
	return page.Items[0], nil
}

// participants caches what records of calls say about users.
type participants struct {
	c     *Cache
	next  source.ParticipantVerifier
	scope Scope
}

var _ source.ParticipantVerifier = (*participants)(nil)

// participantSize is the memory of an answer beside its key.
const participantSize = 16

// Participants decorates a verifier of participants. The answer from one version of a record is cached for as long as pages of
// settled calls. A failure to read the record is not cached.
func (c *Cache) Participants(next source.ParticipantVerifier, scope Scope) source.ParticipantVerifier {
	return &participants{c, next, scope}
}

// VerifyParticipant implements source.ParticipantVerifier.
func (p *participants) VerifyParticipant(ctx context.Context, user string, ref source.Ref) error {
	if ref.Version <= 0 {
		return p.next.VerifyParticipant(ctx, user, ref)
	}
	key := newKey("participant", p.scope)
	key.text(user, ref.ID)
	key.number(ref.Version)
	page, err := look(ctx, p.c, request[error]{
		source: p.scope.Source, key: key,
		life: func(*entry) time.Duration { return p.c.cfg.Call },
		size: func(error) int64 { return participantSize },
		fetch: func(ctx context.Context) (*source.Page[error], error) {
			answer := p.next.VerifyParticipant(ctx, user, ref)
			if answer != nil && !errors.Is(answer, source.ErrNotParticipant) {
				return nil, answer
			}
			return &source.Page[error]{Items: []error{answer}, Read: time.Now()}, nil
		},
	})
	if err != nil {
		return err
	}
	return page.Items[0]
}
