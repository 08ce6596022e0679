package merge

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/resource"
	"github.com/parley-gateway/parley/source"
	"github.com/parley-gateway/parley/timeline/chunk"
	"github.com/parley-gateway/parley/timeline/failure"
	"github.com/parley-gateway/parley/timeline/fetch"
	"github.com/parley-gateway/parley/timeline/query"
	"github.com/parley-gateway/parley/timeline/window"
)

// Graph knows no calls of a user, only a filter by participant, and a filter is no proof. What each listed call says, and
// what its record says where the row does not suffice, decides here.
//
// Strict (query.Events.Narrow): a call goes out only if a record names the user. What a record refutes is left out; what
// no record could prove is left out too, and is a gap.
//
// Otherwise Graph's word is taken, unless it is seen not to hold: a row that names participants without the user is a
// doubt at once, and one that names an organizer alone is one where Graph was found to ignore the filter.

const (
	recordsAtOnce = 8   // records of one window that are read for proof at a time
	maxRecords    = 128 // of one window
)

// participantCheck decides which calls of a track go out.
type participantCheck struct {
	user   string
	lower  []byte // the same in lower case
	strict bool
	prover source.ParticipantVerifier // nil = rows alone can prove
	canary *canary
}

// checkParticipants gives the track of calls its rules. Nothing is to be proved of a whole tenant.
func (m *Merger) checkParticipants(have query.Sources) {
	for _, r := range m.readers {
		if r.src != parleyv1.Source_SOURCE_CALL || m.req.Owner == resource.AnyUser {
			continue
		}
		r.participants = &participantCheck{user: m.req.User, lower: bytes.ToLower([]byte(m.req.User)), strict: m.req.Narrow, prover: have.CallProofs}
		r.participants.canary = m.cfg.Canaries.of(m.req.Tenant)
	}
}

// isDecided tells whether a window that was kept needs no further look.
func (a *participantCheck) isDecided(s *chunk.Chunk) bool {
	if a == nil {
		return true
	}
	if a.strict {
		return s.Participants.AllVerified.Load()
	}
	word, known := s.Participants.KnownClaim()
	return known && (word == chunk.ClaimsUser || word == chunk.ClaimsOrganizer && a.canary.trusted())
}

// verifyParticipants leaves out of a block what does not belong to the user, and notes doubts.
func (r *sourceReader) verifyParticipants(ctx context.Context, res *fetch.Result) {
	a := r.participants
	switch {
	case a == nil || res.Split || res.Chunk == nil:
	case a.strict:
		r.verifyStrictly(ctx, res)
	case r.readWhole == nil:
		word := a.claim(res)
		if word == chunk.ClaimsOthers || word == chunk.ClaimsOrganizer && !a.canary.honours(ctx, r.fetch, res.Span) {
			r.contradicted.Store(true)
			res.Gaps = window.AddGap(slices.Clone(res.Gaps), window.Gap{Span: res.Span, Reason: parleyv1.ErrorReason_ERROR_REASON_PARTICIPANT_NOT_HONOURED})
		}
	}
}

// verifyStrictly leaves the entries of a block that are proved. A window that would need very many records is read in pieces, so
// that its first calls do not wait for the proof of all.
func (r *sourceReader) verifyStrictly(ctx context.Context, res *fetch.Result) {
	found, open := r.participants.verifyByRows(res)
	if _, divisible := res.Finer(); divisible && len(open) > maxRecords && res.Failed == nil {
		res.Split, res.Entries, res.Rows = true, nil, 0
		return
	}
	if failed := r.participants.verifyByRecords(ctx, r, res, found, open); failed != nil {
		res.Failed, res.Entries = failed, nil
		return
	}
	told := &res.Chunk.Participants
	res.Chunk.CountParticipants()
	if len(res.Entries) == len(res.Chunk.Entries) && !slices.ContainsFunc(found, func(is chunk.Participation) bool { return is != chunk.Participates }) {
		told.AllVerified.Store(true)
	}
	r.keepVerified(res, found)
}

