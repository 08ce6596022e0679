package pager

import (
	"context"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/internal/reasons"
	"github.com/parley-gateway/parley/resource"
	"github.com/parley-gateway/parley/source"
	"github.com/parley-gateway/parley/timeline/chunk"
	"github.com/parley-gateway/parley/timeline/cursor"
	"github.com/parley-gateway/parley/timeline/derived"
	"github.com/parley-gateway/parley/timeline/failure"
	"github.com/parley-gateway/parley/timeline/filter"
	"github.com/parley-gateway/parley/timeline/frame"
	"github.com/parley-gateway/parley/timeline/query"
)

// A walk over conversations of several kinds goes through the chats first, as one chain of pages, and then through the conversations
// that are derived from events. These need all events of the interval before the first of them is known, since each tells its counts. So
// every call that comes to them reads the interval, whose windows are cached, and groups it anew; the token holds the position of the last
// conversation in their order. The order is by the last event. Ascending, an event that comes late moves its conversation on, never
// back before that position. Newest first it moves it before the position, where it would be lost if it was not delivered yet. So the token also
// holds a sum of the conversations that were delivered. When others lie before the position than the sum says, the derived conversations
// begin again, once. After a second time the list is not complete.

// Derivation is what one reading of the interval gave.
type Derivation struct {
	// Conversations are in the order of derived.Compare.
	Conversations []*parleyv1.Conversation
	// Reports are the reports of the sources, in their order, and Notices what is to know about them.
	Reports []*parleyv1.SourceReport
	Notices []*parleyv1.Notice
	// Complete says that every source was read without a doubt.
	Complete bool
	// Err is why no source could be read; nil = one was.
	Err error
}

// Deriver reads the events of a request up to an end.
type Deriver func(ctx context.Context, sources query.Sources, req *query.Conversations, end time.Time) (*Derivation, error)

// conversationRows is the rows and the report of a list of conversations of several kinds.
type conversationRows struct {
	cfg     *Config
	req     *query.Conversations
	sources query.Sources
	filter  *filter.Filter

	chats     *pager[*parleyv1.Conversation] // the token is its position, sealed; its pages are not read where no chats are asked for
	hasChats  bool                           // chats are asked for
	pos       *cursor.Derived
	fromStart bool            // this call has seen all chats that its walk handed out
	known     map[string]bool // names of the chats that this call saw

	reading *deriving // nil = nothing is being read
	found   *Derivation
	rows    []*parleyv1.Conversation // what is left to deliver
	notices []*parleyv1.Notice
	err     error
}

// deriving is a reading of the interval.
type deriving struct {
	done   chan error
	cancel context.CancelFunc
	found  *Derivation
	rows   []*parleyv1.Conversation
	doubts []cursor.Doubt
	moved  bool // other conversations lie before the position than were delivered; rows are then all of them
}

// openConversationRows opens the rows at their beginning, or at the position of a token.
func (l *Lister) openConversationRows(sources query.Sources, req *query.Conversations, token, field string) (*conversationRows, error) {
	chats, err := l.conversations(sources, req, token, field)
	if err != nil {
		return nil, err
	}
	compiled, err := req.CompileFilter()
	if err != nil {
		return nil, err
	}
	r := &conversationRows{
		cfg: &l.cfg, req: req, sources: sources, filter: compiled, chats: chats, hasChats: req.HasChats(),
		pos: chats.position.Derived, fromStart: token == "" && req.Filter == "", known: map[string]bool{},
	}
	if token != "" {
		if r.pos == nil || len(r.pos.Counts) != len(req.Derived()) {
			return nil, failure.TokenRefused(field)
		}
		return r, nil
	}
	now := time.Now().UTC()
	events := req.Events(req.Derived()[0], req.End)
	if err := events.Check(now); err != nil {
		return nil, err
	}
	_, end, cut := events.Interval(now, now.Add(-max(sources.ClockSkew(), 0)))
	if cut {
		r.notices = append(r.notices, query.EndCut())
	}
	r.pos = &cursor.Derived{End: end, Counts: make([]cursor.Counts, len(req.Derived()))}
	chats.position.Derived = r.pos
	chats.position.Finished = !r.hasChats
	return r, nil
}

// inChats reports whether the chats are not at their end. While a page of them is read they are not, and their position is left alone.
func (r *conversationRows) inChats() bool {
	return r.hasChats && r.pos.ChatsState == parleyv1.SourceState_SOURCE_STATE_UNSPECIFIED && (r.chats.loading != nil || !r.chats.position.Finished)
}

