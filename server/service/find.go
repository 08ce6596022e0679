package service

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/graphclient/graph"
	"github.com/parley-gateway/parley/internal/reasons"
	"github.com/parley-gateway/parley/resource"
	"github.com/parley-gateway/parley/server/apierror"
	"github.com/parley-gateway/parley/source"
	"github.com/parley-gateway/parley/timeline"
	"github.com/parley-gateway/parley/timeline/derived"
	"github.com/parley-gateway/parley/timeline/failure"
	"github.com/parley-gateway/parley/timeline/pager"
	"github.com/parley-gateway/parley/timeline/query"
	"github.com/parley-gateway/parley/timeline/window"
)

// findTime bounds the search for a conversation in a call without a deadline.
const findTime = 20 * time.Second

// mostRead is how many Copilot interactions of the user are read to describe a conversation. Graph allows an application 30 requests a
// second, each for 100 of them, so that they fit into a call. Whatever time they take, the same history gives the same answer.
const mostRead = 20000

// mostTenantCalls is the same for the calls of the whole tenant, of which Graph gives two pages of 60 a second.
const mostTenantCalls = 600

// mostChatPages ends the search among a user's chats, of which Graph gives 20 pages a second.
const mostChatPages = 400

// bornBefore is how long before the creation of a chat its Copilot interactions and calls are looked for: clocks differ.
const bornBefore = time.Hour

// finder finds one conversation of the user. What proves that it is the user's is the chat, which has the user as a member; else
// the user's own Copilot history; else a call in which the user took part. Only sources that the call may read are looked into, so that
// nobody learns from an answer what they may not read.
type finder struct {
	engine  ConversationFinder
	access  *accessGrant
	id      string
	field   string // field of the request that names the conversation
	sources []parleyv1.Source
}

// has reports whether the call may read a source.
func (f *finder) has(sources ...parleyv1.Source) bool {
	return slices.ContainsFunc(sources, func(src parleyv1.Source) bool { return slices.Contains(f.sources, src) })
}

// isThread reports whether the id can be that of a chat: every id of a chat has an @, but for the threads that every user has.
func (f *finder) isThread() bool { return strings.Contains(f.id, "@") || source.EveryUserHas(f.id) }

// refuseNoCall refuses a conversation of the whole tenant that can hold no call.
func (f *finder) refuseNoCall() error {
	if f.isThread() {
		return nil
	}
	return f.access.refuseWildcard(f.field)
}

// findContext bounds a search.
func findContext(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, findTime)
}

// life proves that the conversation is one of the user's. It returns the time in which it can have events, and the sources that hold none
// of them.
func (f *finder) life(ctx context.Context) (window.Span, []parleyv1.Source, error) {
	ctx, cancel := findContext(ctx)
	defer cancel()
	const call = parleyv1.Source_SOURCE_CALL
	if record, ok := resource.CallOfConversation(f.id); ok {
		event, err := f.record(ctx, record)
		if err != nil {
			return window.Span{}, nil, err
		}
		foreign := slices.DeleteFunc(source.EventSources(), func(src parleyv1.Source) bool { return src == call })
		if at := event.GetEventTime(); at.IsValid() {
			return window.Span{Start: at.AsTime(), End: at.AsTime().Add(time.Millisecond)}, foreign, nil
		}
		return window.Span{}, foreign, nil
	}
	if f.access.owner == resource.AnyUser {
		return window.Span{}, nil, f.refuseNoCall() // nothing to prove: the caller may read every call of the tenant
	}
	chat, err := f.chat(ctx)
	if err != nil {
		return window.Span{}, nil, err
	}
	if chat != nil {
		return lifeOf(chat), nil, nil
	}
	if err := f.prove(ctx); err != nil {
		return window.Span{}, nil, err
	}
	foreign := []parleyv1.Source{parleyv1.Source_SOURCE_CHAT, parleyv1.Source_SOURCE_RETAINED_CHAT}
	if !f.isThread() {
		foreign = append(foreign, call)
	}
	return window.Span{}, foreign, nil
}

