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
	w := &tenantWalk{
		engine: e, sources: sources, req: &req, take: take, emit: emit,
		messages: make(chan userMessage), slots: make(chan struct{}, cursor.MaxStartedUsers),
	}
	err := w.begin(token)
	if err != nil {
		return err
	}
	if w.position.Finished && req.Reconnect {
		return nil
	}
	account, release := e.account(ctx)
	defer release()
	w.account = account
	account.Add(frame.TargetBatch) // a batch is on its way
	defer account.Add(-frame.TargetBatch)
	ctx, w.cancel = context.WithCancel(ctx)
	if w.ahead, err = e.openAhead(w, token != ""); err != nil {
		return err
	}
	defer w.close()
	return frame.WithResumeToken(w.run(ctx), w.lastToken)
}

// begin begins the walk, or goes on from a token.
func (w *tenantWalk) begin(token string) error {
	to, err := w.req.ResolveTenant(w.sources)
	if err != nil {
		return err
	}
	w.requested, w.digest = to.Sources, to.Digest[:]
	if !w.req.HasReadableSource(w.requested) {
		return &failure.Error{Reason: parleyv1.ErrorReason_ERROR_REASON_SOURCE_NOT_IN_CLOUD, Source: w.requested[0]}
	}
	if err := w.req.CheckFilter(); err != nil {
		return err
	}
	if w.req.Deduplicate {
		w.copies = tenant.NewCopies()
	}
	if token != "" {
		saved, err := cursor.OpenTenant(w.engine.cfg.Sealer, token, w.digest)
		if err != nil {
			return cursor.Refusal(err, "resume_token")
		}
		if len(saved.Totals) != len(w.requested) {
			return failure.TokenRefused("resume_token")
		}
		w.setPosition(saved)
		return nil
	}
	now := time.Now().UTC()
	if err := w.req.Check(now); err != nil {
		return err
	}
	_, end, cut := w.req.Interval(now, window.Earlier(now, now.Add(-w.sources.ClockAhead())))
	if cut {
		w.notices = append(w.notices, query.EndCut())
	}
	w.setPosition(&cursor.Tenant{End: end, Totals: make([]cursor.Total, len(w.requested))})
	return nil
}

// setPosition sets the position that the walk moves on, and in which its users are counted.
func (w *tenantWalk) setPosition(position *cursor.Tenant) {
	w.position, w.tally = position, tenant.Tally{Tenant: position}
}

// ofUser is the request for the events of one user of the walk.
func (w *tenantWalk) ofUser(listed listedUser) query.Events {
	q := w.req.OfUser(listed.id)
	q.End, q.Plan, q.ManyUsers = w.position.End, listed.plan, true
	return q
}

// open begins to read a user, or goes on with one whose token is not empty.
func (w *tenantWalk) open(ctx context.Context, listed listedUser, token []byte) error {
	id := listed.id
	q := w.ofUser(listed)
	resolved, err := q.Resolve(w.sources)
	if err != nil {
		return err
	}
	text := ""
	if len(token) > 0 {
		text = base64.RawURLEncoding.EncodeToString(token)
	}
	m, err := merge.Open(ctx, &w.engine.merge, w.sources, &q, resolved, text, "resume_token")
	if err != nil {
		return err
	}
	m.Limit(w.engine.cfg.Ahead, usualAhead, w.account)
	m.ReadWhole(w.sources)
	m.YieldMemory()
	if len(token) == 0 {
		w.ahead.use(m, id)
	}
	user := &openUser{id: id, walk: w, merger: m, token: token}
	if len(token) > 0 {
		select {
		case w.slots <- struct{}{}:
			user.hasSlot = true
			m.ClaimMemory()
		default: // no token has more of them than there are slots
			m.Close()
			return failure.TokenRefused("resume_token")
		}
	}
	at, _ := slices.BinarySearchFunc(w.opened, user, func(a, b *openUser) int { return cmp.Compare(a.id, b.id) })
	w.opened = slices.Insert(w.opened, at, user)
	w.idBytes += cursor.IDSize(id)
	w.group.Go(func() { user.run(ctx) })
	return nil
}
