package pager

import (
	"context"

	"github.com/parley-gateway/parley/eventwire/view"
	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/resource"
	"github.com/parley-gateway/parley/source"
	"github.com/parley-gateway/parley/timeline/filter"
	"github.com/parley-gateway/parley/timeline/frame"
	"github.com/parley-gateway/parley/timeline/query"
)

// showChat returns how a chat is shown by a view.
func showChat(v parleyv1.EventView) func(*parleyv1.Conversation) *parleyv1.Conversation {
	return func(c *parleyv1.Conversation) *parleyv1.Conversation {
		shown, _ := view.Apply(c, v).(*parleyv1.Conversation) // what goes in comes out
		return shown
	}
}

// conversations opens the pager of a request.
func (l *Lister) conversations(sources query.Sources, req *query.Conversations, token, field string) (*pager[*parleyv1.Conversation], error) {
	compiled, err := req.CompileFilter()
	if err != nil {
		return nil, err
	}
	ask := source.ConversationQuery{Owner: req.Owner, User: req.User, ByLastMessage: req.ByLastMessage}
	var pushed []string
	ask.MemberName, ask.InstalledApp, pushed = compiled.PushChats()
	graph := func(ctx context.Context, link string) (*chatPage, error) {
		return sources.Conversations.Conversations(ctx, ask, link)
	}
	chats := api[*parleyv1.Conversation]{
		source: parleyv1.Source_SOURCE_CONVERSATION, digest: req.Digest(), concealed: req.Narrow,
		key: func(c *parleyv1.Conversation) string { return c.GetName() },
		read: func(ctx context.Context, link string) (graphPage[*parleyv1.Conversation], error) {
			return single(graph(ctx, link))
		},
	}
	if req.ByLastMessage {
		chats.read = (&chatOrder{graph: graph}).read
	}
	if compiled != nil {
		chats.pushed, chats.evaluated = pushed, compiled.Evaluated()
		chats.match = func(ctx context.Context, row *parleyv1.Conversation, unfiltered bool) (matches, known bool, err error) {
			return matchChat(ctx, sources.Conversations, req, compiled, row, !unfiltered)
		}
	}
	return open(&l.cfg, chats, token, field)
}

// matchChat evaluates a filter on a chat. pushed says that Graph evaluated its part of the filter. Graph's word is then taken for
// what the list entry leaves open; otherwise the chat is read whole, with all its members.
func matchChat(
	ctx context.Context, reader source.ConversationReader, req *query.Conversations, f *filter.Filter,
	row *parleyv1.Conversation, pushed bool,
) (matches, known bool, err error) {
	result := f.MatchChat(row, pushed)
	if result == filter.Unknown {
		_, id, nameErr := resource.ParseConversation(row.GetName())
		if nameErr != nil {
			return false, false, nil //nolint:nilerr // a chat without a proper name cannot be read: nobody can tell
		}
		whole, readErr := reader.Conversation(ctx, req.Owner, req.User, id)
		if ctx.Err() != nil {
			return false, false, ctx.Err()
		}
		if readErr == nil {
			result = f.MatchChat(whole, pushed)
		}
	}
	return result == filter.True, result != filter.Unknown, nil
}

// openConversations opens the rows of a request.
func (l *Lister) openConversations(
	sources query.Sources, req *query.Conversations, token, field string,
) (rows[*parleyv1.Conversation], error) {
	if len(req.Derived()) == 0 {
		return l.conversations(sources, req, token, field)
	}
	return l.openConversationRows(sources, req, token, field)
}

// ListConversations answers one page of a user's conversations.
func (l *Lister) ListConversations(
	ctx context.Context, sources query.Sources, req query.Conversations, token string, size int,
) (*parleyv1.ListConversationsResponse, error) {
	p, err := l.openConversations(sources, &req, token, "page_token")
	if err != nil {
		return nil, err
	}
	defer p.close()
	page, err := list(ctx, &l.cfg, p, size, showChat(req.ShownView()))
	if err != nil {
		return nil, err
	}
	return &parleyv1.ListConversationsResponse{
		Conversations: page.rows, NextPageToken: page.token, Complete: page.complete, Notices: p.News(), Sources: page.reports(),
	}, nil
}

// StreamConversations emits all of a user's conversations as frames. Errors are as StreamEvents says.
func (l *Lister) StreamConversations(
	ctx context.Context, sources query.Sources, req query.Conversations, token string,
	emit func(*parleyv1.StreamConversationsResponse) error,
) error {
	p, err := l.openConversations(sources, &req, token, "resume_token")
	if err != nil {
		return err
	}
	type response = parleyv1.StreamConversationsResponse
	return stream(ctx, &l.cfg, p, req.Reconnect, shape[*parleyv1.Conversation, *response]{
		show: showChat(req.ShownView()),
		batch: func(rows []*parleyv1.Conversation) *response {
			return &response{Frame: &parleyv1.StreamConversationsResponse_Batch{Batch: &parleyv1.ConversationBatch{Conversations: rows}}}
		},
		Frames: frame.Frames[*response]{
			Notice: func(n *parleyv1.Notice) *response {
				return &response{Frame: &parleyv1.StreamConversationsResponse_Notice{Notice: n}}
			},
			Checkpoint: func(p *parleyv1.Checkpoint) *response {
				return &response{Frame: &parleyv1.StreamConversationsResponse_Checkpoint{Checkpoint: p}}
			},
			Summary: func(s *parleyv1.Summary) *response {
				return &response{Frame: &parleyv1.StreamConversationsResponse_Summary{Summary: s}}
			},
		},
	}, emit)
}
