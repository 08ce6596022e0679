package service

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/graphclient/graph"
	"github.com/parley-gateway/parley/internal/reasons"
	"github.com/parley-gateway/parley/resource"
	"github.com/parley-gateway/parley/server/apierror"
	"github.com/parley-gateway/parley/source"
	"github.com/parley-gateway/parley/timeline"
	"github.com/parley-gateway/parley/timeline/query"
	"github.com/parley-gateway/parley/timeline/window"
)

// lookupTime bounds the search for a conversation in a call without a deadline.
const lookupTime = 20 * time.Second

// creationSlack is how long before the creation of a chat its Copilot interactions and calls are searched, because clocks differ.
const creationSlack = time.Hour

// conversationLookup looks for one conversation of a user: verify proves that it is the user's, and describe (lookupdescribe.go) says what
// it is. The proof is the chat, which has the user as a member, or else an event of the user in the conversation: a call, or a Copilot
// interaction. Only sources that the call may read are read, so that no answer reveals what the caller may not read.
type conversationLookup struct {
	engine  ConversationFinder
	access  *accessGrant
	id      string
	field   string // field of the request that names the conversation
	sources []parleyv1.Source
}

// mayRead reports whether the call may read one of the sources.
func (l *conversationLookup) mayRead(sources ...parleyv1.Source) bool {
	return slices.ContainsFunc(sources, func(src parleyv1.Source) bool { return slices.Contains(l.sources, src) })
}

// isThread reports whether the id can be that of a chat: every id of a chat has an @, but for the threads that every user has.
func (l *conversationLookup) isThread() bool {
	return strings.Contains(l.id, "@") || source.EveryUserHas(l.id)
}

// refuseNoCall refuses a conversation of the whole tenant that can hold no call.
func (l *conversationLookup) refuseNoCall() error {
	if l.isThread() {
		return nil
	}
	return l.access.refuseWildcard(l.field)
}

// lookupContext bounds a search.
func lookupContext(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, lookupTime)
}

// verify proves that the conversation is one of the user's. It returns the time in which it can have events, and the sources that hold none
// of them.
func (l *conversationLookup) verify(ctx context.Context) (window.Span, []parleyv1.Source, error) {
	ctx, cancel := lookupContext(ctx)
	defer cancel()
	const call = parleyv1.Source_SOURCE_CALL
	if record, ok := resource.CallOfConversation(l.id); ok {
		event, err := l.record(ctx, record)
		if err != nil {
			return window.Span{}, nil, err
		}
		empty := slices.DeleteFunc(source.EventSources(), func(src parleyv1.Source) bool { return src == call })
		if at := event.GetEventTime(); at.IsValid() {
			return window.Span{Start: at.AsTime(), End: at.AsTime().Add(time.Millisecond)}, empty, nil
		}
		return window.Span{}, empty, nil
	}
	if l.access.owner == resource.AnyUser {
		return window.Span{}, nil, l.refuseNoCall() // nothing to prove: the caller may read every call of the tenant
	}
	chat, err := l.chat(ctx)
	if err != nil {
		return window.Span{}, nil, err
	}
	if chat != nil {
		return lifeOf(chat), nil, nil
	}
	if err := l.verifyByEvents(ctx); err != nil {
		return window.Span{}, nil, err
	}
	empty := messageSources()
	if !l.isThread() {
		empty = append(empty, call)
	}
	return window.Span{}, empty, nil
}

// messageSources returns the sources of chat messages.
func messageSources() []parleyv1.Source {
	return slices.DeleteFunc(source.EventSources(), func(src parleyv1.Source) bool {
		api := source.Describe(src)
		return !api.HasMessages()
	})
}

// lifeOf is the time in which a chat can have Copilot interactions and calls.
func lifeOf(chat *parleyv1.Conversation) window.Span {
	var life window.Span
	for _, created := range []*timestamppb.Timestamp{chat.GetCreateTime(), chat.GetOriginalCreateTime()} {
		if at := created.AsTime().Add(-creationSlack); created.IsValid() && (life.Start.IsZero() || at.Before(life.Start)) {
			life.Start = at
		}
	}
	return life
}

// chat returns the chat, and nil where the user has none of this id and the conversation may be another.
func (l *conversationLookup) chat(ctx context.Context) (*parleyv1.Conversation, error) {
	if !l.isThread() || !l.mayRead(append(messageSources(), parleyv1.Source_SOURCE_CONVERSATION)...) {
		return nil, nil //nolint:nilnil // no chat and no fault
	}
	found, err := l.access.chat(ctx, l.id)
	if err == nil || !l.mayRead(parleyv1.Source_SOURCE_COPILOT, parleyv1.Source_SOURCE_CALL) || !absent(err) {
		return found, err
	}
	if deniedByGraph(err) {
		// The chat may be the user's for all that is known, and its events tell less than that.
		if l.verifyByEvents(ctx) != nil {
			return nil, err
		}
	}
	return nil, nil //nolint:nilnil // as above
}

