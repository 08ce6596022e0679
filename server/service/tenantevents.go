package service

import (
	"context"
	"fmt"
	"strings"

	"google.golang.org/grpc"

	"github.com/parley-gateway/parley/eventwire/view"
	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/resource"
	"github.com/parley-gateway/parley/server/apierror"
	"github.com/parley-gateway/parley/server/callinfo"
	"github.com/parley-gateway/parley/server/lifetime"
	"github.com/parley-gateway/parley/server/metrics"
	"github.com/parley-gateway/parley/timeline"
	"github.com/parley-gateway/parley/timeline/query"
)

// StreamTenantEvents sends all frames. To the policy and in audit records it is about the whole tenant, whichever users it names.
func (e *events) StreamTenantEvents(req *parleyv1.StreamTenantEventsRequest, stream grpc.ServerStreamingServer[timeline.TenantFrame]) error {
	ctx := stream.Context()
	q, scope, err := readTenantEvents(req)
	if err != nil {
		return err
	}
	access, err := e.authorizer.authorizeUser(ctx, "users", resource.AnyUser, scope)
	if err != nil {
		return err
	}
	q.Caller, q.Tenant, q.BoundTo = access.binding()
	q.Unavailable, q.Reconnect = access.tenant.Unavailable, callinfo.FromContext(ctx).Reconnecting()
	if access.tenant.Plans != nil {
		q.Plan = access.tenant.Plans.Copilot
	}
	return e.streams.run(ctx, func(ctx context.Context, closer *lifetime.StreamCloser) error {
		leave, err := e.running.enter(ctx, q.Identity(), req.GetResumeToken() != "", closer.Stop)
		if err != nil {
			return err
		}
		defer leave()
		out := &tenantSender{stream, closer, e.streams}
		return e.engine.StreamTenantBatches(ctx, access.sources, q, req.GetResumeToken(), out.sendBatch, out.sendFrame)
	})
}

// readTenantEvents reads a request as readEvents does.
func readTenantEvents(req *parleyv1.StreamTenantEventsRequest) (q query.Tenant, scope accessScope, err error) {
	if q.Start, err = instant("start_time", req.GetStartTime()); err != nil {
		return q, scope, err
	}
	if q.End, err = instant("end_time", req.GetEndTime()); err != nil {
		return q, scope, err
	}
	q.Sources, q.View, q.Filter = req.GetSources(), req.GetView(), req.GetFilter()
	if err := q.CheckFilter(); err != nil {
		return q, scope, err
	}
	if err := readUsers(req, &q); err != nil {
		return q, scope, err
	}
	q.Deduplicate = req.GetDeduplicate()
	return q, accessScope{
		sources: eventSources(q.Sources, "", ""), view: view.OfList(q.View), start: q.Start, end: q.End,
	}, nil
}

// readUsers reads which users a request asks for.
func readUsers(req *parleyv1.StreamTenantEventsRequest, q *query.Tenant) error {
	const field = "user_ids"
	if q.Users = req.GetUserIds(); len(q.Users) > 0 && req.GetUsers() != parleyv1.UserSelection_USER_SELECTION_UNSPECIFIED {
		return apierror.Invalid(field, "goes without `users`: give a selection or ids")
	}
	q.Licensed = req.GetUsers() == parleyv1.UserSelection_USER_SELECTION_LICENSED
	for i, id := range q.Users {
		at := fmt.Sprintf("%s[%d]", field, i)
		switch {
		case id == me || id == resource.AnyUser:
			return apierror.Invalid(at, "must be an object id; to read all users, leave the ids out")
		case strings.Contains(id, "@"):
			return apierror.Invalid(at, "must be an object id; GET /v1/users finds the id of a user principal name")
		}
		if err := resource.ValidateUser(id); err != nil {
			return apierror.Invalid(at, "must be an object id: at most 256 characters, without slashes and control characters")
		}
	}
	if shard := req.GetShard(); shard != nil {
		if shard.GetCount() < 1 || shard.GetIndex() < 0 || shard.GetIndex() >= shard.GetCount() {
			return apierror.Invalid("shard.index", "must be less than the count")
		}
		q.Shard, q.Shards = int(shard.GetIndex()), int(shard.GetCount())
	}
	return nil
}

// tenantSender sends the frames of one stream over the tenant.
type tenantSender struct {
	stream grpc.ServerStreamingServer[timeline.TenantFrame]
	closer *lifetime.StreamCloser
	shared *streams
}

// sendFrame sends one frame.
func (s *tenantSender) sendFrame(frame *timeline.TenantFrame) error {
	part, token := lifetime.PartOf(frame), frame.GetCheckpoint().GetResumeToken()
	if summary := frame.GetSummary(); summary != nil {
		token = summary.GetResumeToken()
		for _, failures := range summary.GetFailures() {
			s.shared.metrics.StreamIncomplete(metrics.SourceLabel(failures.GetSource()), failures.GetReason())
		}
	}
	return s.closer.SendFrame(part, token, func() error { return s.stream.Send(frame) })
}

// sendBatch sends a batch of encoded events as a frame, as sender.sendBatch does. The field of the batch has the same number in both frames.
func (s *tenantSender) sendBatch(batch *timeline.Batch) error {
	return s.closer.SendFrame(lifetime.Content, "", func() error { return s.stream.SendMsg(batch) })
}
