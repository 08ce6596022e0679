package timeline

import (
	"context"
	"encoding/base64"
	"errors"
	"slices"
	"sync"
	"time"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/internal/ledger"
	"github.com/parley-gateway/parley/resource"
	"github.com/parley-gateway/parley/timeline/cursor"
	"github.com/parley-gateway/parley/timeline/failure"
	"github.com/parley-gateway/parley/timeline/frame"
	"github.com/parley-gateway/parley/timeline/query"
	"github.com/parley-gateway/parley/timeline/tenant"
)

// tenantWalk is one call that walks over the users of a tenant. One goroutine runs it; each open user has a goroutine that reads the
// user's events and sends messages to it.
//
// Many users are read at a time, and few are delivered: only of users with a slot a part of the events may be out, so that a token has
// room for their positions. The other open users hold what they have read, within the account of the call, and are read again by a call
// that goes on. Memory is given to the first open user and to those with a slot in any case, so that the walk always moves.
type tenantWalk struct {
	engine    *Engine
	sources   query.Sources
	req       *query.Tenant
	requested []parleyv1.Source
	digest    []byte
	copies    *tenant.Copies // nil = events are not deduplicated

	position *cursor.Tenant // goes into tokens
	tally    tenant.Tally   // counts the finished users in the position

	take    func(*Batch) error
	emit    func(*TenantFrame) error
	account *ledger.Account

	cancel   context.CancelFunc
	group    sync.WaitGroup
	messages chan userMessage
	slots    chan struct{}
	ahead    *tenantAhead // nil = nothing is read ahead of users who are not open

	refusedToAll int // users in a row to whom Graph refused all for a reason that holds for everybody, although some source of theirs was known

	list    userList    // users that are left
	hasList bool        // list is known
	opened  []*openUser // in the order of their ids
	idBytes int         // of the ids of open users in a token

	out            outgoing
	notices        []*parleyv1.Notice
	noticesSent    int
	lastCheckpoint time.Time
	lastToken      string // of the last checkpoint
}

// outgoing is what goes out before the next checkpoint.
type outgoing struct {
	Batch

	size      int // bytes of the batch
	copies    []*parleyv1.EventCopy
	summaries []*parleyv1.UserSummary
	began     time.Time // when the first part came
}

// Bounds of what goes out before a checkpoint, beside the size of a batch.
const (
	maxSummaries = 256
	maxCopies    = 4096
)

func (o *outgoing) empty() bool { return o.size == 0 && len(o.copies) == 0 && len(o.summaries) == 0 }

func (o *outgoing) full() bool {
	return o.size >= frame.TargetBatch || len(o.summaries) >= maxSummaries || len(o.copies) >= maxCopies
}

// userMessage is a message of an open user: events with the position behind them, or the end.
type userMessage struct {
	user     *openUser
	pieces   []piece
	token    string
	progress []*parleyv1.SourceProgress

	done     bool
	complete bool
	reports  []*parleyv1.SourceReport
	err      error // what ended reading the user early; nil = nothing did
	stopped  error // why some sources of the user could not be read, if others were
}

// piece is a list of events of one source.
type piece struct {
	events []byte
	count  int
	source parleyv1.Source
}

// run emits all frames.
func (w *tenantWalk) run(ctx context.Context) error {
	if w.position.Finished {
		return w.finish()
	}
	w.lastCheckpoint = time.Now()
	timer := time.NewTimer(w.engine.cfg.Heartbeat)
	defer timer.Stop()
	lists := make(chan listResult, 1)
	w.group.Go(func() {
		list, err := w.listUsers(ctx)
		lists <- listResult{list, err}
	})
	for {
		if err := w.beginUsers(ctx); err != nil {
			return err
		}
		if w.hasList && len(w.opened) == 0 {
			return w.finish()
		}
		w.readAhead(ctx)
		timer.Reset(time.Until(w.nextCheckpoint()))
		var err error
		select {
		case list := <-lists:
			err = w.takeList(ctx, list)
		case message := <-w.messages:
			err = w.handle(message)
		case <-timer.C:
		case <-ctx.Done():
			err = ctx.Err()
		}
		if err == nil && !time.Now().Before(w.nextCheckpoint()) {
			err = w.checkpoint()
		}
		if err != nil {
			return err
		}
	}
}

