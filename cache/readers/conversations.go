package readers

import (
	"context"

	"github.com/parley-gateway/parley/cache"
	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/source"
)

type conversations struct {
	scoped

	next source.ConversationReader
}

var _ source.ConversationReader = (*conversations)(nil)

// Conversations decorates a reader of chats. Single chats are cached too: they verify membership for each page of a
// chat's events, and Graph allows one request a second for a chat. A member who leaves is seen after Config.Other.
func (d *Decorator) Conversations(next source.ConversationReader, scope Scope) source.ConversationReader {
	return &conversations{d.in(scope), next}
}

// Conversations implements source.ConversationReader.
func (r *conversations) Conversations(
	ctx context.Context, q source.ConversationQuery, link string,
) (*source.Page[*parleyv1.Conversation], error) {
	key := r.scope.key("conversations")
	key.Text(q.Owner, q.User, q.MemberName, q.InstalledApp)
	key.Flags(q.ByLastMessage)
	return getPage(ctx, &r.scoped, key, link, func(ctx context.Context) (cache.Fetched[*source.Page[*parleyv1.Conversation]], error) {
		page, err := r.next.Conversations(ctx, q, link)
		return fetchedPage(page, err, r.cfg.Other, resident)
	})
}

// Conversation implements source.ConversationReader.
func (r *conversations) Conversation(ctx context.Context, owner, user, id string) (*parleyv1.Conversation, error) {
	key := r.scope.key("conversation")
	key.Text(owner, user, id)
	answer, err := get(ctx, &r.scoped, key, "", func(ctx context.Context) (cache.Fetched[*parleyv1.Conversation], error) {
		found, err := r.next.Conversation(ctx, owner, user, id)
		return cache.Fetched[*parleyv1.Conversation]{Value: found, Life: r.cfg.Other, Size: rowOverhead + resident(found)}, err
	})
	return answer.Value, err
}
