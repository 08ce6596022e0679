package source

import (
	"context"
	"errors"
	"strings"

	"google.golang.org/protobuf/types/known/structpb"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/graphclient/graph"
)

// members reads the members of one chat.
type members struct{ base }

func newMembers(client Graph, opt Options) members {
	return members{base: newBase(client, opt, parleyv1.Source_SOURCE_CONVERSATION)}
}

// errStop ends each early without a failure.
var errStop = errors.New("source: enough was read")

// each calls visit for every member, with the properties that no field of it takes, until visit returns an error; errStop ends it without
// one.
func (m *members) each(ctx context.Context, user, chat string, visit func(*parleyv1.ConversationMember, *structpb.Struct) error) error {
	path, err := chatPath(user, chat, "/members")
	if err != nil {
		return err
	}
	table, err := m.table()
	if err != nil {
		return err
	}
	r := m.request(ctx, path, "")
	r.User, r.Resource = user, threadBudget(user, chat)
	err = eachRecord(ctx, m.graph, r, func(record []byte) error {
		member, extra, err := table.Member(record)
		if err != nil {
			return malformed("a member cannot be read", err)
		}
		return visit(member, extra)
	})
	if errors.Is(err, errStop) {
		return nil
	}
	return err
}

// verify returns nil when the chat is one of the user's, and an error of kind NotFound when it is not.
func (m *members) verify(ctx context.Context, user, chat string) error {
	if isPersonalThread(user, chat) {
		return nil
	}
	found, err := m.include(ctx, user, chat)
	switch {
	case found:
		return nil
	case err == nil:
		return notFound("the user is not a member of the chat")
	case !withheld(err):
		return err
	}
	r, err := m.chatRequest(ctx, user, chat)
	if err == nil {
		_, err = m.graph.Object(ctx, r)
	}
	return err
}

// chatRequest asks for a chat under the user's own path.
func (m *members) chatRequest(ctx context.Context, user, chat string) (graph.Request, error) {
	path, err := chatPath(user, chat, "")
	r := m.request(ctx, path, "")
	r.User, r.Resource, r.Prefer = user, threadBudget(user, chat), []string{preferUnknownEnums}
	return r, err
}

// include reports whether the user is a member of the chat. With an error, the members that could be read do not include the user.
func (m *members) include(ctx context.Context, user, chat string) (bool, error) {
	found := false
	err := m.each(ctx, user, chat, func(member *parleyv1.ConversationMember, _ *structpb.Struct) error {
		if found = isMember(member, user); found {
			return errStop
		}
		return nil
	})
	return found, err
}

// isMember compares object ids, and for a user principal name the address of the member.
func isMember(member *parleyv1.ConversationMember, user string) bool {
	if user == "" {
		return false
	}
	if strings.EqualFold(member.GetUserId(), user) {
		return true
	}
	return strings.Contains(user, "@") && strings.EqualFold(member.GetEmail(), user)
}