// lifeOf is the time in which a chat can have Copilot interactions and calls.
func lifeOf(chat *parleyv1.Conversation) window.Span {
	var life window.Span
	for _, created := range []*timestamppb.Timestamp{chat.GetCreateTime(), chat.GetOriginalCreateTime()} {
		if at := created.AsTime().Add(-bornBefore); created.IsValid() && (life.Start.IsZero() || at.Before(life.Start)) {
			life.Start = at
		}
	}
	return life
}

// conversation finds the conversation and describes it.
func (f *finder) conversation(ctx context.Context) (*parleyv1.Conversation, error) {
	ctx, cancel := findContext(ctx)
	defer cancel()
	if record, ok := resource.CallOfConversation(f.id); ok {
		return f.call(ctx, record)
	}
	if err := f.refuseNoCall(); err != nil {
		return nil, err
	}
	chat, err := f.chat(ctx)
	if err != nil {
		return nil, err
	}
	if chat == nil {
		return f.derived(ctx)
	}
	if chat.GetKind() != parleyv1.ConversationKind_CONVERSATION_KIND_MEETING {
		return chat, nil
	}
	return f.meeting(ctx, chat)
}

// chat returns the chat, and nil where the user has none of this id and the conversation may be another.
func (f *finder) chat(ctx context.Context) (*parleyv1.Conversation, error) {
	const chat = parleyv1.Source_SOURCE_CHAT
	if !f.isThread() || !f.has(chat, parleyv1.Source_SOURCE_RETAINED_CHAT, parleyv1.Source_SOURCE_CONVERSATION) {
		return nil, nil //nolint:nilnil // no chat and no fault
	}
	found, err := f.access.chat(ctx, f.id)
	if err == nil || !f.has(parleyv1.Source_SOURCE_COPILOT, parleyv1.Source_SOURCE_CALL) || !absent(err) {
		return found, err
	}
	if deniedByGraph(err) {
		// The chat may be the user's for all that is known, and its events tell less than that.
		if f.prove(ctx) != nil {
			return nil, err
		}
	}
	return nil, nil //nolint:nilnil // as above
}

// absent reports whether an error says that Graph has no chat of an id for the user, now and when it is asked again.
func absent(err error) bool {
	if own, ok := errors.AsType[*apierror.Error](err); ok {
		return own.Reason == parleyv1.ErrorReason_ERROR_REASON_NOT_FOUND
	}
	return isKind(err, graph.KindNotFound) || isKind(err, graph.KindBadRequest) || isKind(err, graph.KindGone) || deniedByGraph(err)
}

// prove returns nil when an event of the user is in the conversation: a call, else a Copilot interaction.
func (f *finder) prove(ctx context.Context) error {
	sources := f.deriving()
	if len(sources) == 0 {
		return errNotFound()
	}
	var missing error
	for _, src := range sources {
		last, reading, err := f.engine.LastEvent(ctx, f.access.sources, f.query(src, window.Span{}))
		if err != nil || last != nil {
			return err
		}
		if err := notFoundBy(reading); missing == nil || isNotFound(missing) {
			missing = err
		}
	}
	return missing
}

// deriving are the sources whose events can be in a conversation without a chat, and which the call may read.
func (f *finder) deriving() []parleyv1.Source {
	var sources []parleyv1.Source
	if f.isThread() && f.has(parleyv1.Source_SOURCE_CALL) && !f.access.unresolved {
		sources = append(sources, parleyv1.Source_SOURCE_CALL)
	}
	if f.has(parleyv1.Source_SOURCE_COPILOT) {
		sources = append(sources, parleyv1.Source_SOURCE_COPILOT)
	}
	return sources
}

// derived describes a conversation without a chat by its events.
func (f *finder) derived(ctx context.Context) (*parleyv1.Conversation, error) {
	found, readings, err := f.describe(ctx, window.Span{})
	if found != nil || err != nil {
		return found, err
	}
	for _, reading := range readings {
		if failure.IsContext(reading.Err) {
			return nil, reading.Err // it may be among what was not read in time
		}
		if err := notFoundBy(reading); !isNotFound(err) {
			return nil, err
		}
	}
	return nil, errNotFound()
}

