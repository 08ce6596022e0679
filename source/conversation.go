package source

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"google.golang.org/protobuf/types/known/structpb"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/graphclient/graph"
	"github.com/parley-gateway/parley/internal/reasons"
	"github.com/parley-gateway/parley/resource"
	"github.com/parley-gateway/parley/source/graphmap"
)

// The members of a chat, read to their end, verify that it is a user's. Where Graph withholds the members, since it refuses them to
// the application and not to the user, the chat under the user's own path verifies it. After a temporary failure it is unverified.

// Conversation implements ConversationReader: the chat itself and all pages of its members; a membership that the pages repeat
// is one member.
func (c *Conversations) Conversation(ctx context.Context, owner, user, id string) (*parleyv1.Conversation, error) {
	if isPersonalThread(user, id) {
		return c.personalThread(ctx, owner, user, id)
	}
	r, err := c.members.chatRequest(ctx, user, id)
	if err != nil {
		return nil, err
	}
	answer, err := c.graph.Object(ctx, r)
	if err != nil {
		return c.fromMembers(ctx, owner, user, id, err)
	}
	chat, err := c.conversation(owner, answer.Body)
	if err != nil {
		return nil, err
	}
	found, err := c.readMembers(ctx, user, chat, id)
	switch {
	case err == nil && !found:
		return nil, notFound("the user is not a member of the chat")
	case err != nil && !withheld(err):
		return nil, err
	case err != nil:
		chat.MembersTruncated = len(chat.GetMembers()) > 0
		chat.Notices = append(chat.Notices, notice(parleyv1.NoticeCode_NOTICE_CODE_MEMBERS_NOT_READ, "Graph did not give the members of this chat, or not all of them"))
	}
	return chat, nil
}

// fromMembers makes a conversation of members alone, after Graph refused the chat with an error.
func (c *Conversations) fromMembers(ctx context.Context, owner, user, id string, refused error) (*parleyv1.Conversation, error) {
	if !withheld(refused) {
		return nil, refused
	}
	chat := c.bare(owner, id)
	found, err := c.readMembers(ctx, user, chat, id)
	switch {
	case err != nil && !withheld(err) && !found:
		return nil, err
	case found:
		chat.MembersTruncated = err != nil
		chat.Notices = append(chat.Notices, notice(parleyv1.NoticeCode_NOTICE_CODE_CHAT_NOT_READ, "Graph gave the members of this chat and not the chat itself"))
		return chat, nil
	default:
		return nil, refused
	}
}

// personalThread returns a thread that is no chat. It exists if Graph gives its messages, and its member is the user.
func (c *Conversations) personalThread(ctx context.Context, owner, user, id string) (*parleyv1.Conversation, error) {
	path, err := chatPath(user, id, "/messages")
	if err != nil {
		return nil, err
	}
	r := c.request(ctx, path, "", graph.Param{Name: "$top", Value: "1"})
	r.API, r.User, r.Resource = graph.APIChat, user, threadBudget(user, id)
	page, err := c.graph.Page(ctx, r)
	if err != nil {
		if graphErr, ok := errors.AsType[*graph.Error](err); ok && graphErr.Kind == graph.KindBadRequest {
			return nil, notFound("the user has no such thread")
		}
		return nil, err
	}
	page.Release()
	thread := c.bare(owner, id)
	member := &parleyv1.ConversationMember{UserId: user}
	if strings.Contains(user, "@") {
		member = &parleyv1.ConversationMember{Email: user}
	}
	thread.Members = []*parleyv1.ConversationMember{member}
	return thread, nil
}

// bare returns a conversation of which the id alone is known.
func (c *Conversations) bare(owner, id string) *parleyv1.Conversation {
	kind := parleyv1.ConversationKind_CONVERSATION_KIND_OTHER
	switch {
	case strings.HasPrefix(id, meetingThreadPrefix):
		kind = parleyv1.ConversationKind_CONVERSATION_KIND_MEETING
	case strings.HasSuffix(id, pairSuffix):
		kind = parleyv1.ConversationKind_CONVERSATION_KIND_ONE_ON_ONE
	}
	return &parleyv1.Conversation{
		Name: resource.Conversation(owner, id), Uid: conversationUID(c.opt.Tenant, id, owner), ChatId: id, Kind: kind,
	}
}

// readMembers reads the members of a chat into it, and reports whether the user is one of them.
func (c *Conversations) readMembers(ctx context.Context, user string, chat *parleyv1.Conversation, id string) (found bool, err error) {
	chat.Members = nil
	known := map[string]bool{}
	err = c.members.each(ctx, user, id, func(member *parleyv1.ConversationMember, extra *structpb.Struct) error {
		if known[member.GetId()] {
			return nil
		}
		known[member.GetId()] = member.GetId() != ""
		found = found || isMember(member, user)
		chat.Unmapped = graphmap.Merge(chat.GetUnmapped(), extra, "members", strconv.Itoa(len(chat.GetMembers())))
		chat.Members = append(chat.Members, member)
		return nil
	})
	return found, err
}

// withheld reports whether an error means that Graph does not give the data, now or when it is asked again.
func withheld(err error) bool {
	if errors.Is(err, errEndless) {
		return true
	}
	graphErr, ok := errors.AsType[*graph.Error](err)
	if !ok {
		return false
	}
	switch graphErr.Kind {
	case graph.KindNotFound, graph.KindGone, graph.KindBadRequest, graph.KindLinkNotFound, graph.KindLinkRefused:
		return true
	default:
		return graphErr.Kind.Denied()
	}
}

func notice(code parleyv1.NoticeCode, message string) *parleyv1.Notice {
	return &parleyv1.Notice{Code: reasons.Code(code), Message: message, Source: parleyv1.Source_SOURCE_CONVERSATION}
}
