package source

import (
	"context"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
)

// RetainedChat reads getAllRetainedMessages: the messages of a user's chats that a retention policy holds, deleted ones too. Its items
// have the keys and uids of the messages, for a retained copy is the same message; Source and time tell where it was read.
type RetainedChat struct{ messages }

var _ EventReader = (*RetainedChat)(nil)

// NewRetainedChat returns the source of retained chat messages.
func NewRetainedChat(client Graph, opt Options) *RetainedChat {
	return &RetainedChat{messages{newBase(client, opt, parleyv1.Source_SOURCE_RETAINED_CHAT)}}
}

// Events implements EventReader. The API takes the filters of getAllMessages and no model.
func (c *RetainedChat) Events(ctx context.Context, q EventQuery, link string) (*Page[Item], error) {
	attempts, err := c.exportAttempts(ctx, q, link, "getAllRetainedMessages")
	if err != nil {
		return nil, err
	}
	page, _, err := answeredPage(ctx, &c.base, attempts, func(record []byte) (Item, error) {
		return c.item(q.Owner, "", record)
	})
	return page, err
}
