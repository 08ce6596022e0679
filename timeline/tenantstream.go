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

// tenantStream is one call that walks over the users of a tenant. One goroutine runs it; each open user has a goroutine that reads the
// user's events and sends messages to it.
//
// Many users are read at a time, and few are delivered: only of users with a slot a part of the events may be out, so that a token has
// room for their positions. The other open users hold what they have read, within the account of the call, and are read again by a call
// that goes on. Memory is given to the first open user and to those with a slot in any case, so that the walk always moves.
type tenantStream struct {
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

	// refusedToAll counts the users in a row of whom Graph refused everything that it was asked (tenant.RefusedToAll): their calls, which came
	// from the index, kept their walks from failing.
	refusedToAll int

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
	runs     []sourceRun
	token    string
	progress []*parleyv1.SourceProgress

	done     bool
	complete bool
	reports  []*parleyv1.SourceReport
	err      error // what ended reading the user early; nil = nothing did
	stopped  error // why some sources of the user could not be read, if others were
}

// sourceRun is a list of events of one source.
type sourceRun struct {
	events []byte
	count  int
	source parleyv1.Source
}

// run emits all frames.
func (s *tenantStream) run(ctx context.Context) error {
	if s.position.Finished {
		return s.finish()
	}
	s.lastCheckpoint = time.Now()
	timer := time.NewTimer(s.engine.cfg.Heartbeat)
	defer timer.Stop()
	lists := make(chan listResult, 1)
	s.group.Go(func() {
		list, err := s.listUsers(ctx)
		lists <- listResult{list, err}
	})
	for {
		if err := s.beginUsers(ctx); err != nil {
			return err
		}
		if s.hasList && len(s.opened) == 0 {
			return s.finish()
		}
		s.readAhead(ctx)
		timer.Reset(time.Until(s.nextCheckpoint()))
		var err error
		select {
		case list := <-lists:
			err = s.takeList(ctx, list)
		case message := <-s.messages:
			err = s.handle(message)
		case <-timer.C:
		case <-ctx.Done():
			err = ctx.Err()
		}
		if err == nil && !time.Now().Before(s.nextCheckpoint()) {
			err = s.checkpoint()
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
func (s *tenantStream) takeList(ctx context.Context, read listResult) error {
	if read.err != nil {
		return read.err
	}
	s.list, s.hasList = read.list, true
	s.position.DoubtfulUsers = s.position.DoubtfulUsers || read.list.doubtful
	s.notices = append(s.notices, read.list.notices...)
	for _, withToken := range []bool{true, false} { // a user without a token could take the slot of one that has it
		for i, user := range s.position.Open {
			if withToken != (len(user.Token) > 0) {
				continue
			}
			if err := s.open(ctx, read.list.toResume[i], user.Token); err != nil {
				return err
			}
		}
	}
	return nil
}

// beginUsers begins users while there is room for them.
func (s *tenantStream) beginUsers(ctx context.Context) error {
	for s.hasList && len(s.list.toBegin) > 0 && len(s.opened) < cursor.MaxOpenUsers {
		next := s.list.toBegin[0]
		if len(s.opened) > 0 && (s.account.Full() || s.idBytes+cursor.IDSize(next.id) > cursor.MaxOpenIDs) {
			break
		}
		s.ahead.noteLeft(len(s.list.toBegin) - 1)
		if err := s.open(ctx, next, nil); err != nil {
			return err
		}
		s.list.toBegin, s.position.Begun = s.list.toBegin[1:], next.id
	}
	if len(s.opened) > 0 {
		s.opened[0].merger.ClaimMemory()
	}
	return nil
}

// nextCheckpoint returns the time at which a checkpoint must be sent.
func (s *tenantStream) nextCheckpoint() time.Time {
	at := s.lastCheckpoint.Add(s.engine.cfg.Heartbeat)
	if s.out.empty() {
		return at
	}
	if waited := s.out.began.Add(batchLinger); waited.Before(at) {
		return waited
	}
	return at
}

// handle takes a message of an open user.
func (s *tenantStream) handle(message userMessage) error {
	size := 0
	for _, p := range message.runs {
		size += len(p.events)
	}
	if s.out.size > 0 && s.out.size+size > frame.MaxBatch {
		if err := s.checkpoint(); err != nil {
			return err
		}
	}
	if s.out.empty() {
		s.out.began = time.Now()
	}
	user := message.user
	for _, p := range message.runs {
		if err := s.add(p); err != nil {
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
		if err := s.finishUser(message); err != nil {
			return err
		}
	}
	if s.out.full() {
		return s.checkpoint()
	}
	return nil
}

// add adds a run to what goes out.
func (s *tenantStream) add(p sourceRun) error {
	parts, count := [][]byte{p.events}, p.count
	if s.copies != nil && tenant.HasCopies(p.source) {
		var copies []*parleyv1.EventCopy
		var err error
		if parts, count, copies, err = s.copies.Split(p.events); err != nil {
			return err
		}
		s.out.copies = append(s.out.copies, copies...)
	}
	for _, part := range parts {
		s.out.Runs = append(s.out.Runs, part)
		s.out.size += len(part)
	}
	s.out.Count += count
	s.out.BySource.add(p.source, count)
	return nil
}

// finishUser closes a user. A failure that holds for every user ends the walk before.
func (s *tenantStream) finishUser(message userMessage) error {
	if failed, ok := errors.AsType[*failure.Error](message.err); ok && tenant.EndsWalk(failed.Reason) {
		return message.err
	}
	if message.stopped == nil || !tenant.RefusedToAll(message.reports) {
		s.refusedToAll = 0
	} else if s.refusedToAll++; s.refusedToAll > 1 { // a single user may be an odd one
		return message.stopped
	}
	user := message.user
	s.opened = slices.DeleteFunc(s.opened, func(other *openUser) bool { return other == user })
	s.idBytes -= cursor.IDSize(user.id)
	if user.hasSlot {
		<-s.slots
	}
	summary, missing := tenant.Summarize(resource.User(user.id), message.err, message.complete, message.reports)
	s.tally.Finish(summary, missing)
	s.out.summaries = append(s.out.summaries, summary)
	return nil
}

// checkpoint sends what goes out, and a checkpoint in any case.
func (s *tenantStream) checkpoint() error {
	if err := s.flush(); err != nil {
		return err
	}
	token, err := s.token()
	if err != nil {
		return err
	}
	checkpoint := &parleyv1.TenantCheckpoint{ResumeToken: token, UsersFinished: s.tally.Ended(), UsersTotal: int64(s.list.total)}
	for _, user := range s.opened {
		if len(user.token) > 0 {
			checkpoint.Users = append(checkpoint.Users, &parleyv1.UserProgress{User: resource.User(user.id), Sources: user.progress})
		}
	}
	err = frame.Emit(s.emit, &TenantFrame{Frame: &parleyv1.StreamTenantEventsResponse_Checkpoint{Checkpoint: checkpoint}})
	s.lastToken, s.lastCheckpoint = token, time.Now()
	return err
}

// flush sends the notices, the events, the copies and the summaries of users that go out.
func (s *tenantStream) flush() error {
	for ; s.noticesSent < len(s.notices); s.noticesSent++ {
		notice := &parleyv1.StreamTenantEventsResponse_Notice{Notice: s.notices[s.noticesSent]}
		if err := frame.Emit(s.emit, &TenantFrame{Frame: notice}); err != nil {
			return err
		}
	}
	if s.out.Count > 0 {
		if err := frame.Emit(s.take, &s.out.Batch); err != nil {
			return err
		}
	}
	if len(s.out.copies) > 0 {
		copies := &parleyv1.EventCopies{Copies: s.out.copies}
		if err := frame.Emit(s.emit, &TenantFrame{Frame: &parleyv1.StreamTenantEventsResponse_Copies{Copies: copies}}); err != nil {
			return err
		}
	}
	for _, summary := range s.out.summaries {
		if err := frame.Emit(s.emit, &TenantFrame{Frame: &parleyv1.StreamTenantEventsResponse_User{User: summary}}); err != nil {
			return err
		}
	}
	clear(s.out.Runs)
	s.out = outgoing{Batch: Batch{Runs: s.out.Runs[:0]}}
	return nil
}

// token seals the position of the walk.
func (s *tenantStream) token() (string, error) {
	if s.hasList {
		s.position.Open = s.position.Open[:0]
		for _, user := range s.opened {
			s.position.Open = append(s.position.Open, cursor.OpenUser{ID: user.id, Token: user.token})
		}
	} // until then those of the call's own token are still to come
	return s.position.Seal(s.engine.cfg.Sealer, s.digest)
}

// finish sends what is left and the summary.
func (s *tenantStream) finish() error {
	if !s.out.empty() {
		if err := s.checkpoint(); err != nil {
			return err
		}
	}
	if err := s.flush(); err != nil {
		return err
	}
	s.position.Finished = true
	token, err := s.token()
	if err != nil {
		return err
	}
	summary := s.tally.Summary(s.requested)
	summary.Notices, summary.ResumeToken = s.notices, token
	return frame.Emit(s.emit, &TenantFrame{Frame: &parleyv1.StreamTenantEventsResponse_Summary{Summary: summary}})
}

// close stops all readings and waits for their end. What was read ahead stays for the call that goes on.
func (s *tenantStream) close() {
	s.cancel()
	s.group.Wait()
	s.engine.closeAhead(s)
}
