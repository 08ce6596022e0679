package timeline

import (
	"cmp"
	"context"
	"encoding/base64"
	"slices"
	"time"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/source"
	"github.com/parley-gateway/parley/timeline/cursor"
	"github.com/parley-gateway/parley/timeline/failure"
	"github.com/parley-gateway/parley/timeline/frame"
	"github.com/parley-gateway/parley/timeline/merge"
	"github.com/parley-gateway/parley/timeline/query"
	"github.com/parley-gateway/parley/timeline/tenant"
	"github.com/parley-gateway/parley/timeline/window"
)

// TenantFrame is a frame of a stream over the users of a tenant.
type TenantFrame = parleyv1.StreamTenantEventsResponse

// StreamTenantBatches emits the events of many users as frames: take receives the batches of encoded events, and emit all other frames.
// Users are begun in the order of their ids, and up to cursor.MaxOpenUsers of them are read at a time. After the first checkpoint errors
// are *failure.StreamError; an error of take or emit is returned as it is.
func (e *Engine) StreamTenantBatches(
	ctx context.Context, sources query.Sources, req query.Tenant, token string, take func(*Batch) error, emit func(*TenantFrame) error,
) error {
	ctx = source.WithPriority(ctx, source.Patient)
	s := &tenantStream{
		engine: e, sources: sources, req: &req, take: take, emit: emit,
		messages: make(chan userMessage), slots: make(chan struct{}, cursor.MaxStartedUsers),
	}
	err := s.begin(token)
	if err != nil {
		return err
	}
	if s.position.Finished && req.Reconnect {
		return nil
	}
	account, release := e.account(ctx)
	defer release()
	s.account = account
	account.Add(frame.TargetBatch) // a batch is on its way
	defer account.Add(-frame.TargetBatch)
	if s.ahead, err = e.openAhead(s, token); err != nil {
		return err
	}
	ctx, s.cancel = context.WithCancel(ctx)
	defer s.close()
	return frame.WithResumeToken(s.run(ctx), s.lastToken)
}

// begin begins the walk, or goes on from a token.
func (s *tenantStream) begin(token string) error {
	to, err := s.req.ResolveTenant(s.sources)
	if err != nil {
		return err
	}
	s.requested, s.digest = to.Sources, to.Digest[:]
	if !s.req.HasReadableSource(s.requested) {
		return &failure.Error{Reason: parleyv1.ErrorReason_ERROR_REASON_SOURCE_NOT_IN_CLOUD, Source: s.requested[0]}
	}
	if err := s.req.CheckFilter(); err != nil {
		return err
	}
	if s.req.Deduplicate {
		s.copies = tenant.NewCopies()
	}
	if token != "" {
		saved, err := cursor.OpenTenant(s.engine.cfg.Sealer, token, s.digest)
		if err != nil {
			return cursor.Refusal(err, "resume_token")
		}
		if len(saved.Totals) != len(s.requested) {
			return failure.TokenRefused("resume_token")
		}
		s.setPosition(saved)
		return nil
	}
	now := time.Now().UTC()
	if err := s.req.Check(now); err != nil {
		return err
	}
	_, end, cut := s.req.Interval(now, window.Earlier(now, now.Add(-s.sources.ClockSkew())))
	if cut {
		s.notices = append(s.notices, query.EndCut())
	}
	s.setPosition(&cursor.Tenant{End: end, Totals: make([]cursor.Total, len(s.requested))})
	return nil
}

// setPosition sets the position that the walk moves on, and in which its users are counted.
func (s *tenantStream) setPosition(position *cursor.Tenant) {
	s.position, s.tally = position, tenant.Tally{Tenant: position}
}

// ofUser is the request for the events of one user of the walk.
func (s *tenantStream) ofUser(id string) query.Events {
	q := s.req.OfUser(id)
	q.End, q.ManyUsers = s.position.End, true
	return q
}

// open begins to read a user, or goes on with one whose token is not empty.
func (s *tenantStream) open(ctx context.Context, listed listedUser, token []byte) error {
	id := listed.id
	q := s.ofUser(id)
	if listed.lacksPlan {
		q.Plan = s.req.Plan(id)
	}
	resolved, err := q.Resolve(s.sources)
	if err != nil {
		return err
	}
	text := ""
	if len(token) > 0 {
		text = base64.RawURLEncoding.EncodeToString(token)
	}
	m, err := merge.Open(ctx, &s.engine.merge, s.sources, &q, resolved, text, "resume_token")
	if err != nil {
		return err
	}
	m.Limit(s.engine.cfg.WindowsAtOnce, usualStreamRows, s.account)
	m.ReadWhole(s.sources)
	m.YieldMemory()
	if len(token) == 0 {
		s.ahead.use(m, id)
	}
	user := &openUser{id: id, stream: s, merger: m, token: token}
	if len(token) > 0 {
		select {
		case s.slots <- struct{}{}:
			user.hasSlot = true
			m.ClaimMemory()
		default: // no token has more of them than there are slots
			m.Close()
			return failure.TokenRefused("resume_token")
		}
	}
	at, _ := slices.BinarySearchFunc(s.opened, user, func(a, b *openUser) int { return cmp.Compare(a.id, b.id) })
	s.opened = slices.Insert(s.opened, at, user)
	s.idBytes += cursor.IDSize(id)
	s.group.Go(func() { user.run(ctx) })
	return nil
}
