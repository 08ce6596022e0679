package service

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/protobuf/proto"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/internal/reasons"
	"github.com/parley-gateway/parley/resource"
	"github.com/parley-gateway/parley/source"
	"github.com/parley-gateway/parley/timeline"
	"github.com/parley-gateway/parley/timeline/derived"
	"github.com/parley-gateway/parley/timeline/failure"
	"github.com/parley-gateway/parley/timeline/pager"
	"github.com/parley-gateway/parley/timeline/window"
)

// maxCopilotRead is how many Copilot interactions of the user are read to describe a conversation. Graph allows an application 30 requests a
// second, each for 100 interactions, so that they fit into a call. The bound is a number and not a time, so that the same history gives the
// same answer.
const maxCopilotRead = 20000

// maxTenantCalls is the same for the calls of the whole tenant, of which Graph gives two pages of 60 a second.
const maxTenantCalls = 600

// maxChatPages ends the search among a user's chats, of which Graph gives 20 pages a second.
const maxChatPages = 400

// describe looks for the conversation and returns it, as far as the sources that the call may read show it.
func (l *conversationLookup) describe(ctx context.Context) (*parleyv1.Conversation, error) {
	ctx, cancel := lookupContext(ctx)
	defer cancel()
	if record, ok := resource.CallOfConversation(l.id); ok {
		return l.describeCall(ctx, record)
	}
	if err := l.refuseNoCall(); err != nil {
		return nil, err
	}
	chat, err := l.chat(ctx)
	if err != nil {
		return nil, err
	}
	if chat == nil {
		return l.describeByEvents(ctx)
	}
	if chat.GetKind() != parleyv1.ConversationKind_CONVERSATION_KIND_MEETING {
		return chat, nil
	}
	return l.describeMeeting(ctx, chat)
}

// describeByEvents describes a conversation without a chat by its events.
func (l *conversationLookup) describeByEvents(ctx context.Context) (*parleyv1.Conversation, error) {
	found, readings, err := l.collect(ctx, window.Span{})
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

// collect makes the conversation out of its events; nil = no event was found. The sources are read at the same time. What was not read
// is a notice.
func (l *conversationLookup) collect(ctx context.Context, life window.Span) (*parleyv1.Conversation, []*timeline.Reading, error) {
	sources := l.eventSources()
	readings, groups := make([]*timeline.Reading, len(sources)), make([]derived.Groups, len(sources))
	readCtx, cancel := beforeDeadline(ctx)
	defer cancel()
	group, readCtx := errgroup.WithContext(readCtx)
	for i, src := range sources {
		groups[i] = l.groups()
		limit := 0 // Graph keeps a user's calls of a month
		switch {
		case src == parleyv1.Source_SOURCE_COPILOT:
			limit = maxCopilotRead
		case l.access.owner == resource.AnyUser:
			limit = maxTenantCalls
		}
		group.Go(func() (err error) {
			readings[i], err = l.engine.Describe(readCtx, l.access.sources, l.query(src, life), limit, &groups[i])
			return err
		})
	}
	if err := cmp.Or(group.Wait(), ctx.Err()); err != nil {
		return nil, nil, err
	}
	all := l.groups()
	for i := range groups {
		all.Join(&groups[i])
	}
	found := all.Conversation(l.name())
	if found != nil {
		addUnread(found, readings)
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

// addUnread adds to a conversation what was not read of its events, as notices. Where a reading stopped before the beginning, the first
// event and the counts are not known, and the last event only if nothing later was left unread.
func addUnread(c *parleyv1.Conversation, readings []*timeline.Reading) {
	for _, reading := range readings {
		c.Notices = append(c.Notices, reading.Notices...)
		if !reading.EndedEarly {
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

// describeMeeting adds to a meeting's chat its calls and Copilot sessions. What was not read of them is a notice.
func (l *conversationLookup) describeMeeting(ctx context.Context, chat *parleyv1.Conversation) (*parleyv1.Conversation, error) {
	all, readings, err := l.collect(ctx, lifeOf(chat))
	if err != nil {
		return nil, err
	}
	chat = proto.CloneOf(chat) // perhaps it is cached
	if all == nil {
		addUnread(chat, readings)
		return chat, nil
	}
	chat.Activity, chat.Calls, chat.CopilotSessions = all.GetActivity(), all.GetCalls(), all.GetCopilotSessions()
	chat.Notices = append(chat.Notices, all.GetNotices()...)
	return chat, nil
}

// describeCall describes a call without a thread.
func (l *conversationLookup) describeCall(ctx context.Context, record string) (*parleyv1.Conversation, error) {
	event, err := l.record(ctx, record)
	if err != nil {
		return nil, err
	}
	found := l.fromName()
	found.Kind = parleyv1.ConversationKind_CONVERSATION_KIND_CALL
	found.Activity = &parleyv1.ConversationActivity{FirstEventTime: event.GetEventTime(), LastEventTime: event.GetEventTime(), CallEvents: 1}
	found.Participants, found.Calls = derived.People(event.GetCall()), []string{event.GetName()}
	if !l.mayRead(parleyv1.Source_SOURCE_CONVERSATION) || len(found.GetParticipants()) != 2 {
		return found, nil
	}
	return found, l.addOneOnOne(ctx, found)
}

// addOneOnOne looks for the one-on-one chat of the two participants. Its id is not to be made from theirs, so that the user's chats are
// looked through.
func (l *conversationLookup) addOneOnOne(ctx context.Context, call *parleyv1.Conversation) error {
	people := make([]string, 0, 2)
	for _, set := range call.GetParticipants() {
		people = append(people, set.GetUser().GetId())
	}
	if l.access.sources.Conversations == nil || slices.Contains(people, "") {
		return nil
	}
	q := source.ConversationQuery{Owner: l.access.owner, User: l.access.graphUser()}
	err := pager.EachChat(ctx, l.access.sources.Conversations, q, maxChatPages, func(chat *parleyv1.Conversation) bool {
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

// fromName returns the conversation as far as its name tells.
func (l *conversationLookup) fromName() *parleyv1.Conversation {
	_, tenant, _ := l.access.binding()
	return derived.New(tenant, l.access.owner, l.name())
}

func (l *conversationLookup) groups() derived.Groups {
	_, tenant, _ := l.access.binding()
	return derived.Groups{Tenant: tenant, Owner: l.access.owner}
}