// absent reports whether an error says that Graph has no chat of an id for the user, now and when it is asked again.
func absent(err error) bool {
	if own, ok := errors.AsType[*apierror.Error](err); ok {
		return own.Reason == parleyv1.ErrorReason_ERROR_REASON_NOT_FOUND
	}
	return isKind(err, graph.KindNotFound) || isKind(err, graph.KindBadRequest) || isKind(err, graph.KindGone) || deniedByGraph(err)
}

// verifyByEvents returns nil when an event of the user is in the conversation: a call, else a Copilot interaction.
func (l *conversationLookup) verifyByEvents(ctx context.Context) error {
	sources := l.eventSources()
	if len(sources) == 0 {
		return errNotFound()
	}
	var missing error
	for _, src := range sources {
		last, reading, err := l.engine.LastEvent(ctx, l.access.sources, l.query(src, window.Span{}))
		if err != nil || last != nil {
			return err
		}
		if err := notFoundBy(reading); missing == nil || isNotFound(missing) {
			missing = err
		}
	}
	return missing
}

// eventSources are the sources whose events can be in a conversation without a chat, and which the call may read.
func (l *conversationLookup) eventSources() []parleyv1.Source {
	var sources []parleyv1.Source
	if l.isThread() && l.mayRead(parleyv1.Source_SOURCE_CALL) && !l.access.unresolved {
		sources = append(sources, parleyv1.Source_SOURCE_CALL)
	}
	if l.mayRead(parleyv1.Source_SOURCE_COPILOT) {
		sources = append(sources, parleyv1.Source_SOURCE_COPILOT)
	}
	return sources
}

// record reads the record of a call without a thread, in which the user has a part.
func (l *conversationLookup) record(ctx context.Context, id string) (*parleyv1.Event, error) {
	if !l.mayRead(parleyv1.Source_SOURCE_CALL) {
		return nil, errNotFound()
	}
	if l.access.unresolved {
		return nil, errUserID(l.field)
	}
	event, err := l.access.event(ctx, l.field, resource.Ref{Source: parleyv1.Source_SOURCE_CALL, ID: id})
	if err != nil {
		return nil, err
	}
	if event.GetConversation() != l.name() {
		return nil, errNotFound() // the call belongs to a thread
	}
	return event, nil
}

func (l *conversationLookup) name() string { return resource.Conversation(l.access.owner, l.id) }

// query asks for the events of the conversation in one source.
func (l *conversationLookup) query(src parleyv1.Source, life window.Span) query.Events {
	caller, tenant, permission := l.access.binding()
	return query.Events{
		Caller: caller, Tenant: tenant, BoundTo: permission, Owner: l.access.owner, User: l.access.graphUser(), Conversation: l.id,
		Sources: []parleyv1.Source{src}, Unavailable: l.access.tenant.Unavailable, Narrow: !l.access.allUsers, Lifetime: life,
	}
}

// notFoundBy is the error of a conversation that a source does not hold. Where the source could not be read, now but perhaps later, that
// is the error.
func notFoundBy(reading *timeline.Reading) error {
	switch reading.Report.GetState() {
	case parleyv1.SourceState_SOURCE_STATE_THROTTLED, parleyv1.SourceState_SOURCE_STATE_FAILED:
		if reading.Err != nil && !isKind(reading.Err, graph.KindNotFound) {
			return reading.Err
		}
	default:
	}
	for _, gap := range reading.Report.GetGaps() {
		switch gap.GetReason() {
		case reasons.Text(parleyv1.ErrorReason_ERROR_REASON_GRAPH_UNAVAILABLE), reasons.Text(parleyv1.ErrorReason_ERROR_REASON_GRAPH_THROTTLED):
			return apierror.ForReason(parleyv1.ErrorReason_ERROR_REASON_GRAPH_UNAVAILABLE)
		}
	}
	return errNotFound()
}

func errNotFound() *apierror.Error {
	return apierror.ForReason(parleyv1.ErrorReason_ERROR_REASON_NOT_FOUND)
}

func isNotFound(err error) bool {
	own, ok := errors.AsType[*apierror.Error](err)
	return ok && own.Reason == parleyv1.ErrorReason_ERROR_REASON_NOT_FOUND
}
