package service

import (
	"context"
	"maps"
	"slices"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"github.com/parley-gateway/parley/eventwire/view"
	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/internal/reasons"
	"github.com/parley-gateway/parley/resource"
	"github.com/parley-gateway/parley/server/apierror"
	"github.com/parley-gateway/parley/server/callinfo"
	"github.com/parley-gateway/parley/source"
	"github.com/parley-gateway/parley/timeline/query"
)

// events is the EventService.
type events struct {
	parleyv1.UnimplementedEventServiceServer

	*Services

	// The handler of ListEvents and its info, made once for all calls.
	list     grpc.UnaryHandler
	listInfo *grpc.UnaryServerInfo
}

var _ parleyv1.EventServiceServer = (*events)(nil)

type eventSender = sender[parleyv1.StreamEventsResponse, *parleyv1.StreamEventsResponse]

// StreamEvents sends all frames.
func (e *events) StreamEvents(req *parleyv1.StreamEventsRequest, stream grpc.ServerStreamingServer[parleyv1.StreamEventsResponse]) error {
	access, q, err := e.prepare(stream.Context(), req, nil)
	if err != nil {
		return err
	}
	q.Reconnect = callinfo.FromContext(stream.Context()).Reconnecting()
	return runStream(e.streams, stream, access, func(ctx context.Context, out *eventSender) error {
		take := out.sendBatch
		if namesAsked(req.GetEnrich()) {
			take = namedBatches(ctx, access, &q, out)
		}
		return e.engine.StreamBatches(ctx, sourcesWithNames(access, &q, req.GetEnrich()), q, req.GetResumeToken(), take, out.sendFrame)
	})
}

// prepare reads and authorizes a request, and proves that the conversation that it names, if it names one, is the user's. around is the
// anchor of the request; nil = it has none.
func (e *events) prepare(ctx context.Context, req eventsRequest, around *anchor) (*accessGrant, query.Events, error) {
	user, q, scope, err := readEvents(req)
	if err != nil {
		return nil, q, err
	}
	scope.sources = around.addSource(scope.sources)
	access, err := e.authorizer.authorizeUser(ctx, fieldParent, user, scope)
	if err != nil {
		return nil, q, err
	}
	if err := around.check(access, q.OrderBy); err != nil {
		return nil, q, err
	}
	q.Caller, q.Tenant, q.BoundTo = access.binding()
	if namesAsked(req.GetEnrich()) {
		q.BoundTo += " names"
	}
	q.Owner, q.User, q.Narrow = access.owner, access.graphUser(), !access.allUsers
	if err := setSources(access, &q); err != nil {
		return nil, q, err
	}
	if q.Conversation != "" {
		lookup := conversationLookup{engine: e.engine, access: access, id: q.Conversation, field: fieldParent, sources: q.Sources}
		if q.Lifetime, q.EmptySources, err = lookup.verify(ctx); err != nil {
			return nil, q, err
		}
	}
	return access, q, nil
}

// setSources sets the sources of the query that can be asked about the parent of the request, and those that cannot. It refuses a request
// that names sources which its parent does not have. A source that the request names stays, even if it is not configured.
func setSources(access *accessGrant, q *query.Events) error {
	if access.owner == resource.AnyUser {
		return setTenantSources(access, q)
	}
	if q.Conversation != "" && len(q.Sources) == 0 {
		q.Sources = configuredSources(access)
	}
	var err error
	q.Unavailable, err = access.unavailable(q.Sources)
	return err
}

// setTenantSources is setSources for the users of the tenant together, of whom only the calls can be read.
func setTenantSources(access *accessGrant, q *query.Events) error {
	const call = parleyv1.Source_SOURCE_CALL
	if slices.ContainsFunc(q.Sources, func(src parleyv1.Source) bool { return src != call }) {
		return access.refuseWildcard(fieldParent)
	}
	if q.Conversation != "" {
		q.Sources = []parleyv1.Source{call}
	}
	q.Unavailable = access.tenant.Unavailable
	return nil
}

