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

// Graph has no list of a user's calls, only a filter by participant, and a filter is no proof. The rows of the listed calls decide
// here, and their records where the rows do not suffice.
//
// Strict (query.Events.Narrow): a call is delivered only if its row or its record names the user. A contradicted call is left out. An
// unverified call is left out too, and is a gap.
//
// Otherwise Graph's word is taken, unless it is seen not to hold: a row that names participants without the user is a doubt at once,
// and a row that names an organizer alone is a doubt where Graph was found to ignore the filter.

const (
	recordsAtOnce = 8   // records of one window that are read at a time
	maxRecords    = 128 // records of one window that are read before its first call is delivered
)

// participantCheck decides which listed calls are the user's.
type participantCheck struct {
	user    string
	lower   []byte // the same in lower case
	strict  bool
	records source.ParticipantVerifier // nil = only rows can verify
	canary  *canary
}

// checkParticipants gives the reader of calls its check. The calls of a whole tenant are not checked.
func (m *Merger) checkParticipants(have query.Sources) {
	for _, r := range m.readers {
		if r.src != parleyv1.Source_SOURCE_CALL || m.req.Owner == resource.AnyUser {
			continue
		}
		r.participants = &participantCheck{user: m.req.User, lower: bytes.ToLower([]byte(m.req.User)), strict: m.req.Narrow, records: have.CallProofs}
		r.participants.canary = m.cfg.Canaries.of(m.req.Tenant)
	}
}

// isDecided reports whether the calls of a cached chunk need no further check.
func (check *participantCheck) isDecided(s *chunk.Chunk) bool {
	if check == nil {
		return true
	}
	if check.strict {
		return s.Participants.AllVerified.Load()
	}
	claim, known := s.Participants.KnownClaim()
	return known && (claim == chunk.ClaimsUser || claim == chunk.ClaimsOrganizer && check.canary.trusted())
}

// verifyParticipants leaves out the calls of a result that are not the user's, and adds gaps for doubts.
func (r *sourceReader) verifyParticipants(ctx context.Context, res *fetch.Result) {
	check := r.participants
	switch {
	case check == nil || res.Split || res.Chunk == nil:
	case check.strict:
		r.verifyStrictly(ctx, res)
	case r.readWhole == nil:
		claim := check.claim(res)
		if claim == chunk.ClaimsOthers || claim == chunk.ClaimsOrganizer && !check.canary.honours(ctx, r.fetch, res.Span) {
			r.contradicted.Store(true)
			res.Gaps = window.AddGap(slices.Clone(res.Gaps), window.Gap{Span: res.Span, Reason: parleyv1.ErrorReason_ERROR_REASON_PARTICIPANT_NOT_HONOURED})
		}
	}
}

// verifyStrictly keeps the verified calls of a result. A window that needs very many records is read in pieces, so that its first calls
// do not wait for all records.
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
	participants := &res.Chunk.Participants
	res.Chunk.CountParticipants()
	if len(res.Entries) == len(res.Chunk.Entries) && !slices.ContainsFunc(found, func(is chunk.Participation) bool { return is != chunk.Participates }) {
		participants.AllVerified.Store(true)
	}
	r.keepVerified(res, found)
}

// claim returns what the rows of a result's chunk claim.
func (check *participantCheck) claim(res *fetch.Result) chunk.Claim {
	return res.Chunk.Participants.Claim(func() chunk.Claim {
		claim := chunk.ClaimsUser
		for i := range res.Chunk.Entries {
			e := &res.Chunk.Entries[i]
			if !check.mentions(e) {
				claim = max(claim, claimOfOthers(e.Basic))
			} else if event, err := e.Event(); err == nil && event.GetCall() != nil {
				claim = max(claim, check.claimOf(event.GetCall()))
			}
		}
		return claim
	})
}

// verifyByRows verifies calls by their rows and by records that were read before. It returns apart the entries that need a record.
func (check *participantCheck) verifyByRows(res *fetch.Result) (found []chunk.Participation, open []int) {
	participants := &res.Chunk.Participants
	found = make([]chunk.Participation, len(res.Entries))
	for i := range res.Entries {
		e := &res.Entries[i]
		var known bool
		if found[i], known = participants.Get(e.Key); known {
			continue
		}
		found[i] = chunk.Unverified
		if check.mentions(e) {
			if event, err := e.Event(); err == nil && source.TookPart(event.GetCall(), check.user) {
				found[i] = participants.Put(e.Key, chunk.Participates)
				continue
			}
		}
		if check.records != nil {
			open = append(open, i)
		}
	}
	return found, open
}

// verifyByRecords verifies the open entries by their records. After a failure of the source no entry can be verified.
func (check *participantCheck) verifyByRecords(ctx context.Context, r *sourceReader, res *fetch.Result, found []chunk.Participation, open []int) *failure.Failure {
	participants := &res.Chunk.Participants
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
				return nil //nolint:nilerr // a call that cannot be decoded stays unverified
			}
			err = check.records.VerifyParticipant(ctx, check.user, source.Ref{Source: r.src, ID: event.GetSource().GetId(), Version: e.Version})
			r.fetch.CountRequests(1)
			switch {
			case err == nil:
				found[i] = participants.Put(e.Key, chunk.Participates)
			case errors.Is(err, source.ErrNotParticipant):
				found[i] = participants.Put(e.Key, chunk.Contradicted)
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

// keepVerified keeps the verified entries. A contradicted call shows that Graph does not evaluate the filter; an unverified call is a gap.
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

// wholeRecords verifies participants by records that are read whole anyway, and by lighter requests where that fails.
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
