// Package callinfo holds the facts of a call that interceptors and services share: one Info in the context of each call. An interceptor
// or a service writes what it finds out, such as the caller or the tenant, and others read it: limits, audit, logs and metrics. The package
// decides nothing.
package callinfo

import (
	"context"
	"strings"
	"sync/atomic"

	"google.golang.org/grpc/metadata"

	"github.com/parley-gateway/parley/cache"
	"github.com/parley-gateway/parley/graphclient/graph"
	"github.com/parley-gateway/parley/graphclient/ratelimit"
	"github.com/parley-gateway/parley/server/admission"
	"github.com/parley-gateway/parley/server/audit"
	"github.com/parley-gateway/parley/server/authn"
	"github.com/parley-gateway/parley/server/authz"
	"github.com/parley-gateway/parley/server/lifetime"
	"github.com/parley-gateway/parley/server/requestid"
)

// Protocols by which a call may come, as audit records name them.
const (
	GRPC = "grpc"
	REST = "rest"
)

// Headers of a request that services read.
const (
	HeaderTenant = "parley-tenant"
	HeaderReason = "parley-reason"
	HeaderFields = "parley-fields"
)

// FieldsParameter is the query parameter that stands for HeaderFields over REST. It is no field of a request: every method takes it.
const FieldsParameter = "fields"

// apiPrefix begins the methods of the API; health, reflection and channelz do not have it.
const apiPrefix = "/parley.v1."

// IsAPI reports whether a full method name is that of a method of the API.
func IsAPI(method string) bool { return strings.HasPrefix(method, apiPrefix) }

// Info holds the facts of one call, by concern. Only the goroutine that handles the call writes it, but for GraphRequests, which is
// atomic. Who writes and who reads each part stands with the part; logs read Transport, CallerID and Tenant as well, and metrics Transport and Tenant.
type Info struct {
	Transport
	Lifetime
	Identity
	Access
	Freshness
	Sent

	// Record is the audit record of the call. The interceptor audit owns it: it opens the record and ends it with the outcome. The
	// services' authorizer writes the intents into it, before anything is read, and the denial.
	Record audit.Call
}

// Transport has the facts that the transport knows about a call. NewContext writes it, and where spans of the call are recorded, the
// interceptor trace writes TraceID and Traced anew; everybody reads it.
type Transport struct {
	// TraceID is the id of the trace that the call belongs to: the caller's, as its traceparent says, or else that of the recorded spans.
	// It is empty where there is neither.
	TraceID string
	// Traced is set where spans of the call are recorded.
	Traced bool
	// ID is the request id, RPC the method's name without its service, and Protocol how the call came: GRPC or REST. Logs, spans and metrics
	// call it transport.
	ID, RPC, Protocol string
	// Admission is the call on its connection; nil where nothing bounds it.
	Admission *admission.Request
	// HTTP is the REST request behind the call; nil for gRPC.
	HTTP *HTTPRequest
}

// Lifetime has the hold of a call, and the functions that end it early. NewContext and the interceptor hold write Hold, hold writes AbortGRPC,
// and limits writes Eviction; limits and the streams of the services read them.
type Lifetime struct {
	// Hold keeps the resources of the call until its answer is out; nil where it has none.
	Hold *lifetime.Hold
	// AbortGRPC ends a stream over gRPC although it waits for its client; nil = it cannot be ended so.
	AbortGRPC func(err error)
	// Eviction ends a stream for others; nil for unary calls.
	Eviction *lifetime.Eviction

	hold lifetime.Hold // room for what Hold points to, so that it is allocated with the info
}

// Identity is the caller of a call. The interceptor identity writes it; limits, recheck and the services read it.
type Identity struct {
	Caller *authn.Caller
	// CallerID is the caller's stable id, which graphclient reads from the context to count requests by caller.
	CallerID string
}

// Access is the access that a call has. The services' authorizer writes it, in authorizeUser alone. The interceptors recheck and answer
// headers read Grant; metrics, logging and trace read Tenant. It stands here and is no result of a method, since their
// signatures are generated, and recheck needs it before the first frame of a stream.
type Access struct {
	// Tenant is the alias of the tenant that is read.
	Tenant string
	// Grant is what the policy has allowed; nil until it did.
	Grant *Grant

	grant Grant // room for what Grant points to
}

