package source

import (
	"cmp"
	"context"

	"github.com/parley-gateway/parley/eventwire"
	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/graphclient/graph"
	"github.com/parley-gateway/parley/resource"
	"github.com/parley-gateway/parley/source/graphmap"
	"github.com/parley-gateway/parley/source/odata"
)

const (
	chatModifiedTime = "lastModifiedDateTime"
	chatCreatedTime  = "createdDateTime"

	systemMessage = "'systemEventMessage'"
)

// Chat reads chat messages: of all of a user's chats with getAllMessages, of one chat from its own messages.
type Chat struct {
	messages

	members members
}

// messages has what the two APIs have in common that export the messages of all of a user's chats.
type messages struct{ base }

var (
	_ EventReader = (*Chat)(nil)
	_ EventGetter = (*Chat)(nil)
)

// NewChat returns the source of chat messages.
func NewChat(client Graph, opt Options) *Chat {
	b := newBase(client, opt, parleyv1.Source_SOURCE_CHAT)
	return &Chat{messages: messages{b}, members: newMembers(client, opt)}
}

// Events implements EventReader. With a Conversation it reads that chat's own messages and gives Graph no clause; it
// does not verify that the user is a member: the caller does that once for a conversation, with
// ConversationReader.Conversation.
func (c *Chat) Events(ctx context.Context, q EventQuery, link string) (*Page[Item], error) {
	attempts, err := c.attempts(ctx, q, link)
	if err != nil {
		return nil, err
	}
	page, _, err := answeredPage(ctx, &c.base, attempts, func(record []byte) (Item, error) {
		item, err := c.item(q.Owner, q.Conversation, record)
		if q.ByCreateTime {
			item.timeByCreation()
		}
		return item, err
	})
	return page, err
}

func (c *Chat) attempts(ctx context.Context, q EventQuery, link string) ([]attempt, error) {
	if q.Conversation != "" {
		return c.chatAttempts(ctx, q, link)
	}
	var model []graph.Param
	if c.opt.Model != "" {
		model = []graph.Param{{Name: "model", Value: c.opt.Model}}
	}
	return c.exportAttempts(ctx, q, link, "getAllMessages", model...)
}

// exportAttempts returns the ways to ask a function of Graph that exports the messages of all of a user's chats.
func (m *messages) exportAttempts(ctx context.Context, q EventQuery, link, function string, options ...graph.Param) ([]attempt, error) {
	start, end, err := bounds(q)
	if err != nil {
		return nil, err
	}
	path, err := userPath(q.User, "/chats/"+function)
	if err != nil {
		return nil, err
	}
	newRequest := func(filter string) graph.Request {
		query := append([]graph.Param{{Name: "$top", Value: m.pageSize()}, {Name: "$filter", Value: filter}}, options...)
		r := m.request(ctx, path, link, query...)
		r.User, r.Prefer = q.User, []string{preferUnknownEnums}
		return r
	}
	interval := odata.Between(chatModifiedTime, start, end)
	clause := messageClause(q.Clause)
	if clause == "" {
		return []attempt{{request: newRequest(interval)}}, nil
	}
	attempts := []attempt{{request: newRequest(clause + " and (" + interval + ")")}}
	if link == "" {
		attempts = append(attempts, attempt{name: "interval alone", request: newRequest(interval), unfiltered: true})
	}
	return attempts, nil
}

// chatAttempts returns the way to ask one chat for its own messages. Graph ignores the filter unless the order names the same property, knows descending order
// only, gt and lt only, and for createdDateTime lt only.
func (c *Chat) chatAttempts(ctx context.Context, q EventQuery, link string) ([]attempt, error) {
	start, end, err := bounds(q)
	if err != nil {
		return nil, err
	}
	path, err := chatPath(q.User, q.Conversation, "/messages")
	if err != nil {
		return nil, err
	}
	property, filter := chatModifiedTime, odata.Between(chatModifiedTime, start, end)
	if q.ByCreateTime {
		_, to := odata.Bounds(start, end)
		property, filter = chatCreatedTime, chatCreatedTime+" lt "+odata.Instant(to)
	}
	r := c.request(ctx, path, link,
		graph.Param{Name: "$top", Value: c.pageSize()},
		graph.Param{Name: "$orderby", Value: property + " desc"},
		graph.Param{Name: "$filter", Value: filter})
	r.User, r.Resource, r.Prefer = q.User, threadBudget(q.User, q.Conversation), []string{preferUnknownEnums}
	return []attempt{{request: r, unfiltered: !q.Clause.IsZero()}}, nil
}

// Properties by which Graph filters senders.
const (
	senderID              = "from/user/id"
	senderType            = "from/user/userIdentityType"
	senderApplicationType = "from/application/applicationIdentityType"
)

// anySender joins all values of a condition on the sender by or.
func anySender(s *Sender) string {
	var terms []string
	for _, values := range []struct {
		property string
		list     []string
	}{{senderID, s.UserIDs}, {senderType, s.UserTypes}, {senderApplicationType, s.ApplicationTypes}} {
		for _, value := range values.list {
			terms = append(terms, odata.AnyEqual(values.property, []string{value}))
		}
	}
	return odata.AnyOf(terms...)
}

