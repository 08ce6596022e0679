package source

import (
	"bytes"
	"context"

	"google.golang.org/protobuf/proto"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/graphclient/graph"
	"github.com/parley-gateway/parley/resource"
	"github.com/parley-gateway/parley/source/odata"
	"github.com/parley-gateway/parley/source/plaintext"
)

const (
	chatsPageSize  = "50" // the maximum
	chatsOrder     = "lastMessagePreview/createdDateTime desc"
	expandMembers  = "members"
	expandAll      = "members,lastMessagePreview"
	maxListMembers = 25 // $expand=members stops there without a word
)

// Conversations reads a user's chats.
type Conversations struct {
	base

	members members
}

var _ ConversationReader = (*Conversations)(nil)

// NewConversations returns the source of chats.
func NewConversations(client Graph, opt Options) *Conversations {
	return &Conversations{base: newBase(client, opt, parleyv1.Source_SOURCE_CONVERSATION), members: newMembers(client, opt)}
}

// Conversations implements ConversationReader. It asks Graph for members, the last message, the order and the filter
// together; after a refusal it leaves them out step by step. A page that was asked for without the filter is Unfiltered, one without
// the order Unordered.
func (c *Conversations) Conversations(ctx context.Context, q ConversationQuery, link string) (*Page[*parleyv1.Conversation], error) {
	attempts, err := c.attempts(ctx, q, link)
	if err != nil {
		return nil, err
	}
	page, _, err := answeredPage(ctx, &c.base, attempts, func(record []byte) (*parleyv1.Conversation, error) {
		chat, err := c.conversation(q.Owner, record)
		if err == nil {
			chat.MembersTruncated = len(chat.GetMembers()) >= maxListMembers || isTruncated(record, expandMembers)
		}
		return chat, err
	})
	return page, err
}

// isTruncated reports whether a record links to the rest of one of its lists.
func isTruncated(record []byte, list string) bool {
	if !bytes.Contains(record, []byte(list+"@")) {
		return false
	}
	all, err := properties(record)
	return err == nil && nextLink(all, list) != ""
}

func (c *Conversations) attempts(ctx context.Context, q ConversationQuery, link string) ([]attempt, error) {
	path, err := userPath(q.User, "/chats")
	if err != nil {
		return nil, err
	}
	ask := func(expand, order, filter string) graph.Request {
		query := []graph.Param{{Name: "$top", Value: chatsPageSize}}
		for _, p := range []graph.Param{{Name: "$expand", Value: expand}, {Name: "$orderby", Value: order}, {Name: "$filter", Value: filter}} {
			if p.Value != "" {
				query = append(query, p)
			}
		}
		r := c.request(ctx, path, link, query...)
		r.User, r.Prefer = q.User, []string{preferUnknownEnums}
		return r
	}
	order := ""
	if q.ByLastMessage && ordersChats(c.opt.Cloud) {
		order = chatsOrder
	}
	filter := chatsFilter(q)
	unordered := q.ByLastMessage && order == ""
	attempts := []attempt{{request: ask(expandAll, order, filter), unordered: unordered}}
	if link != "" {
		return attempts, nil
	}
	if order != "" {
		attempts = append(attempts, attempt{name: "no order", request: ask(expandAll, "", filter), unordered: true})
	}
	attempts = append(attempts, attempt{name: "members alone", request: ask(expandMembers, order, filter), unordered: unordered})
	if filter != "" {
		attempts = append(attempts, attempt{name: "no filter", request: ask(expandAll, order, ""), unordered: unordered, unfiltered: true})
	}
	if filter != "" && order != "" {
		attempts = append(attempts, attempt{name: "no filter, no order", request: ask(expandAll, "", ""), unordered: true, unfiltered: true})
	}
	attempts = append(attempts, attempt{name: "plain list", request: ask("", "", ""), unordered: q.ByLastMessage, unfiltered: filter != ""})
	return attempts, nil
}

func chatsFilter(q ConversationQuery) string {
	var terms []string
	if q.MemberName != "" {
		terms = append(terms, "members/any(o: o/displayname eq "+odata.Literal(q.MemberName)+")")
	}
	if q.InstalledApp != "" {
		terms = append(terms, "installedApps/any(a:a/teamsApp/id eq "+odata.Literal(q.InstalledApp)+")")
	}
	return odata.AllOf(terms...)
}

// conversation normalizes one chat.
func (c *Conversations) conversation(owner string, record []byte) (*parleyv1.Conversation, error) {
	table, err := c.table()
	if err != nil {
		return nil, err
	}
	chat, err := table.Conversation(record)
	if err != nil {
		return nil, malformed("a chat cannot be read", err)
	}
	if id := chat.GetChatId(); id != "" {
		chat.Name = resource.Conversation(owner, id)
		chat.Uid = conversationUID(c.opt.Tenant, id, owner)
	}
	switch chat.GetChatType() {
	case parleyv1.ChatType_CHAT_TYPE_ONE_ON_ONE:
		chat.Kind = parleyv1.ConversationKind_CONVERSATION_KIND_ONE_ON_ONE
	case parleyv1.ChatType_CHAT_TYPE_GROUP:
		chat.Kind = parleyv1.ConversationKind_CONVERSATION_KIND_GROUP
	case parleyv1.ChatType_CHAT_TYPE_MEETING:
		chat.Kind = parleyv1.ConversationKind_CONVERSATION_KIND_MEETING
	default:
		chat.Kind = parleyv1.ConversationKind_CONVERSATION_KIND_OTHER
	}
	if last := chat.GetLastMessage(); last != nil {
		fillPreview(last.GetBody())
		chat.LastMessageTime = proto.CloneOf(last.GetCreateTime())
	}
	return chat, nil
}

// fillPreview derives the plain text of the last message's body. Previews come without their attachments.
func fillPreview(body *parleyv1.Body) {
	if body == nil {
		return
	}
	body.ContentSize = size(len(body.GetContent()))
	body.PlainText = plaintext.Plain(plaintext.Input{
		Content: body.GetContent(), ContentType: contentType(body.GetMessageBodyContentType(), body.GetContentType()),
	})
}

// ordersChats reports whether the cloud's list of chats knows $orderby: US Government clouds do not.
func ordersChats(cloud string) bool {
	known, err := graph.CloudByName(cloud)
	return err != nil || known.Name != graph.CloudUSL4 && known.Name != graph.CloudUSL5
}