// Freshness says where the parts of the answer of a unary call come from. The interceptor freshness writes it; answer headers reads it.
type Freshness struct {
	// Recorder notes whether the parts come from the cache, if Recording is set; the cache finds it in the context.
	Recorder  cache.Recorder
	Recording bool
}

// Sent counts the data that a call has handed out, and its cost. The interceptor audit writes what was handed out, graphclient counts its requests;
// logging and trace read both.
type Sent struct {
	// Rows are the events, conversations, rows of a report or users that were handed out; logs, spans and audit call all of them events.
	// Complete is the answer's own word; nil where it has none.
	Rows     int64
	Complete *bool
	// GraphRequests counts the requests to Graph that were sent for the call. Those that it shares count for the call that came first.
	GraphRequests atomic.Int64
}

// Grant is a request that the policy allowed, with its conditions.
type Grant struct {
	Request authz.Request
	// AllUsers is set where the deciding rule is not narrower than all users.
	AllUsers bool
	// OnBehalf is set where the policy has Graph asked on behalf of the caller.
	OnBehalf bool
}

type infoKey struct{}

// callContext is the context of a call; it holds the call's info.
type callContext struct {
	context.Context //nolint:containedctx // it is one itself

	info Info
}

// Value implements context.Context.
func (c *callContext) Value(key any) any {
	switch key.(type) {
	case infoKey:
		return &c.info
	case cache.RecorderKey:
		if c.info.Recording {
			return &c.info.Recorder
		}
	case graph.SentKey:
		return &c.info.GraphRequests
	case ratelimit.CallerKey:
		if c.info.CallerID != "" {
			return &c.info.CallerID
		}
	}
	return c.Context.Value(key)
}

// NewContext returns a context with the info of a call that begins, filled with the facts that the transport knows. The request id comes
// from the HTTP request if there is one, else from the caller, else it is new.
func NewContext(ctx context.Context, method, protocol string) context.Context {
	c := &callContext{Context: ctx, info: Info{
		Transport: Transport{
			ID: requestid.FromContext(ctx), RPC: method[strings.LastIndexByte(method, '/')+1:], Protocol: protocol,
			Admission: admission.RequestOf(ctx), HTTP: httpOf(ctx),
		},
		Lifetime: Lifetime{Hold: lifetime.HoldFromContext(ctx)},
	}}
	if c.info.ID == "" {
		c.info.ID = requestid.Of(metadata.ValueFromIncomingContext(ctx, requestid.Header))
	}
	c.info.TraceID = traceIDOf(metadata.ValueFromIncomingContext(ctx, headerTraceparent))
	return c
}

// FromContext returns the info of a call; outside of a call a new one, with the request id alone, if the context has one.
func FromContext(ctx context.Context) *Info {
	if info, ok := ctx.Value(infoKey{}).(*Info); ok {
		return info
	}
	return &Info{Transport: Transport{ID: requestid.FromContext(ctx)}}
}

// BeginHold returns the hold of the call, and makes it if the transport made none.
func (i *Info) BeginHold() *lifetime.Hold {
	if i.Hold == nil {
		i.Hold = &i.hold
	}
	return i.Hold
}

// OnWritten has a function run when the answer of the call is out; at once where the call holds nothing.
func (i *Info) OnWritten(end func()) {
	if i.Hold == nil {
		end()
		return
	}
	i.Hold.OnEnd(end)
}

// EndSoon ends the call's hold soon; see lifetime.Hold.
func (i *Info) EndSoon() {
	if i.Hold != nil {
		i.Hold.EndSoon()
	}
}

// AbortStream ends a stream even while it waits for its client. Over gRPC, err is the status of the stream.
func (i *Info) AbortStream(err error) {
	switch {
	case i.AbortGRPC != nil:
		i.AbortGRPC(err)
	case i.HTTP != nil && i.HTTP.Abort != nil:
		i.HTTP.Abort()
	}
}

// Reconnecting reports whether an EventSource makes the call that comes back with its last id. If this is the id of a summary, the
// stream has ended and nothing is sent.
func (i *Info) Reconnecting() bool { return i.HTTP != nil && i.HTTP.Reconnect }

// NoteGrant notes what the policy allowed.
func (i *Info) NoteGrant(grant Grant) { i.grant, i.Grant = grant, &i.grant }

// Header returns the first value of a header of the request, or "".
func Header(ctx context.Context, name string) string {
	if values := metadata.ValueFromIncomingContext(ctx, name); len(values) > 0 {
		return values[0]
	}
	return ""
}