// listResult is the list of the users, or the error of reading it.
type listResult struct {
	list userList
	err  error
}

// takeList takes the list of the users, and goes on with those of the token: first with those that have a slot.
func (w *tenantWalk) takeList(ctx context.Context, read listResult) error {
	if read.err != nil {
		return read.err
	}
	w.list, w.hasList = read.list, true
	w.position.DoubtfulUsers = w.position.DoubtfulUsers || read.list.doubtful
	w.notices = append(w.notices, read.list.notices...)
	for _, withToken := range []bool{true, false} { // a user without a token could take the slot of one that has it
		for i, user := range w.position.Open {
			if withToken != (len(user.Token) > 0) {
				continue
			}
			if err := w.open(ctx, read.list.toResume[i], user.Token); err != nil {
				return err
			}
		}
	}
	return nil
}

// beginUsers begins users while there is room for them.
func (w *tenantWalk) beginUsers(ctx context.Context) error {
	for w.hasList && len(w.list.toBegin) > 0 && len(w.opened) < cursor.MaxOpenUsers {
		next := w.list.toBegin[0]
		if len(w.opened) > 0 && (w.account.Full() || w.idBytes+cursor.IDSize(next.id) > cursor.MaxOpenIDs) {
			break
		}
		w.ahead.noteLeft(len(w.list.toBegin) - 1)
		if err := w.open(ctx, next, nil); err != nil {
			return err
		}
		w.list.toBegin, w.position.Begun = w.list.toBegin[1:], next.id
	}
	if len(w.opened) > 0 {
		w.opened[0].merger.ClaimMemory()
	}
	return nil
}

// nextCheckpoint returns the time at which a checkpoint must be sent.
func (w *tenantWalk) nextCheckpoint() time.Time {
	at := w.lastCheckpoint.Add(w.engine.cfg.Heartbeat)
	if w.out.empty() {
		return at
	}
	if waited := w.out.began.Add(batchLinger); waited.Before(at) {
		return waited
	}
	return at
}

// handle takes a message of an open user.
func (w *tenantWalk) handle(message userMessage) error {
	size := 0
	for _, p := range message.pieces {
		size += len(p.events)
	}
	if w.out.size > 0 && w.out.size+size > frame.MaxBatch {
		if err := w.checkpoint(); err != nil {
			return err
		}
	}
	if w.out.empty() {
		w.out.began = time.Now()
	}
	user := message.user
	for _, p := range message.pieces {
		if err := w.add(p); err != nil {
			return err
		}
	}
	if message.token != "" {
		raw, err := base64.RawURLEncoding.DecodeString(message.token)
		if err != nil {
			return err
		}
		user.token, user.progress = raw, message.progress
	}
	if message.done {
		if err := w.finishUser(message); err != nil {
			return err
		}
	}
	if w.out.full() {
		return w.checkpoint()
	}
	return nil
}

// add adds a piece to what goes out.
func (w *tenantWalk) add(p piece) error {
	parts, count := [][]byte{p.events}, p.count
	if w.copies != nil && tenant.HasCopies(p.source) {
		var copies []*parleyv1.EventCopy
		var err error
		if parts, count, copies, err = w.copies.Split(p.events); err != nil {
			return err
		}
		w.out.copies = append(w.out.copies, copies...)
	}
	for _, part := range parts {
		w.out.Pieces = append(w.out.Pieces, part)
		w.out.size += len(part)
	}
	w.out.Count += count
	w.out.BySource.add(p.source, count)
	return nil
}