// Step implements frame.Rows.
func (r *conversationRows) Step() frame.State {
	if r.err != nil {
		return frame.Broken
	}
	if r.inChats() {
		switch state := r.chats.Step(); state {
		case frame.Ended:
		case frame.Broken:
			r.skipChats(r.chats.Err())
		default:
			return state
		}
	}
	switch {
	case r.err != nil:
		return frame.Broken
	case r.pos.Finished:
		return frame.Ended
	case r.found == nil:
		return frame.Waiting
	case len(r.rows) > 0:
		return frame.Ready
	default:
		r.pos.Finished = true
		return frame.Ended
	}
}

// skipChats goes on without chats that cannot be read.
func (r *conversationRows) skipChats(err error) {
	f := failureOf(err)
	r.pos.ChatsState, r.pos.ChatsReason = f.State, f.Reason
	r.notices = append(r.notices, failure.Notice(parleyv1.Source_SOURCE_CONVERSATION, f.Reason, f.Err))
}

// Err implements frame.Rows.
func (r *conversationRows) Err() error { return r.err }

// Wait implements frame.Rows.
func (r *conversationRows) Wait(ctx context.Context, timer <-chan time.Time) error {
	if r.inChats() {
		return r.chats.Wait(ctx, timer)
	}
	if r.reading == nil {
		ctx, cancel := context.WithCancel(ctx)
		d := &deriving{done: make(chan error, 1), cancel: cancel}
		r.reading = d
		go func() { d.done <- r.read(ctx, d) }()
	}
	select {
	case err := <-r.reading.done:
		return r.take(err)
	case <-timer:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// take takes over what was read.
func (r *conversationRows) take(err error) error {
	d := r.reading
	d.cancel()
	r.reading = nil
	if failure.IsContext(err) {
		return err
	}
	if err != nil {
		r.err = err
		return nil //nolint:nilerr // Err returns it
	}
	r.found, r.rows = d.found, d.rows
	if d.moved {
		r.beginAgain()
	}
	for _, doubt := range d.doubts {
		r.pos.AddDoubt(doubt)
	}
	if r.found.Err != nil && (!r.hasChats || r.pos.ChatsState != parleyv1.SourceState_SOURCE_STATE_UNSPECIFIED) {
		r.err = r.found.Err
		return nil
	}
	r.notices = append(r.notices, r.found.Notices...)
	for i, report := range r.found.Reports {
		c, counts := &r.pos.Counts[i], report.GetCounts()
		c.Pages += counts.GetPages()
		c.FromCache += counts.GetFromCache()
		c.Requests += counts.GetGraphRequests()
		for _, gap := range report.GetGaps() {
			r.addDoubt(report, gap.GetReason())
		}
		if report.GetState() != parleyv1.SourceState_SOURCE_STATE_READ {
			r.addDoubt(report, report.GetReason())
		}
	}
	return nil
}

func (r *conversationRows) addDoubt(report *parleyv1.SourceReport, reason string) {
	r.pos.AddDoubt(cursor.Doubt{Source: report.GetSource(), Reason: reasons.Parse(reason)})
}

// beginAgain goes back before the first derived conversation.
func (r *conversationRows) beginAgain() {
	r.pos.Restarted, r.pos.Last, r.pos.Key, r.pos.Delivered = true, time.Time{}, "", 0
	for i := range r.pos.Counts {
		r.pos.Counts[i].Events = 0
	}
	r.notices = append(r.notices, &parleyv1.Notice{
		Code: reasons.Code(parleyv1.NoticeCode_NOTICE_CODE_RESTARTED),
		Message: "Events came late and moved conversations to before the position of the token; the Copilot conversations and calls began again, so that rows " +
			"may come a second time",
	})
}

// read reads the interval, and leaves out the conversations that were delivered, do not match, or are chats. It belongs to the goroutine
// of a deriving; r changes nothing meanwhile.
func (r *conversationRows) read(ctx context.Context, d *deriving) error {
	found, err := r.cfg.Derive(ctx, r.sources, r.req, r.pos.End)
	if err != nil {
		return err
	}
	d.found = found
	rows := slices.Clone(found.Conversations)
	if r.req.ByLastMessage {
		slices.Reverse(rows)
	}
	comparing := r.req.ByLastMessage && !r.pos.Last.IsZero() && found.Complete && len(r.pos.Doubts) == 0
	rows = slices.DeleteFunc(rows, func(c *parleyv1.Conversation) bool {
		return !comparing && r.passed(c) || r.filter.Match(c) != filter.True
	})
	if r.hasChats && r.pos.ChatsState == parleyv1.SourceState_SOURCE_STATE_UNSPECIFIED && slices.ContainsFunc(rows, mayBeChat) {
		chats, err := r.allChats(ctx, d)
		if err != nil {
			return err
		}
		rows = slices.DeleteFunc(rows, func(c *parleyv1.Conversation) bool { return chats[c.GetName()] })
	}
	if comparing {
		rows = r.compare(d, rows)
	}
	d.rows = rows
	return nil
}

// compare compares the conversations before the position with those that were delivered. It returns the ones after the position, or all
// of them when the walk is to begin again.
func (r *conversationRows) compare(d *deriving, rows []*parleyv1.Conversation) []*parleyv1.Conversation {
	after, before := 0, uint64(0)
	for ; after < len(rows) && r.passed(rows[after]); after++ {
		before += chunk.Hash(rows[after].GetName(), 0)
	}
	switch {
	case before == r.pos.Delivered:
	case !r.pos.Restarted:
		d.moved = true
		return rows
	default:
		for _, src := range r.req.Derived() {
			d.doubts = append(d.doubts, cursor.Doubt{Source: src, Reason: parleyv1.ErrorReason_ERROR_REASON_LIST_CHANGED})
		}
		d.found.Notices = append(d.found.Notices, failure.Notice(r.req.Derived()[0], parleyv1.ErrorReason_ERROR_REASON_LIST_CHANGED, nil))
	}
	return rows[after:]
}

// passed reports whether a conversation lies before the position.
func (r *conversationRows) passed(c *parleyv1.Conversation) bool {
	if r.pos.Last.IsZero() {
		return false
	}
	order := derived.Last(c).Compare(r.pos.Last)
	if order == 0 {
		order = strings.Compare(derived.Key(c), r.pos.Key)
	}
	if r.req.ByLastMessage {
		return order >= 0
	}
	return order <= 0
}

// mayBeChat reports whether a derived conversation has an id that a chat can have.
func mayBeChat(c *parleyv1.Conversation) bool {
	_, id, err := resource.ParseConversation(c.GetName())
	return err == nil && (strings.Contains(id, "@") || source.EveryUserHas(id))
}

// allChats returns the names of all the user's chats: those that this call has seen, or else the list read once more. Pages that were
// just read come from the cache. A list that cannot be read to its end is a doubt.
func (r *conversationRows) allChats(ctx context.Context, d *deriving) (map[string]bool, error) {
	if r.fromStart {
		return r.known, nil
	}
	chats := map[string]bool{}
	ask := source.ConversationQuery{Owner: r.req.Owner, User: r.req.User}
	err := EachChat(ctx, r.sources.Conversations, ask, r.cfg.MaxPages, func(chat *parleyv1.Conversation) bool {
		chats[chat.GetName()] = true
		return true
	})
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		d.doubts = append(d.doubts, cursor.Doubt{Source: parleyv1.Source_SOURCE_CONVERSATION, Reason: failureOf(err).Reason})
		d.found.Notices = append(d.found.Notices, ChatsNotice(err))
	}
	return chats, nil
}

// next returns the next row.
func (r *conversationRows) next() (*parleyv1.Conversation, bool) {
	if r.inChats() {
		return r.chats.next()
	}
	if len(r.rows) == 0 {
		return nil, false
	}
	return r.rows[0], true
}

// deliver moves the position after the next row.
func (r *conversationRows) deliver() {
	if r.inChats() {
		if chat, ok := r.chats.next(); ok {
			r.known[chat.GetName()] = true
		}
		r.chats.deliver()
		return
	}
	row := r.rows[0]
	r.rows = r.rows[1:]
	r.pos.Last, r.pos.Key = derived.Last(row), derived.Key(row)
	if r.req.ByLastMessage {
		r.pos.Delivered += chunk.Hash(row.GetName(), 0)
	}
	for i, src := range r.req.Derived() {
		if src == sourceOf(row) {
			r.pos.Counts[i].Events++
			return
		}
	}
}

// sourceOf is the source that a derived conversation counts for.
func sourceOf(c *parleyv1.Conversation) parleyv1.Source {
	if c.GetKind() == parleyv1.ConversationKind_CONVERSATION_KIND_CALL {
		return parleyv1.Source_SOURCE_CALL
	}
	return parleyv1.Source_SOURCE_COPILOT
}

func (r *conversationRows) token() (string, error) { return r.chats.token() }

func (r *conversationRows) finished() bool { return r.pos.Finished && !r.inChats() }

// mayHoldMore reports whether a full page has a token although nothing more was looked for. Among the derived conversations it is always so.
func (r *conversationRows) mayHoldMore() bool { return !r.inChats() || r.chats.mayHoldMore() }

func (r *conversationRows) close() {
	r.chats.close()
	if r.reading != nil {
		r.reading.cancel()
		<-r.reading.done //nolint:errcheck // nobody waits for the reading any more
	}
}

func (r *conversationRows) complete() bool {
	return r.finished() && len(r.pos.Doubts) == 0 && (r.found == nil || r.found.Complete) && r.pos.ChatsState == parleyv1.SourceState_SOURCE_STATE_UNSPECIFIED &&
		(!r.hasChats || r.chats.complete())
}

// News implements frame.Report.
func (r *conversationRows) News() []*parleyv1.Notice {
	news := r.chats.News()
	if r.reading == nil {
		news = append(news, r.notices...)
		r.notices = nil
	}
	return news
}

// Checkpoint implements frame.Report.
func (r *conversationRows) Checkpoint() (*parleyv1.Checkpoint, error) {
	checkpoint, err := r.chats.Checkpoint()
	if err != nil {
		return nil, err
	}
	checkpoint.Sources = nil
	for _, src := range r.req.Sources {
		checkpoint.Sources = append(checkpoint.Sources, &parleyv1.SourceProgress{Source: src})
	}
	return checkpoint, nil
}

// Summary implements frame.Report.
func (r *conversationRows) Summary() (*parleyv1.Summary, error) {
	token, err := r.token()
	if err != nil {
		return nil, err
	}
	return &parleyv1.Summary{Complete: r.complete(), Sources: frame.AddCoverageGaps(r.reports()), ResumeToken: token}, nil
}

// reports are the reports of the sources, in the order of the request.
func (r *conversationRows) reports() []*parleyv1.SourceReport {
	var all []*parleyv1.SourceReport
	i := 0
	for _, src := range r.req.Sources {
		if src == parleyv1.Source_SOURCE_CONVERSATION {
			all = append(all, r.chatReport())
			continue
		}
		report := &parleyv1.SourceReport{Source: src, State: parleyv1.SourceState_SOURCE_STATE_READ}
		if r.found != nil {
			report, _ = proto.Clone(r.found.Reports[i]).(*parleyv1.SourceReport)
		}
		c := r.pos.Counts[i]
		report.Counts = &parleyv1.SourceCounts{Events: c.Events, Pages: c.Pages, FromCache: c.FromCache, GraphRequests: c.Requests}
		if r.req.Narrow {
			frame.ConcealReads(report.GetCounts())
		}
		for _, doubt := range r.pos.Doubts {
			reason := reasons.Text(doubt.Reason)
			known := slices.ContainsFunc(report.GetGaps(), func(gap *parleyv1.Gap) bool { return gap.GetReason() == reason })
			if doubt.Source == src && !known && report.GetReason() != reason {
				report.Gaps = append(report.Gaps, &parleyv1.Gap{Reason: reason})
			}
		}
		if r.filter != nil {
			report.FilteredByGateway = r.filter.Evaluated()
		}
		all = append(all, report)
		i++
	}
	return all
}

// chatReport is the report of the chats.
func (r *conversationRows) chatReport() *parleyv1.SourceReport {
	report := r.chats.reports()[0]
	if r.pos.ChatsState != parleyv1.SourceState_SOURCE_STATE_UNSPECIFIED {
		report.State, report.Reason = r.pos.ChatsState, reasons.Text(r.pos.ChatsReason)
	}
	for _, doubt := range r.pos.Doubts {
		if doubt.Source == parleyv1.Source_SOURCE_CONVERSATION {
			report.Gaps = append(report.Gaps, &parleyv1.Gap{Reason: reasons.Text(doubt.Reason)})
		}
	}
	return report
}
