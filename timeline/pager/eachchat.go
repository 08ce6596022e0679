package pager

import (
	"context"
	"errors"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/source"
	"github.com/parley-gateway/parley/source/links"
	"github.com/parley-gateway/parley/timeline/failure"
)

// EachChat calls visit for every chat of a query, in Graph's order, until it returns false. The list is at its end after a page without
// a link. A link that was followed before, and more than maxPages pages, are a *failure.Error of the reason PAGING_LOOP or
// TOO_MANY_PAGES: the rest of the list is not known.
func EachChat(
	ctx context.Context, reader source.ConversationReader, q source.ConversationQuery, maxPages int, visit func(*parleyv1.Conversation) bool,
) error {
	doubt, err := eachPage(maxPages, func(link string) (next string, err error) {
		page, err := reader.Conversations(ctx, q, link)
		if err != nil {
			return "", err
		}
		for _, chat := range page.Items {
			if !visit(chat) {
				return "", nil
			}
		}
		return page.Next, nil
	})
	if err == nil && doubt != failure.None {
		return chatsUnread(doubt)
	}
	return err
}

// eachPage calls read for the pages of a chain, from the first one on, until read returns no link. doubt says why the chain was not
// followed to its end: a link was followed before, or there are more than maxPages pages.
func eachPage(maxPages int, read func(link string) (next string, err error)) (doubt parleyv1.ErrorReason, err error) {
	followed := links.Set{}
	for link, pages := "", 1; ; pages++ {
		if link, err = read(link); err != nil {
			return failure.None, err
		}
		if more, doubt := followed.Follow(link, pages, maxPages); !more {
			return doubt, nil
		}
	}
}

func chatsUnread(reason parleyv1.ErrorReason) error {
	return &failure.Error{Reason: reason, Source: parleyv1.Source_SOURCE_CONVERSATION, Message: failure.Explain(reason, nil)}
}

// failureOf is what an error of the chats means: a reason that is known, else the meaning of Graph's error.
func failureOf(err error) failure.Failure {
	f := failure.Classify(err)
	if known, ok := errors.AsType[*failure.Error](err); ok {
		f.Reason = known.Reason
		if known.Err != nil {
			f.State = failure.Classify(known.Err).State
		}
	}
	return f
}

// ChatsNotice is the notice about chats that were not read, all or some.
func ChatsNotice(err error) *parleyv1.Notice {
	return failure.Notice(parleyv1.Source_SOURCE_CONVERSATION, failureOf(err).Reason, err)
}
