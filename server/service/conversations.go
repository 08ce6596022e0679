package service

import (
	"context"

	"google.golang.org/grpc"

	"github.com/parley-gateway/parley/eventwire/view"
	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/resource"
	"github.com/parley-gateway/parley/server/apierror"
	"github.com/parley-gateway/parley/server/callinfo"
	"github.com/parley-gateway/parley/timeline/query"
)

// conversations is the ConversationService.
type conversations struct {
	parleyv1.UnimplementedConversationServiceServer

	*Services
}

var _ parleyv1.ConversationServiceServer = (*conversations)(nil)

// ListConversations answers with one page.
func (c *conversations) ListConversations(ctx context.Context, req *parleyv1.ListConversationsRequest) (*parleyv1.ListConversationsResponse, error) {
	access, q, err := c.prepare(ctx, req)
	if err != nil {
		return nil, err
	}
	return c.engine.ListConversations(ctx, access.sources, q, req.GetPageToken(), pageSize(req.GetPageSize()))
}

type conversationSender = sender[parleyv1.StreamConversationsResponse, *parleyv1.StreamConversationsResponse]

// StreamConversations sends all frames.
func (c *conversations) StreamConversations(req *parleyv1.StreamConversationsRequest, stream grpc.ServerStreamingServer[parleyv1.StreamConversationsResponse]) error {
	access, q, err := c.prepare(stream.Context(), req)
	if err != nil {
		return err
	}
	q.Reconnect = callinfo.FromContext(stream.Context()).Reconnecting()
	return runStream(c.streams, stream, access, func(ctx context.Context, out *conversationSender) error {
		return c.engine.StreamConversations(ctx, access.sources, q, req.GetResumeToken(), out.sendFrame)
	})
}

// prepare reads and authorizes a request.
func (c *conversations) prepare(ctx context.Context, req conversationsRequest) (*accessGrant, query.Conversations, error) {
	user, q, scope, err := readConversations(req)
	if err != nil {
		return nil, q, err
	}
	access, err := c.authorizer.authorizeUser(ctx, fieldParent, user, scope)
	if err != nil {
		return nil, q, err
	}
	if err := access.refuseWildcard(fieldParent); err != nil {
		return nil, q, err
	}
	if q.HasChats() {
		if err := access.checkAvailable(parleyv1.Source_SOURCE_CONVERSATION); err != nil {
			return nil, q, err
		}
	}
	if q.Unavailable, err = access.unavailable(q.Sources); err != nil {
		return nil, q, err
	}
	q.Caller, q.Tenant, q.BoundTo = access.binding()
	q.Owner, q.User, q.Narrow = access.owner, access.graphUser(), !access.allUsers
	return access, q, nil
}

// GetConversation reads one conversation.
func (c *conversations) GetConversation(ctx context.Context, req *parleyv1.GetConversationRequest) (*parleyv1.Conversation, error) {
	user, id, err := resource.ParseConversation(req.GetName())
	if err != nil {
		return nil, err
	}
	shape := view.OfOne(req.GetView())
	access, err := c.authorizer.authorizeUser(ctx, fieldName, user, accessScope{
		candidates: describingSources(user), view: shape, conversation: true,
	})
	if err != nil {
		return nil, err
	}
	lookup := conversationLookup{engine: c.engine, access: access, id: id, field: fieldName, sources: access.scope.sources}
	found, err := lookup.describe(ctx)
	if err != nil {
		return nil, err
	}
	shown, ok := view.Apply(found, shape).(*parleyv1.Conversation)
	if !ok {
		return nil, apierror.ForReason(parleyv1.ErrorReason_ERROR_REASON_INTERNAL)
	}
	return shown, nil
}

// chat reads a chat that the user is a member of; it is also the proof of membership.
func (g *accessGrant) chat(ctx context.Context, id string) (*parleyv1.Conversation, error) {
	const src = parleyv1.Source_SOURCE_CONVERSATION
	if err := g.checkAvailable(src); err != nil {
		return nil, err
	}
	if g.sources.Conversations == nil {
		return nil, apierror.ForReason(parleyv1.ErrorReason_ERROR_REASON_SOURCE_NOT_IN_CLOUD)
	}
	found, err := g.sources.Conversations.Conversation(ctx, g.owner, g.graphUser(), id)
	if g.isNotMember(err) {
		return nil, apierror.ForReason(parleyv1.ErrorReason_ERROR_REASON_NOT_FOUND)
	}
	if err != nil {
		return nil, apierror.WithSource(src, err)
	}
	return found, nil
}