// messageClause is the part of a getAllMessages filter beside the interval, in parentheses; empty for none.
func messageClause(c Clause) string {
	system := ""
	switch {
	case c.SystemOnly && !c.NoSystem:
		system = "messageType eq " + systemMessage
	case c.NoSystem && !c.SystemOnly:
		system = "messageType ne " + systemMessage
	}
	clause := odata.AllOf(
		odata.AnyEqual(senderID, c.UserIDs),
		odata.AnyEqual(senderType, c.UserTypes),
		odata.AnyEqual(senderApplicationType, c.ApplicationTypes),
		anySender(&c.AnySender),
		system,
	)
	if clause == "" {
		return ""
	}
	return "(" + clause + ")"
}

// Event implements EventGetter: the chat must be one of the user's.
func (c *Chat) Event(ctx context.Context, owner, user string, ref Ref) (*parleyv1.Event, error) {
	message, err := segment(ref.ID)
	if err != nil {
		return nil, err
	}
	path, err := chatPath(user, ref.Chat, "/messages/"+message)
	if err != nil {
		return nil, err
	}
	if err := c.members.verify(ctx, user, ref.Chat); err != nil {
		return nil, err
	}
	r := c.request(ctx, path, "")
	r.User, r.Resource, r.Prefer = user, threadBudget(user, ref.Chat), []string{preferUnknownEnums}
	object, err := c.graph.Object(ctx, r)
	if err != nil {
		return nil, err
	}
	item, err := c.item(owner, ref.Chat, object.Body)
	if err != nil {
		return nil, err
	}
	return requireID(item.Event())
}

// requireID refuses an event whose record had no id: what Graph answered was not the record that was asked for.
func requireID(event *parleyv1.Event, err error) (*parleyv1.Event, error) {
	if err == nil && event.GetSource().GetId() == "" {
		return nil, malformed("the record has no id", nil)
	}
	return event, err
}

// item normalizes one message. asked is the chat that was asked for it, if one was. Old deletions (an empty body and no
// time of deletion) are events like any other.
func (m *messages) item(owner, asked string, record []byte) (Item, error) {
	d, err := m.draft(graphmap.RootChatMessage, record)
	if err != nil {
		return Item{}, err
	}
	defer d.Release()
	kind := messageKind(parleyv1.MessageType(d.Number(d.Child(eventDetail, eventwire.ChatDetailMessageType))),
		len(d.Text(d.Child(eventDetail, eventwire.ChatDetailMessageTypeOther))) > 0, d.Child(eventRoot, eventwire.EventSystem) != graphmap.NoNode)
	d.AddNumber(eventRoot, eventwire.EventKind, int64(kind))
	d.AddNumber(eventRoot, eventwire.EventVersion, messageVersion(d))
	thread := cmp.Or(textOf(d, eventSource, eventwire.EventSourceChatID), textOf(d, d.Child(eventDetail, eventwire.ChatDetailChannel), eventwire.ChannelIdentityChannelID), asked)
	at, timed := d.Time(d.Child(eventRoot, eventwire.EventUpdateTime))
	if !timed {
		at, timed = d.Time(d.Child(eventRoot, eventwire.EventCreateTime))
	}
	ref := resource.Ref{Source: parleyv1.Source_SOURCE_CHAT, Chat: thread, ID: textOf(d, eventSource, eventwire.EventSourceID)}
	fillReply(d, owner, thread)
	fillHosted(d, owner, ref)
	return m.base.item(d, eventIdentity{owner: owner, conversation: thread, record: record, time: at, timed: timed, ref: ref}), nil
}

// messageKind decides by the type of the message, whether it is of a type that the contract does not know, and whether it has
// an event detail.
func messageKind(messageType parleyv1.MessageType, other, system bool) parleyv1.EventKind {
	switch messageType {
	case parleyv1.MessageType_MESSAGE_TYPE_SYSTEM_EVENT_MESSAGE:
		return parleyv1.EventKind_EVENT_KIND_SYSTEM
	case parleyv1.MessageType_MESSAGE_TYPE_MESSAGE:
		return parleyv1.EventKind_EVENT_KIND_MESSAGE
	default:
	}
	switch {
	case system: // unknownFutureValue hides a system message from clients without the Prefer header
		return parleyv1.EventKind_EVENT_KIND_SYSTEM
	case messageType == parleyv1.MessageType_MESSAGE_TYPE_UNSPECIFIED && !other:
		return parleyv1.EventKind_EVENT_KIND_MESSAGE
	default:
		return parleyv1.EventKind_EVENT_KIND_OTHER
	}
}

// messageVersion grows with every change that Graph tells of: the entity tag and all times are milliseconds.
func messageVersion(d *graphmap.Draft) int64 {
	version := max(etagNumber(textOf(d, eventSource, eventwire.EventSourceEtag)), millisOf(d, d.Child(eventRoot, eventwire.EventUpdateTime)),
		millisOf(d, d.Child(eventRoot, eventwire.EventEditTime)), millisOf(d, d.Child(eventRoot, eventwire.EventDeleteTime)))
	for r := d.Child(eventDetail, eventwire.ChatDetailReactions); r != graphmap.NoNode; r = d.Sibling(r) {
		version = max(version, millisOf(d, d.Child(r, eventwire.ReactionCreateTime)))
	}
	if version == 0 {
		version = millisOf(d, d.Child(eventRoot, eventwire.EventCreateTime))
	}
	return version
}