// claim finds out what the rows of a block's sheet claim.
func (a *participantCheck) claim(res *fetch.Result) chunk.Claim {
	return res.Chunk.Participants.Claim(func() chunk.Claim {
		word := chunk.ClaimsUser
		for i := range res.Chunk.Entries {
			e := &res.Chunk.Entries[i]
			if !a.mentions(e) {
				word = max(word, claimOfOthers(e.Basic))
			} else if event, err := e.Event(); err == nil && event.GetCall() != nil {
				word = max(word, a.claimOf(event.GetCall()))
			}
		}
		return word
	})
}

// verifyByRows finds out what the rows of a block and earlier readings of records prove; open are the entries that only a record
// can tell about.
func (a *participantCheck) verifyByRows(res *fetch.Result) (found []chunk.Participation, open []int) {
	told := &res.Chunk.Participants
	found = make([]chunk.Participation, len(res.Entries))
	for i := range res.Entries {
		e := &res.Entries[i]
		var known bool
		if found[i], known = told.Get(e.Key); known {
			continue
		}
		found[i] = chunk.Unverified
		if a.mentions(e) {
			if event, err := e.Event(); err == nil && source.TookPart(event.GetCall(), a.user) {
				found[i] = told.Put(e.Key, chunk.Participates)
				continue
			}
		}
		if a.prover != nil {
			open = append(open, i)
		}
	}
	return found, open
}

// verifyByRecords reads the records of the open entries of a block. A failure is one of the source: nothing of the block can be judged
// then.
func (a *participantCheck) verifyByRecords(ctx context.Context, r *sourceReader, res *fetch.Result, found []chunk.Participation, open []int) *failure.Failure {
	told := &res.Chunk.Participants
	var group errgroup.Group
	group.SetLimit(recordsAtOnce)
	var failed atomic.Pointer[failure.Failure]
	for _, i := range open {
		if failed.Load() != nil || ctx.Err() != nil {
			break
		}
		group.Go(func() error {
			e := &res.Entries[i]
			event, err := e.Event()
			if err != nil {
				return nil //nolint:nilerr // what cannot be read is not proved
			}
			err = a.prover.VerifyParticipant(ctx, a.user, source.Ref{Source: r.src, ID: event.GetSource().GetId(), Version: e.Version})
			r.fetch.CountRequests(1)
			switch {
			case err == nil:
				found[i] = told.Put(e.Key, chunk.Participates)
			case errors.Is(err, source.ErrNotParticipant):
				found[i] = told.Put(e.Key, chunk.Contradicted)
			default:
				if f := failure.Classify(err, false); f.Ends() {
					failed.CompareAndSwap(nil, &f)
				}
			}
			return nil
		})
	}
	_ = group.Wait() // it returns none
	if err := ctx.Err(); err != nil {
		return &failure.Failure{State: parleyv1.SourceState_SOURCE_STATE_FAILED, Reason: parleyv1.ErrorReason_ERROR_REASON_GRAPH_UNAVAILABLE, Err: err}
	}
	return failed.Load()
}

// keepVerified leaves the entries that are proved. What is refuted shows that Graph does not evaluate the filter; what is not
// proved is a gap.
func (r *sourceReader) keepVerified(res *fetch.Result, found []chunk.Participation) {
	if slices.Contains(found, chunk.Contradicted) {
		r.contradicted.Store(true)
	}
	if slices.Contains(found, chunk.Unverified) {
		res.Gaps = window.AddGap(slices.Clone(res.Gaps), window.Gap{Span: res.Span, Reason: parleyv1.ErrorReason_ERROR_REASON_PARTICIPATION_NOT_PROVED})
	}
	kept := make([]chunk.Entry, 0, len(res.Entries))
	for i := range res.Entries {
		if found[i] == chunk.Participates {
			kept = append(kept, res.Entries[i])
		}
	}
	res.Entries = kept
}

// wholeRecords prove calls by records that are read whole anyway, and by lighter requests where that fails.
type wholeRecords struct {
	getter source.EventGetter
	owner  string
	next   source.ParticipantVerifier
}

// VerifyParticipant implements source.ParticipantVerifier.
func (p wholeRecords) VerifyParticipant(ctx context.Context, user string, ref source.Ref) error {
	_, err := p.getter.Event(ctx, p.owner, user, ref)
	if err == nil || p.next == nil {
		return err
	}
	return p.next.VerifyParticipant(ctx, user, ref)
}
