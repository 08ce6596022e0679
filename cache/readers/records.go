package readers

import (
	"context"
	"errors"

	"github.com/parley-gateway/parley/cache"
	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/resource"
	"github.com/parley-gateway/parley/source"
)

// records caches whole call records by id and version.
type records struct {
	scoped

	next source.EventGetter
}

var _ source.EventGetter = (*records)(nil)

// Records decorates a getter of call records. Only records that were asked for in a version are cached, for as long as pages
// of settled calls: streams of the view FULL read the same ones again and again, while GetEvent wants the newest. A record is read
// once for all users in the call.
func (d *Decorator) Records(next source.EventGetter, scope Scope) source.EventGetter {
	return &records{d.in(scope), next}
}

// Event implements source.EventGetter. The cached record is read for no user in particular; whether it names the user is decided each time.
func (r *records) Event(ctx context.Context, owner, user string, ref source.Ref) (*parleyv1.Event, error) {
	if ref.Version <= 0 {
		return r.next.Event(ctx, owner, user, ref)
	}
	key := r.scope.key("record")
	key.Text(ref.ID)
	key.Number(ref.Version)
	answer, err := get(ctx, &r.scoped, key, "", func(ctx context.Context) (cache.Fetched[*parleyv1.Event], error) {
		event, err := r.next.Event(ctx, resource.AnyUser, "", ref)
		fetched := cache.Fetched[*parleyv1.Event]{Value: event, Life: r.cfg.Call, Size: rowOverhead + resident(event)}
		if event.GetVersion() < ref.Version || event.GetCall().GetPartial() {
			fetched.Life = 0 // an older or a partial record is handed on, not cached
		}
		return fetched, err
	})
	if err != nil || owner == resource.AnyUser {
		return answer.Value, err
	}
	return source.CallForUser(answer.Value, owner, user)
}

// participants caches whether records of calls name users.
type participants struct {
	scoped

	next source.ParticipantVerifier
}

var _ source.ParticipantVerifier = (*participants)(nil)

// verification is the answer of a record about a user: nil or source.ErrNotParticipant.
type verification struct{ err error }

// verificationSize is the memory of a verification beside its key.
const verificationSize = rowOverhead + 16

// Participants decorates a verifier of participants. The answer from one version of a record is cached for as long as pages of
// settled calls. A failure to read the record is not cached.
func (d *Decorator) Participants(next source.ParticipantVerifier, scope Scope) source.ParticipantVerifier {
	return &participants{d.in(scope), next}
}

// VerifyParticipant implements source.ParticipantVerifier.
func (p *participants) VerifyParticipant(ctx context.Context, user string, ref source.Ref) error {
	if ref.Version <= 0 {
		return p.next.VerifyParticipant(ctx, user, ref)
	}
	key := p.scope.key("participant")
	key.Text(user, ref.ID)
	key.Number(ref.Version)
	answer, err := get(ctx, &p.scoped, key, "", func(ctx context.Context) (cache.Fetched[verification], error) {
		err := p.next.VerifyParticipant(ctx, user, ref)
		if err != nil && !errors.Is(err, source.ErrNotParticipant) {
			return cache.Fetched[verification]{}, err
		}
		return cache.Fetched[verification]{Value: verification{err}, Life: p.cfg.Call, Size: verificationSize}, nil
	})
	if err != nil {
		return err
	}
	return answer.Value.err
}