// configuredSources are the sources that the caller may read and the gateway has, or that its cloud lacks. Where there is none, all are
// returned, and the engine refuses them.
func configuredSources(access *accessGrant) []parleyv1.Source {
	configured := slices.DeleteFunc(slices.Clone(access.scope.sources), func(src parleyv1.Source) bool {
		_, unavailable := access.tenant.Unavailable[src]
		return !unavailable && access.sources.Events[src] == nil
	})
	if len(configured) == 0 {
		return access.scope.sources
	}
	return configured
}

// unavailable returns the sources that cannot be asked, with the states to report: those that the cloud lacks, and the calls of a user
// whose object id is not known. Calls alone of such a user are an error.
func (t *callTarget) unavailable(asked []parleyv1.Source) (map[parleyv1.Source]parleyv1.SourceState, error) {
	const call = parleyv1.Source_SOURCE_CALL
	if !t.unresolved {
		return t.tenant.Unavailable, nil
	}
	if len(asked) > 0 && !slices.ContainsFunc(asked, func(src parleyv1.Source) bool { return src != call }) {
		return nil, errUserID(fieldParent)
	}
	unavailable := maps.Clone(t.tenant.Unavailable)
	if unavailable == nil {
		unavailable = make(map[parleyv1.Source]parleyv1.SourceState, 1)
	}
	if _, known := unavailable[call]; !known {
		unavailable[call] = parleyv1.SourceState_SOURCE_STATE_FAILED
	}
	return unavailable, nil
}

// explainUnresolved gives the reason of a source that was not asked because the user's object id is unknown.
func explainUnresolved(access *accessGrant, reports []*parleyv1.SourceReport) {
	if !access.unresolved {
		return
	}
	for _, report := range reports {
		if report.GetSource() == parleyv1.Source_SOURCE_CALL && report.GetState() == parleyv1.SourceState_SOURCE_STATE_FAILED {
			report.Reason = reasons.Text(parleyv1.ErrorReason_ERROR_REASON_USER_ID_REQUIRED)
		}
	}
}

// GetEvent reads one event whole.
func (e *events) GetEvent(ctx context.Context, req *parleyv1.GetEventRequest) (*parleyv1.Event, error) {
	user, ref, err := resource.ParseEvent(req.GetName())
	if err != nil {
		return nil, err
	}
	if err := checkEnrich(req.GetEnrich()); err != nil {
		return nil, err
	}
	shape := view.OfOne(req.GetView())
	access, err := e.authorizer.authorizeUser(ctx, fieldName, user, accessScope{
		sources: []parleyv1.Source{ref.Source}, view: viewWithNames(shape, req.GetEnrich()),
	})
	if err != nil {
		return nil, err
	}
	event, err := access.event(ctx, fieldName, ref)
	if err != nil {
		return nil, err
	}
	if namesAsked(req.GetEnrich()) {
		event = proto.CloneOf(event) // it may be a cached one
		access.names("", shape).Event(ctx, event)
	}
	shown, ok := view.Apply(event, shape).(*parleyv1.Event)
	if !ok {
		return nil, apierror.ForReason(parleyv1.ErrorReason_ERROR_REASON_INTERNAL)
	}
	return shown, nil
}

// event reads one event of the user, whose name the request has in a field.
func (g *accessGrant) event(ctx context.Context, field string, ref resource.Ref) (*parleyv1.Event, error) {
	switch {
	case ref.Source != parleyv1.Source_SOURCE_CALL:
		if err := g.refuseWildcard(field); err != nil {
			return nil, err
		}
	case g.unresolved:
		return nil, errUserID(field)
	}
	getter := g.sources.Getters[ref.Source]
	if err := g.checkAvailable(ref.Source); err != nil || getter == nil {
		return nil, apierror.ForReason(parleyv1.ErrorReason_ERROR_REASON_SOURCE_NOT_IN_CLOUD)
	}
	event, err := getter.Event(source.WithPriority(ctx, source.Interactive), g.owner, g.graphUser(), ref)
	if g.isNotMember(err) {
		return nil, apierror.ForReason(parleyv1.ErrorReason_ERROR_REASON_NOT_FOUND)
	}
	if err != nil {
		return nil, apierror.WithSource(ref.Source, err)
	}
	return event, nil
}
