package rest

import (
	"context"
	"log/slog"
	"math"
	"net/http"
	"net/url"
	"time"

	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/parley-gateway/parley/server/apierror"
	"github.com/parley-gateway/parley/server/callinfo"
	"github.com/parley-gateway/parley/server/inproc"
)

// call is the state of one request in the mux. The hooks of the mux and the interceptor Conditional find it in their context.
type call struct {
	rpc  inproc.Call
	http callinfo.HTTPRequest

	verb    string
	headers metadata.MD // of the request, as far as the services read them
	out     response
	logger  *slog.Logger
	ctx     context.Context //nolint:containedctx // the request's, with the call's deadline
	cancel  context.CancelFunc
	gzip    bool // the client accepts gzip

	method *method // set by checkRequest
	posted bool    // the request came as the body of a POST
	// clientNames are the names by which the client gave the fields of the request, in either spelling.
	clientNames map[protoreflect.Name]string

	// An answer that is one message.
	conditions []string // If-None-Match
	tag        string   // its entity tag; "" = none
	release    func()   // returns its buffer to the pool

	// A stream.
	sse       bool   // as server-sent events
	lastEvent string // the token of Last-Event-ID
	lines     lines
}

// newCall returns the call of a request. The caller ends it.
func newCall(w http.ResponseWriter, r *http.Request, logger *slog.Logger) *call {
	c := &call{
		verb: r.Method, headers: knownHeaders(r.Header), out: response{ResponseWriter: w}, logger: logger,
		conditions: r.Header["If-None-Match"], gzip: acceptsGzip(r.Header["Accept-Encoding"]),
	}
	c.rpc.TLS = r.TLS
	c.http.Abort = c.out.abort
	c.ctx, c.cancel = context.WithCancel(r.Context())
	return c
}

// reads reports whether the verb is one of reading.
func (c *call) reads() bool { return c.verb == http.MethodGet || c.verb == http.MethodHead }

// muxRequest returns the request for the mux: a GET of the decoded path with the parsed query and without headers. Anything else that a
// client can send means nothing to this API, and some of it means something to the mux: overrides of the method, forms, the
// headers of proxies, trailers, metadata. The mux gets other verbs as GET too, so that checkRequest can refuse them according to the path, and
// a POST with a body as a GET with the same query. A request that cannot be read goes to its method as well, with http.Unreadable and without
// parameters; an error is one of the path.
func (h *Handler) muxRequest(c *call, w http.ResponseWriter, r *http.Request) (*http.Request, error) {
	path, err := decodePath(r.URL.EscapedPath())
	values := url.Values{}
	switch m := h.methods[path]; {
	case m != nil && m.post && r.Method == http.MethodPost:
		c.posted = true
		boundRead(w) // holds on after an error: net/http reads on in what was not read
		if values, c.http.Unreadable = h.readPost(c, w, r, m); c.http.Unreadable == nil {
			unboundRead(w)
		}
	case !c.reads() && err != nil:
		return nil, errMethod()
	case err != nil:
		return nil, err
	case c.reads():
		values, c.http.Unreadable = c.readGet(r)
	}
	if c.http.Unreadable != nil {
		values = url.Values{}
	}
	return c.newRequest(path, values), nil
}

// readGet reads headers and query of a GET.
func (c *call) readGet(r *http.Request) (url.Values, error) {
	if r.ContentLength != 0 {
		return nil, apierror.Invalid("body", "a GET of this API has no body; give query parameters")
	}
	if err := c.readHeaders(r); err != nil {
		return nil, err
	}
	return parseQuery(r.URL.RawQuery)
}

// readPost reads headers and body of a POST as the query that means the same.
func (h *Handler) readPost(c *call, w http.ResponseWriter, r *http.Request, m *method) (url.Values, error) {
	if err := c.readHeaders(r); err != nil {
		return nil, err
	}
	query, err := parseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, err
	}
	leave, err := h.admitBody(inproc.ServerContext(c.outgoing()), bodySize(r))
	if err != nil {
		return nil, err
	}
	defer leave()
	values, err := m.readBody(w, r)
	if err != nil {
		return nil, err
	}
	for name, given := range query {
		if name != callinfo.FieldsParameter {
			return nil, apierror.Invalid(printable(name), "is given as a query parameter; a POST has its request in the body")
		}
		values[name] = given
	}
	return values, nil
}

