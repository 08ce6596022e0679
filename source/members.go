package source

import (
	"context"
	"crypto/sha256"
	"errors"
	"strings"

	"google.golang.org/protobuf/types/known/structpb"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/graphclient/graph"
)

// maxPages bounds the pages of one list inside a Get; links that repeat end it earlier.
const maxPages = 10_000

// members reads the members of one chat.
type members struct{ base }

func newMembers(client Graph, opt Options) members {
	return members{base: newBase(client, opt, parleyv1.Source_SOURCE_CONVERSATION)}
}

// errEndless says that the pages of a list lead in a circle, or nowhere.
var errEndless = errors.New("source: the pages have no end")

// errStop ends each early without a failure.
var errStop = errors.New("source: enough was read")

// each calls visit for every member and what of it has no field, page by page, until it returns an error; errStop is no
// failure.
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
	r.User, r.Resource, r.Prefer = user, threadBudget(user, chat), []string{preferUnknownMembers}
	return r, err
}

// include reports whether the user is a member of the chat. With an error, the members that could be read do not tell.
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

// eachRecord follows a list from its first request to its last page and calls visit for each record. A link that Graph gave and
// does not know any more makes it read the list once more from its start; records that were visited are then skipped.
func eachRecord(ctx context.Context, client Graph, first graph.Request, visit func(record []byte) error) error {
	r := first
	seen := map[string]bool{}
	visited := map[[sha256.Size]byte]int{} // how many equal records
	passed := map[[sha256.Size]byte]int{}  // how many of them came in the second reading
	again := false
	for range maxPages {
		page, err := client.Page(ctx, r)
		if err != nil && r.Link != "" && isLost(err) && !again {
			again, r = true, first
			clear(seen)
			continue
		}
		if err != nil {
			return err
		}
		for _, record := range page.Records {
			digest := sha256.Sum256(record)
			if again && passed[digest] < visited[digest] {
				passed[digest]++
				continue
			}
			if !again {
				visited[digest]++
			}
			if err := visit(record); err != nil {
				return err
			}
		}
		if page.NextLink == "" {
			return nil
		}
		if seen[page.NextLink] {
			return malformed("a list inside a record repeats its pages", errEndless)
		}
		seen[page.NextLink] = true
		r.Path, r.Query, r.Link = "", nil, page.NextLink
	}
	return malformed("a list inside a record has no end", errEndless)
}