// finishUser closes a user. A failure that holds for every user ends the walk before.
func (w *tenantWalk) finishUser(message userMessage) error {
	if failed, ok := errors.AsType[*failure.Error](message.err); ok && tenant.EndsWalk(failed.Reason) {
		return message.err
	}
	if message.stopped == nil || !tenant.RefusedToAll(message.reports) {
		w.refusedToAll = 0
	} else if w.refusedToAll++; w.refusedToAll > 1 { // a single user may be an odd one
		return message.stopped
	}
	user := message.user
	w.opened = slices.DeleteFunc(w.opened, func(other *openUser) bool { return other == user })
	w.idBytes -= cursor.IDSize(user.id)
	if user.hasSlot {
		<-w.slots
	}
	summary, missing := tenant.Summarize(resource.User(user.id), message.err, message.complete, message.reports)
	w.tally.Finish(summary, missing)
	w.out.summaries = append(w.out.summaries, summary)
	return nil
}

// checkpoint sends what goes out, and a checkpoint in any case.
func (w *tenantWalk) checkpoint() error {
	if err := w.flush(); err != nil {
		return err
	}
	token, err := w.token()
	if err != nil {
		return err
	}
	checkpoint := &parleyv1.TenantCheckpoint{ResumeToken: token, UsersFinished: w.tally.Ended(), UsersTotal: int64(w.list.total)}
	for _, user := range w.opened {
		if len(user.token) > 0 {
			checkpoint.Users = append(checkpoint.Users, &parleyv1.UserProgress{User: resource.User(user.id), Sources: user.progress})
		}
	}
	err = frame.Emit(w.emit, &TenantFrame{Frame: &parleyv1.StreamTenantEventsResponse_Checkpoint{Checkpoint: checkpoint}})
	w.lastToken, w.lastCheckpoint = token, time.Now()
	return err
}

// flush sends the notices, the events, the copies and the summaries of users that go out.
func (w *tenantWalk) flush() error {
	for ; w.noticesSent < len(w.notices); w.noticesSent++ {
		notice := &parleyv1.StreamTenantEventsResponse_Notice{Notice: w.notices[w.noticesSent]}
		if err := frame.Emit(w.emit, &TenantFrame{Frame: notice}); err != nil {
			return err
		}
	}
	if w.out.Count > 0 {
		if err := frame.Emit(w.take, &w.out.Batch); err != nil {
			return err
		}
	}
	if len(w.out.copies) > 0 {
		copies := &parleyv1.EventCopies{Copies: w.out.copies}
		if err := frame.Emit(w.emit, &TenantFrame{Frame: &parleyv1.StreamTenantEventsResponse_Copies{Copies: copies}}); err != nil {
			return err
		}
	}
	for _, summary := range w.out.summaries {
		if err := frame.Emit(w.emit, &TenantFrame{Frame: &parleyv1.StreamTenantEventsResponse_User{User: summary}}); err != nil {
			return err
		}
	}
	clear(w.out.Pieces)
	w.out = outgoing{Batch: Batch{Pieces: w.out.Pieces[:0]}}
	return nil
}

// token seals the position of the walk.
func (w *tenantWalk) token() (string, error) {
	if w.hasList {
		w.position.Open = w.position.Open[:0]
		for _, user := range w.opened {
			w.position.Open = append(w.position.Open, cursor.OpenUser{ID: user.id, Token: user.token})
		}
	} // until then those of the call's own token are still to come
	return w.position.Seal(w.engine.cfg.Sealer, w.digest)
}

// finish sends what is left and the summary.
func (w *tenantWalk) finish() error {
	if !w.out.empty() {
		if err := w.checkpoint(); err != nil {
			return err
		}
	}
	if err := w.flush(); err != nil {
		return err
	}
	w.position.Finished = true
	token, err := w.token()
	if err != nil {
		return err
	}
	summary := w.tally.Summary(w.requested)
	summary.Notices, summary.ResumeToken = w.notices, token
	return frame.Emit(w.emit, &TenantFrame{Frame: &parleyv1.StreamTenantEventsResponse_Summary{Summary: summary}})
}

// close stops all readings and waits for their end. What was read ahead stays for the call that goes on.
func (w *tenantWalk) close() {
	w.cancel()
	w.group.Wait()
	w.engine.closeAhead(w)
}
