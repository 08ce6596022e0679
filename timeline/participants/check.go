// Package participants decides which listed calls are a user's. Graph's filter by participant is not reliable: the row of a call
// decides, or its record where the row does not suffice. Package merge above it asks before it delivers a call; below it,
// source.ParticipantVerifier reads the record.
package participants

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/source"
	"github.com/parley-gateway/parley/timeline/chunk"
	"github.com/parley-gateway/parley/timeline/failure"
	"github.com/parley-gateway/parley/timeline/fetch"
	"github.com/parley-gateway/parley/timeline/window"
)

// Graph has no list of a user's calls, only a filter by participant, which it does not always evaluate. So the rows of the listed calls
// decide, and their records where the rows do not suffice.
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

// Check decides which listed calls are the user's.
type Check struct {
	user    string
	lower   []byte // user in lower case
	Strict  bool
	Records source.ParticipantVerifier // nil = only rows can verify
	canary  *Canary
}

// NewCheck returns the check of a user's calls. records verifies participants by their records; nil = only rows can verify.
func NewCheck(user string, strict bool, records source.ParticipantVerifier, canary *Canary) *Check {
	return &Check{user: user, lower: bytes.ToLower([]byte(user)), Strict: strict, Records: records, canary: canary}
}

// IsDecided reports whether the calls of a cached chunk need no further check.
func (check *Check) IsDecided(s *chunk.Chunk) bool {
	if check == nil {
		return true
	}
	if check.Strict {
		return s.Participants.AllVerified.Load()
	}
	claim, known := s.Participants.KnownClaim()
	return known && (claim == chunk.ClaimsUser || claim == chunk.ClaimsOrganizer && check.canary.trusted())
}

// Verify leaves out the calls of a result that are not the user's, and adds gaps for doubts. readWhole says that the records of all calls
// are read anyway. It reports whether Graph sent calls of others.
func (check *Check) Verify(ctx context.Context, reader *fetch.Reader, res *fetch.Result, readWhole bool) (contradicted bool) {
	switch {
	case check == nil || res.Reread.Split() || res.Chunk == nil || check.Strict && res.Chunk.Participants.AllVerified.Load():
	case check.Strict:
		return check.verifyStrictly(ctx, reader, res)
	case !readWhole:
		claim := check.claim(res)
		if claim == chunk.ClaimsOthers || claim == chunk.ClaimsOrganizer && !check.canary.honours(ctx, reader, res.Span) {
			contradicted = true
			res.Gaps = window.AddGap(slices.Clone(res.Gaps), window.Gap{Span: res.Span, Reason: parleyv1.ErrorReason_ERROR_REASON_PARTICIPANT_NOT_HONOURED})
		}
	}
	return contradicted
}

// verifyStrictly keeps the verified calls of a result. A window that needs very many records is read in pieces, so that its first calls
// do not wait for all records.
func (check *Check) verifyStrictly(ctx context.Context, reader *fetch.Reader, res *fetch.Result) (contradicted bool) {
	found, open := check.verifyByRows(res)
	if len(open) > maxRecords && res.Failed == nil && res.IsDivisible() {
		res.Reread, res.Entries, res.Rows = fetch.InPieces, nil, 0
		return false
	}
	if failed := check.verifyByRecords(ctx, reader, res, found, open); failed != nil {
		res.Failed, res.Entries = failed, nil
		return false
	}
	participants := &res.Chunk.Participants
	res.Chunk.CountParticipants()
	if len(res.Entries) == len(res.Chunk.Entries) && !slices.ContainsFunc(found, func(is chunk.Participation) bool { return is != chunk.Participates }) {
		participants.AllVerified.Store(true)
	}
	keepVerified(res, found)
	return slices.Contains(found, chunk.Contradicted)
}

// claim returns what the rows of a result's chunk claim.
func (check *Check) claim(res *fetch.Result) chunk.Claim {
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

// verifyByRows verifies calls by their rows and by records that were read before. It returns the indexes of the entries that need a record as open.
func (check *Check) verifyByRows(res *fetch.Result) (found []chunk.Participation, open []int) {
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
		if check.Records != nil {
			open = append(open, i)
		}
	}
	return found, open
}

// verifyByRecords verifies the open entries by their records. After a failure of the source no entry can be verified.
func (check *Check) verifyByRecords(ctx context.Context, reader *fetch.Reader, res *fetch.Result, found []chunk.Participation, open []int) *failure.Failure {
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
			err = check.Records.VerifyParticipant(ctx, check.user, source.Ref{Source: reader.Source, ID: event.GetSource().GetId(), Version: e.Version})
			reader.CountRecord(err)
			switch {
			case err == nil:
				found[i] = participants.Put(e.Key, chunk.Participates)
			case errors.Is(err, source.ErrNotParticipant):
				found[i] = participants.Put(e.Key, chunk.Contradicted)
			default:
				if f := failure.Classify(err); f.Ends() {
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

// keepVerified keeps the verified entries. An unverified call is a gap.
func keepVerified(res *fetch.Result, found []chunk.Participation) {
	if slices.Contains(found, chunk.Unverified) {
		res.Gaps = window.AddGap(slices.Clone(res.Gaps), window.Gap{Span: res.Span, Reason: parleyv1.ErrorReason_ERROR_REASON_PARTICIPATION_NOT_PROVED})
	}
	verified := make([]chunk.Entry, 0, len(res.Entries))
	for i := range res.Entries {
		if found[i] == chunk.Participates {
			verified = append(verified, res.Entries[i])
		}
	}
	res.Entries = verified
}
