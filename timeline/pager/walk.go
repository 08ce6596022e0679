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
// every call that comes to them reads the interval, whose windows are cached, and groups it anew; the token holds the place of the last
// conversation in their order. The order is by the last event. Ascending, an event that comes late moves its conversation on, never
// back before the place. Newest first it moves it before the place, where it would be lost if it was not delivered yet. So the token also
// holds a sum of the conversations that were delivered. When others lie before the place than the sum says, the derived conversations
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

// walk is the rows and the report of a list of conversations of several kinds.
type walk struct {
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

// openWalk opens a walk at its beginning, or at the position of a token.
func (l *Lister) openWalk(sources query.Sources, req *query.Conversations, token, field string) (*walk, error) {
	chats, err := l.conversations(sources, req, token, field)
	if err != nil {
		return nil, err
	}
	compiled, err := req.CompileFilter()
	if err != nil {
		return nil, err
	}
	w := &walk{
		cfg: &l.cfg, req: req, sources: sources, filter: compiled, chats: chats, hasChats: req.HasChats(),
		pos: chats.position.Derived, fromStart: token == "" && req.Filter == "", known: map[string]bool{},
	}
	if token != "" {
		if w.pos == nil || len(w.pos.Counts) != len(req.Derived()) {
			return nil, failure.TokenRefused(field)
		}
		return w, nil
	}
	now := time.Now().UTC()
	events := req.Events(req.Derived()[0], req.End)
	if err := events.Check(now); err != nil {
		return nil, err
	}
	_, end, cut := events.Interval(now, now.Add(-max(sources.ClockAhead(), 0)))
	if cut {
		w.notices = append(w.notices, query.EndCut())
	}
	w.pos = &cursor.Derived{End: end, Counts: make([]cursor.Counts, len(req.Derived()))}
	chats.position.Derived = w.pos
	chats.position.Finished = !w.hasChats
	return w, nil
}

// inChats reports whether the chats are not at their end.
func (w *walk) inChats() bool {
	return w.hasChats && !w.chats.position.Finished && w.pos.ChatsState == parleyv1.SourceState_SOURCE_STATE_UNSPECIFIED
}

// Step implements frame.Rows.
func (w *walk) Step() frame.State {
	if w.err != nil {
		return frame.Broken
	}
	if w.inChats() {
		switch state := w.chats.Step(); state {
		case frame.Ended:
		case frame.Broken:
			w.skipChats(w.chats.Err())
		default:
			return state
		}
	}
	switch {
	case w.err != nil:
		return frame.Broken
	case w.pos.Finished:
		return frame.Ended
	case w.found == nil:
		return frame.Waiting
	case len(w.rows) > 0:
		return frame.Ready
	default:
		w.pos.Finished = true
		return frame.Ended
	}
}

// skipChats goes on without chats that cannot be read.
func (w *walk) skipChats(err error) {
	f := failureOf(err)
	w.pos.ChatsState, w.pos.ChatsReason = f.State, f.Reason
	w.notices = append(w.notices, failure.Notice(parleyv1.Source_SOURCE_CONVERSATION, f.Reason, f.Err))
}

// Err implements frame.Rows.
func (w *walk) Err() error { return w.err }

// Wait implements frame.Rows.
func (w *walk) Wait(ctx context.Context, timer <-chan time.Time) error {
	if w.inChats() {
		return w.chats.Wait(ctx, timer)
	}
	if w.reading == nil {
		ctx, cancel := context.WithCancel(ctx)
		d := &deriving{done: make(chan error, 1), cancel: cancel}
		w.reading = d
		go func() { d.done <- w.read(ctx, d) }()
	}
	select {
	case err := <-w.reading.done:
		return w.take(err)
	case <-timer:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// take takes over what was read.
func (w *walk) take(err error) error {
	d := w.reading
	d.cancel()
	w.reading = nil
	if failure.IsContext(err) {
		return err
	}
	if err != nil {
		w.err = err
		return nil //nolint:nilerr // Err returns it
	}
	w.found, w.rows = d.found, d.rows
	if d.moved {
		w.beginAgain()
	}
	for _, doubt := range d.doubts {
		w.pos.AddDoubt(doubt)
	}
	if w.found.Err != nil && (!w.hasChats || w.pos.ChatsState != parleyv1.SourceState_SOURCE_STATE_UNSPECIFIED) {
		w.err = w.found.Err
		return nil
	}
	w.notices = append(w.notices, w.found.Notices...)
	for i, report := range w.found.Reports {
		c, counts := &w.pos.Counts[i], report.GetCounts()
		c.Pages += counts.GetPages()
		c.FromCache += counts.GetFromCache()
		c.Requests += counts.GetGraphRequests()
		for _, gap := range report.GetGaps() {
			w.addDoubt(report, gap.GetReason())
		}
		if report.GetState() != parleyv1.SourceState_SOURCE_STATE_READ {
			w.addDoubt(report, report.GetReason())
		}
	}
	return nil
}

func (w *walk) addDoubt(report *parleyv1.SourceReport, reason string) {
	w.pos.AddDoubt(cursor.Doubt{Source: report.GetSource(), Reason: reasons.Parse(reason)})
}

// beginAgain goes back before the first derived conversation.
func (w *walk) beginAgain() {
	w.pos.Restarted, w.pos.Last, w.pos.Key, w.pos.Delivered = true, time.Time{}, "", 0
	for i := range w.pos.Counts {
		w.pos.Counts[i].Events = 0
	}
	w.notices = append(w.notices, &parleyv1.Notice{
		Code: reasons.Code(parleyv1.NoticeCode_NOTICE_CODE_RESTARTED),
		Message: "Events came late and moved conversations to before the place of the token; the Copilot conversations and calls began again, so that rows " +
			"may come a second time",
	})
}

// read reads the interval, and leaves out the conversations that were delivered, do not match, or are chats. It belongs to the goroutine
// of a deriving; the walk changes nothing meanwhile.
func (w *walk) read(ctx context.Context, d *deriving) error {
	found, err := w.cfg.Derive(ctx, w.sources, w.req, w.pos.End)
	if err != nil {
		return err
	}
	d.found = found
	rows := slices.Clone(found.Conversations)
	if w.req.ByLastMessage {
		slices.Reverse(rows)
	}
	comparing := w.req.ByLastMessage && !w.pos.Last.IsZero() && found.Complete && len(w.pos.Doubts) == 0
	rows = slices.DeleteFunc(rows, func(c *parleyv1.Conversation) bool {
		return !comparing && w.passed(c) || w.filter.MatchChat(c, false) != filter.True
	})
	if w.hasChats && w.pos.ChatsState == parleyv1.SourceState_SOURCE_STATE_UNSPECIFIED && slices.ContainsFunc(rows, mayBeChat) {
		chats, err := w.allChats(ctx, d)
		if err != nil {
			return err
		}
		rows = slices.DeleteFunc(rows, func(c *parleyv1.Conversation) bool { return chats[c.GetName()] })
	}
	if comparing {
		rows = w.compare(d, rows)
	}
	d.rows = rows
	return nil
}

// compare compares the conversations before the position with those that were delivered. It returns the ones after the position, or all
// of them when the walk is to begin again.
func (w *walk) compare(d *deriving, rows []*parleyv1.Conversation) []*parleyv1.Conversation {
	after, before := 0, uint64(0)
	for ; after < len(rows) && w.passed(rows[after]); after++ {
		before += chunk.Hash(rows[after].GetName(), 0)
	}
	switch {
	case before == w.pos.Delivered:
	case !w.pos.Restarted:
		d.moved = true
		return rows
	default:
		for _, src := range w.req.Derived() {
			d.doubts = append(d.doubts, cursor.Doubt{Source: src, Reason: parleyv1.ErrorReason_ERROR_REASON_LIST_CHANGED})
		}
		d.found.Notices = append(d.found.Notices, failure.Notice(w.req.Derived()[0], parleyv1.ErrorReason_ERROR_REASON_LIST_CHANGED, nil))
	}
	return rows[after:]
}

// passed reports whether a conversation lies before the position.
func (w *walk) passed(c *parleyv1.Conversation) bool {
	if w.pos.Last.IsZero() {
		return false
	}
	order := derived.Last(c).Compare(w.pos.Last)
	if order == 0 {
		order = strings.Compare(derived.Key(c), w.pos.Key)
	}
	if w.req.ByLastMessage {
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
func (w *walk) allChats(ctx context.Context, d *deriving) (map[string]bool, error) {
	if w.fromStart {
		return w.known, nil
	}
	chats := map[string]bool{}
	ask := source.ConversationQuery{Owner: w.req.Owner, User: w.req.User}
	err := EachChat(ctx, w.sources.Conversations, ask, w.cfg.MaxPages, func(chat *parleyv1.Conversation) bool {
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
func (w *walk) next() (*parleyv1.Conversation, bool) {
	if w.inChats() {
		return w.chats.next()
	}
	if len(w.rows) == 0 {
		return nil, false
	}
	return w.rows[0], true
}

// deliver moves the position after the next row.
func (w *walk) deliver() {
	if w.inChats() {
		if chat, ok := w.chats.next(); ok {
			w.known[chat.GetName()] = true
		}
		w.chats.deliver()
		return
	}
	row := w.rows[0]
	w.rows = w.rows[1:]
	w.pos.Last, w.pos.Key = derived.Last(row), derived.Key(row)
	if w.req.ByLastMessage {
		w.pos.Delivered += chunk.Hash(row.GetName(), 0)
	}
	for i, src := range w.req.Derived() {
		if src == sourceOf(row) {
			w.pos.Counts[i].Events++
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

func (w *walk) token() (string, error) { return w.chats.token() }

func (w *walk) finished() bool { return w.pos.Finished && !w.inChats() }

// mayHoldMore reports whether a full page has a token although nothing more was looked for. Among the derived conversations it is always so.
func (w *walk) mayHoldMore() bool { return !w.inChats() || w.chats.mayHoldMore() }

func (w *walk) close() {
	w.chats.close()
	if w.reading != nil {
		w.reading.cancel()
		<-w.reading.done //nolint:errcheck // nobody waits for the reading any more
	}
}

func (w *walk) complete() bool {
	return w.finished() && len(w.pos.Doubts) == 0 && (w.found == nil || w.found.Complete) && w.pos.ChatsState == parleyv1.SourceState_SOURCE_STATE_UNSPECIFIED &&
		(!w.hasChats || w.chats.complete())
}

// News implements frame.Report.
func (w *walk) News() []*parleyv1.Notice {
	news := w.chats.News()
	if w.reading == nil {
		news = append(news, w.notices...)
		w.notices = nil
	}
	return news
}

// Checkpoint implements frame.Report.
func (w *walk) Checkpoint() (*parleyv1.Checkpoint, error) {
	checkpoint, err := w.chats.Checkpoint()
	if err != nil {
		return nil, err
	}
	checkpoint.Sources = nil
	for _, src := range w.req.Sources {
		checkpoint.Sources = append(checkpoint.Sources, &parleyv1.SourceProgress{Source: src})
	}
	return checkpoint, nil
}

// Summary implements frame.Report.
func (w *walk) Summary() (*parleyv1.Summary, error) {
	token, err := w.token()
	if err != nil {
		return nil, err
	}
	return &parleyv1.Summary{Complete: w.complete(), Sources: frame.AddCoverageGaps(w.reports()), ResumeToken: token}, nil
}

// reports are the reports of the sources, in the order of the request.
func (w *walk) reports() []*parleyv1.SourceReport {
	var all []*parleyv1.SourceReport
	i := 0
	for _, src := range w.req.Sources {
		if src == parleyv1.Source_SOURCE_CONVERSATION {
			all = append(all, w.chatReport())
			continue
		}
		report := &parleyv1.SourceReport{Source: src, State: parleyv1.SourceState_SOURCE_STATE_READ}
		if w.found != nil {
			report, _ = proto.Clone(w.found.Reports[i]).(*parleyv1.SourceReport)
		}
		c := w.pos.Counts[i]
		report.Counts = &parleyv1.SourceCounts{Events: c.Events, Pages: c.Pages, FromCache: c.FromCache, GraphRequests: c.Requests}
		if w.req.Narrow {
			frame.ConcealReads(report.GetCounts())
		}
		for _, doubt := range w.pos.Doubts {
			reason := reasons.Text(doubt.Reason)
			known := slices.ContainsFunc(report.GetGaps(), func(gap *parleyv1.Gap) bool { return gap.GetReason() == reason })
			if doubt.Source == src && !known && report.GetReason() != reason {
				report.Gaps = append(report.Gaps, &parleyv1.Gap{Reason: reason})
			}
		}
		if w.filter != nil {
			report.FilteredByGateway = w.filter.Evaluated()
		}
		all = append(all, report)
		i++
	}
	return all
}

// chatReport is the report of the chats.
func (w *walk) chatReport() *parleyv1.SourceReport {
	report := w.chats.reports()[0]
	if w.pos.ChatsState != parleyv1.SourceState_SOURCE_STATE_UNSPECIFIED {
		report.State, report.Reason = w.pos.ChatsState, reasons.Text(w.pos.ChatsReason)
	}
	for _, doubt := range w.pos.Doubts {
		if doubt.Source == parleyv1.Source_SOURCE_CONVERSATION {
			report.Gaps = append(report.Gaps, &parleyv1.Gap{Reason: reasons.Text(doubt.Reason)})
		}
	}
	return report
}
