package pager

import (
	"cmp"
	"context"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/internal/reasons"
	"github.com/parley-gateway/parley/source"
	"github.com/parley-gateway/parley/source/links"
)

// Bounds of a list of chats that is sorted here.
const (
	maxSortedChats = 5000
	maxSortedBytes = 16 << 20 // as protobuf
	sortedPart     = 50       // chats of a part, as many as a page of Graph
)

type chatPage = source.Page[*parleyv1.Conversation]

// chatOrder returns a user's chats in the order of their last message, newest first. Some clouds refuse to order chats, or ignore the
// order. Then the whole list is read, sorted here and returned as the first page. A list that is too long for that comes as Graph sends
// it, with a notice.
type chatOrder struct {
	graph   func(ctx context.Context, link string) (*chatPage, error)
	noticed bool
	last    time.Time // time of the oldest last message so far; zero = not known
}

// read returns the first page, or the page of a link.
func (o *chatOrder) read(ctx context.Context, link string) (graphPage[*parleyv1.Conversation], error) {
	page, err := o.graph(ctx, link)
	if err != nil {
		return single(page, err)
	}
	if link == "" {
		o.last = time.Time{}
	}
	var ordered bool
	if o.last, ordered = inOrder(page.Items, o.last); ordered && !page.Unordered {
		return single(page, nil)
	}
	if link == "" {
		list, err := o.readAll(ctx, page)
		if err != nil {
			return graphPage[*parleyv1.Conversation]{}, err
		}
		if list != nil {
			return list.asPage(page), nil
		}
	}
	unsorted, err := single(page, nil)
	if !o.noticed {
		o.noticed = true
		unsorted.notice = &parleyv1.Notice{
			Code: reasons.Code(parleyv1.NoticeCode_NOTICE_CODE_ORDER_NOT_KEPT), Source: parleyv1.Source_SOURCE_CONVERSATION,
			Message: "Graph did not order the chats by their last message, and they could not be sorted here; they come as Graph sends them",
		}
	}
	return unsorted, err
}

// readAll reads the list from its first page to its end and sorts it. It is nil for a list that cannot be sorted here: one that is
// too long, takes longer than the call has, breaks off, or does not say when the last messages were written.
func (o *chatOrder) readAll(ctx context.Context, first *chatPage) (*chatList, error) {
	reading, cancel := context.WithCancel(ctx)
	if deadline, ok := ctx.Deadline(); ok {
		// A quarter of the time is left to answer with what there is.
		reading, cancel = context.WithTimeout(ctx, time.Until(deadline)*3/4)
	}
	defer cancel()
	list := &chatList{}
	list.add(first)
	followed := links.Set{}
	for page := first; page.Next != ""; {
		if !list.timed || len(list.chats) > maxSortedChats || list.bytes > maxSortedBytes || !followed.Add(page.Next) {
			return nil, nil //nolint:nilnil // no list and no fault: the caller goes on without
		}
		var err error
		if page, err = o.graph(reading, page.Next); err != nil {
			return nil, ctx.Err() // any other failure meets the pager again after the first page, and is handled there
		}
		list.add(page)
	}
	if !list.timed && len(list.chats) > 1 {
		return nil, nil //nolint:nilnil // as above
	}
	list.sort()
	return list, nil
}

// chatList is a list of chats that was read whole, each chat once. It hands them out in parts.
type chatList struct {
	chats                   []*parleyv1.Conversation
	bytes                   int
	timed                   bool // some chat tells when its last message was written
	pages, cached, requests int
}

var _ source.Rows[*parleyv1.Conversation] = (*chatList)(nil)

// asPage returns the list in place of its first page.
func (l *chatList) asPage(first *chatPage) graphPage[*parleyv1.Conversation] {
	page := *first
	page.FromCache = l.cached == l.pages
	page.Items, page.Lazy, page.Next, page.Rows, page.Requests = nil, l, "", len(l.chats), l.requests
	return graphPage[*parleyv1.Conversation]{Page: &page, pages: int64(l.pages), cached: int64(l.cached)}
}

func (l *chatList) add(page *chatPage) {
	l.pages++
	if page.FromCache {
		l.cached++
	} else {
		l.requests += page.Requests
	}
	l.chats = append(l.chats, page.Items...)
	for _, chat := range page.Items {
		l.bytes += proto.Size(chat)
		l.timed = l.timed || chat.GetLastMessageTime() != nil
	}
}

// sort orders the chats by their last message, newest first, then by name; chats without a message come last. Of a chat that Graph
// sent several times the newest stays.
func (l *chatList) sort() {
	slices.SortStableFunc(l.chats, func(a, b *parleyv1.Conversation) int {
		x, y := a.GetLastMessageTime(), b.GetLastMessageTime()
		switch {
		case x == nil && y == nil:
		case x == nil:
			return 1
		case y == nil:
			return -1
		default:
			if order := y.AsTime().Compare(x.AsTime()); order != 0 {
				return order
			}
		}
		return cmp.Compare(a.GetName(), b.GetName())
	})
	had := make(map[string]bool, len(l.chats))
	l.chats = slices.DeleteFunc(l.chats, func(chat *parleyv1.Conversation) bool {
		again := chat.GetName() != "" && had[chat.GetName()]
		had[chat.GetName()] = true
		return again
	})
}

// Len implements source.Rows.
func (l *chatList) Len() int { return len(l.chats) }

// Cost implements source.Rows.
func (l *chatList) Cost() int64 { return int64(l.bytes) }

// Part implements source.Rows.
func (l *chatList) Part(i int) (chats []*parleyv1.Conversation, from int, err error) {
	from = i - i%sortedPart
	return l.chats[from:min(from+sortedPart, len(l.chats))], from, nil
}

// inOrder reports whether chats come in the order of their last messages, newest first, after a chat of a given time. It returns
// the time of the last chat. Chats without a message are passed over.
func inOrder(chats []*parleyv1.Conversation, last time.Time) (time.Time, bool) {
	for _, chat := range chats {
		if chat.GetLastMessageTime() == nil {
			continue
		}
		at := chat.GetLastMessageTime().AsTime()
		if !last.IsZero() && at.After(last) {
			return at, false
		}
		last = at
	}
	return last, true
}