// describe makes the conversation of its events, whose sources are read at the same time; nil = no event was found. What was not read
// is a notice.
func (f *finder) describe(ctx context.Context, life window.Span) (*parleyv1.Conversation, []*timeline.Reading, error) {
	sources := f.deriving()
	readings, groups := make([]*timeline.Reading, len(sources)), make([]derived.Groups, len(sources))
	early, cancel := beforeDeadline(ctx)
	defer cancel()
	group, early := errgroup.WithContext(early)
	for i, src := range sources {
		groups[i] = f.groups()
		most := 0 // Graph keeps a user's calls of a month
		switch {
		case src == parleyv1.Source_SOURCE_COPILOT:
			most = mostRead
		case f.access.owner == resource.AnyUser:
			most = mostTenantCalls
		}
		group.Go(func() (err error) {
			readings[i], err = f.engine.Describe(early, f.access.sources, f.query(src, life), most, &groups[i])
			return err
		})
	}
	if err := cmp.Or(group.Wait(), ctx.Err()); err != nil {
		return nil, nil, err
	}
	all := f.groups()
	for i := range groups {
		all.Join(&groups[i])
	}
	found := all.Conversation(f.name())
	if found != nil {
		tellReadings(found, readings)
	}
	return found, readings, nil
}

// beforeDeadline leaves a tenth of the time of a call for its answer.
func beforeDeadline(ctx context.Context) (context.Context, context.CancelFunc) {
	end, ok := ctx.Deadline()
	if !ok {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, time.Until(end)/10*9)
}

// tellReadings adds to a conversation what was not read of its events, as notices. Where a reading was cut, the first event and the
// counts are not known, and the last event only if nothing later was left unread.
func tellReadings(c *parleyv1.Conversation, readings []*timeline.Reading) {
	for _, reading := range readings {
		c.Notices = append(c.Notices, reading.Notices...)
		if !reading.Cut {
			continue
		}
		c.Notices = append(c.Notices, &parleyv1.Notice{
			Code: reasons.Code(parleyv1.NoticeCode_NOTICE_CODE_ACTIVITY_NOT_READ), Source: reading.Source,
			Message: "The source was not read to its beginning: more events may belong to the conversation, and its first event and counts are not known",
		})
		last := c.GetActivity().GetLastEventTime()
		c.Activity = nil
		if last.IsValid() && !last.AsTime().Before(reading.Reached) {
			c.Activity = &parleyv1.ConversationActivity{LastEventTime: last}
		}
	}
}

// meeting adds to a meeting's chat its calls and Copilot sessions. What was not read of them is a notice.
func (f *finder) meeting(ctx context.Context, chat *parleyv1.Conversation) (*parleyv1.Conversation, error) {
	all, readings, err := f.describe(ctx, lifeOf(chat))
	if err != nil {
		return nil, err
	}
	chat = proto.CloneOf(chat) // perhaps it is cached
	if all == nil {
		tellReadings(chat, readings)
		return chat, nil
	}
	chat.Activity, chat.Calls, chat.CopilotSessions = all.GetActivity(), all.GetCalls(), all.GetCopilotSessions()
	chat.Notices = append(chat.Notices, all.GetNotices()...)
	return chat, nil
}

// call describes a call without a thread.
func (f *finder) call(ctx context.Context, record string) (*parleyv1.Conversation, error) {
	event, err := f.record(ctx, record)
	if err != nil {
		return nil, err
	}
	found := f.bare()
	found.Kind = parleyv1.ConversationKind_CONVERSATION_KIND_CALL
	found.Activity = &parleyv1.ConversationActivity{FirstEventTime: event.GetEventTime(), LastEventTime: event.GetEventTime(), CallEvents: 1}
	found.Participants, found.Calls = derived.People(event.GetCall()), []string{event.GetName()}
	if !f.has(parleyv1.Source_SOURCE_CONVERSATION) || len(found.GetParticipants()) != 2 {
		return found, nil
	}
	return found, f.findOneOnOne(ctx, found)
}