// outgoing returns the context in which the method of the call is called.
func (c *call) outgoing() context.Context {
	return metadata.NewOutgoingContext(&callContext{c.ctx, c}, c.headers)
}

// newRequest makes a request of a path and a form.
func (c *call) newRequest(path string, values url.Values) *http.Request {
	r := &http.Request{
		Method: http.MethodGet, URL: &url.URL{Path: path}, Header: http.Header{}, Body: http.NoBody,
		Form: values, PostForm: url.Values{}, // both are set, so the mux parses nothing
	}
	return r.WithContext(&callContext{c.ctx, c})
}

// parseQuery splits a query string; errors quote nothing of it.
func parseQuery(raw string) (url.Values, error) {
	values, err := url.ParseQuery(raw)
	if err != nil {
		return nil, apierror.Invalid("query", "the query string is not valid: separate parameters with & and percent-encode their values")
	}
	return values, nil
}

// readHeaders reads the headers that the services do not see.
func (c *call) readHeaders(r *http.Request) error {
	switch given := r.Header["Grpc-Timeout"]; {
	case len(given) == 1:
		timeout, ok := parseTimeout(given[0])
		if !ok {
			return errTimeout()
		}
		outer := c.cancel
		ctx, cancel := context.WithTimeout(c.ctx, timeout)
		c.ctx, c.cancel = ctx, func() { cancel(); outer() }
	case len(given) > 1:
		return errTimeout()
	}
	if c.sse = wantsSSE(r.Header); c.sse {
		last := r.Header["Last-Event-Id"]
		if len(last) > 1 {
			return apierror.Invalid("last-event-id", "the header is given more than once; send it once")
		}
		if len(last) == 1 {
			c.lastEvent = last[0]
		}
	}
	return nil
}

// end ends the context of the call, waits for the handler of its stream, and completes the response.
func (c *call) end() {
	c.cancel()
	c.rpc.End()
	c.http.End()
	c.out.end()
	if c.release != nil {
		c.release()
	}
}

// finish marks the answer as complete. Of a stream that ended without a frame the mux wrote nothing: its status is written here. If an
// EventSource came back after the end of its stream, a 204 stops it from coming again.
func (c *call) finish() {
	switch {
	case c.out.headersSent:
	case c.http.Reconnect:
		c.out.undoGzip()
		header := c.out.Header()
		header.Del("Content-Type")
		header.Del("X-Accel-Buffering")
		c.out.WriteHeader(http.StatusNoContent)
	case c.method != nil && c.method.stream:
		c.out.Header().Set("Content-Type", marshaler{c.sse}.StreamContentType(nil))
		c.out.WriteHeader(http.StatusOK)
	}
	c.out.complete = true
}

type callKey struct{}

// callContext is the context in which the mux runs a call. It holds the call for this package, for the in-process connection and for
// the interceptors.
type callContext struct {
	context.Context //nolint:containedctx // it is one itself

	call *call
}

// Value implements context.Context.
func (c *callContext) Value(key any) any {
	switch key.(type) {
	case callKey:
		return c.call
	case inproc.CallKey:
		return &c.call.rpc
	case callinfo.HTTPKey:
		return &c.call.http
	}
	return c.Context.Value(key)
}

// callOf returns the call of a context; nil outside of REST.
func callOf(ctx context.Context) *call {
	c, _ := ctx.Value(callKey{}).(*call)
	return c
}

// timeoutUnits are the units of a grpc-timeout header.
var timeoutUnits = map[byte]time.Duration{
	'H': time.Hour, 'M': time.Minute, 'S': time.Second, 'm': time.Millisecond, 'u': time.Microsecond, 'n': time.Nanosecond,
}

// parseTimeout reads up to 8 digits and a unit (the gRPC protocol over HTTP/2).
func parseTimeout(text string) (time.Duration, bool) {
	digits := len(text) - 1
	if digits < 1 || digits > 8 {
		return 0, false
	}
	unit, ok := timeoutUnits[text[digits]]
	if !ok {
		return 0, false
	}
	n := int64(0)
	for i := range digits {
		if text[i] < '0' || text[i] > '9' {
			return 0, false
		}
		n = 10*n + int64(text[i]-'0')
	}
	if n > math.MaxInt64/int64(unit) {
		return math.MaxInt64, true
	}
	return time.Duration(n) * unit, true
}