// findOneOnOne looks for the one-on-one chat of the two participants. Its id is not to be made from theirs, so that the user's chats are
// looked through.
func (f *finder) findOneOnOne(ctx context.Context, call *parleyv1.Conversation) error {
	people := make([]string, 0, 2)
	for _, set := range call.GetParticipants() {
		people = append(people, set.GetUser().GetId())
	}
	if f.access.sources.Conversations == nil || slices.Contains(people, "") {
		return nil
	}
	q := source.ConversationQuery{Owner: f.access.owner, User: f.access.graphUser()}
	err := pager.EachChat(ctx, f.access.sources.Conversations, q, mostChatPages, func(chat *parleyv1.Conversation) bool {
		if isOneOnOneOf(chat, people) {
			call.OneOnOneChat = chat.GetName()
		}
		return call.GetOneOnOneChat() == ""
	})
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		call.Notices = append(call.Notices, pager.ChatsNotice(err))
	}
	return nil
}

// isOneOnOneOf reports whether a chat is the one-on-one chat of exactly these two people.
func isOneOnOneOf(chat *parleyv1.Conversation, people []string) bool {
	if chat.GetKind() != parleyv1.ConversationKind_CONVERSATION_KIND_ONE_ON_ONE || len(chat.GetMembers()) != len(people) {
		return false
	}
	for _, id := range people {
		if !slices.ContainsFunc(chat.GetMembers(), func(m *parleyv1.ConversationMember) bool { return strings.EqualFold(m.GetUserId(), id) }) {
			return false
		}
	}
	return true
}

// record reads the record of a call without a thread, in which the user has a part.
func (f *finder) record(ctx context.Context, id string) (*parleyv1.Event, error) {
	if !f.has(parleyv1.Source_SOURCE_CALL) {
		return nil, errNotFound()
	}
	if f.access.unresolved {
		return nil, errUserID(f.field)
	}
	event, err := f.access.event(ctx, f.field, resource.Ref{Source: parleyv1.Source_SOURCE_CALL, ID: id})
	if err != nil {
		return nil, err
	}
	if event.GetConversation() != f.name() {
		return nil, errNotFound() // the call belongs to a thread
	}
	return event, nil
}

func (f *finder) name() string { return resource.Conversation(f.access.owner, f.id) }

// bare is the conversation as far as its name tells.
func (f *finder) bare() *parleyv1.Conversation {
	_, tenant, _ := f.access.binding()
	return derived.New(tenant, f.access.owner, f.name())
}

func (f *finder) groups() derived.Groups {
	_, tenant, _ := f.access.binding()
	return derived.Groups{Tenant: tenant, Owner: f.access.owner}
}

// query asks for the events of the conversation in one source.
func (f *finder) query(src parleyv1.Source, life window.Span) query.Events {
	caller, tenant, permission := f.access.binding()
	return query.Events{
		Caller: caller, Tenant: tenant, Fingerprint: permission, Owner: f.access.owner, User: f.access.graphUser(), Conversation: f.id,
		Sources: []parleyv1.Source{src}, Unavailable: f.access.tenant.Unavailable, Narrow: !f.access.allUsers, Life: life,
	}
}

// notFoundBy is the error of a conversation that a source does not hold. Where the source could not be read, now but perhaps later, that
// is the error.
func notFoundBy(reading *timeline.Reading) error {
	switch reading.Report.GetState() {
	case parleyv1.SourceState_SOURCE_STATE_THROTTLED, parleyv1.SourceState_SOURCE_STATE_FAILED:
		if reading.Err != nil && !isKind(reading.Err, graph.KindNotFound) {
			return reading.Err
		}
	default:
	}
	for _, gap := range reading.Report.GetGaps() {
		switch gap.GetReason() {
		case reasons.Text(parleyv1.ErrorReason_ERROR_REASON_GRAPH_UNAVAILABLE), reasons.Text(parleyv1.ErrorReason_ERROR_REASON_GRAPH_THROTTLED):
			return apierror.ForReason(parleyv1.ErrorReason_ERROR_REASON_GRAPH_UNAVAILABLE)
		}
	}
	return errNotFound()
}

func errNotFound() *apierror.Error {
	return apierror.ForReason(parleyv1.ErrorReason_ERROR_REASON_NOT_FOUND)
}

func isNotFound(err error) bool {
	own, ok := errors.AsType[*apierror.Error](err)
	return ok && own.Reason == parleyv1.ErrorReason_ERROR_REASON_NOT_FOUND
}
