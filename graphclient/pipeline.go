package graphclient

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/google/uuid"

	"github.com/parley-gateway/parley/graphclient/auth"
	"github.com/parley-gateway/parley/graphclient/graph"
	"github.com/parley-gateway/parley/graphclient/ratelimit"
	"github.com/parley-gateway/parley/internal/spans"
)

// call is the state of one call of the API on its way through the pipeline. One
// goroutine uses it at a time.
type call struct {
	request       *graph.Request
	target        target
	download      bool
	content       bool // bytes are asked for, of any type
	requests      int  // sent to Graph so far
	clientID      string
	waited        time.Duration // for a turn, before the last request
	stopTryTimer  func()        // of the time limit of one try, which does not run while the request queues
	startTryTimer func()
	endTry        func()
	streaming     bool // the answer is being streamed; its reader calls endTry
}

// accepts reports whether a status is one that the call can use.
func (k *call) accepts(status int) bool {
	return status == http.StatusOK || k.download && redirect(status)
}

// rateLimitCall returns the properties of the call on which limits depend.
func (k *call) rateLimitCall() ratelimit.Call {
	return ratelimit.Call{Request: k.request, URI: k.target.uri, Download: k.download}
}

type callKey struct{}

func callOf(ctx context.Context) *call {
	c, _ := ctx.Value(callKey{}).(*call)
	return c
}

// policies are the steps of every request, outermost first.
func (c *Client) policies() []policy.Policy {
	return []policy.Policy{
		&identify{userAgent: c.cfg.UserAgent},
		auth.NewAuthorize(c.tokens),
		&limit{budgets: c.budgets, observer: c.cfg.Observer},
		&observe{observer: c.cfg.Observer, logger: c.cfg.Logger, clock: c.clock},
	}
}

// newPipeline puts the policies before the wire. The library's own retries
// stay off: ours also cover a body that is truncated or malformed.
func (c *Client) newPipeline() runtime.Pipeline {
	return runtime.NewPipeline("parley", "", runtime.PipelineOptions{PerRetry: c.policies()}, &policy.ClientOptions{
		Retry:     policy.RetryOptions{MaxRetries: -1},
		Telemetry: policy.TelemetryOptions{Disabled: true},
		Transport: &wire{transport: c.cfg.Transport, address: c.address},
	})
}

// newRequest makes the request as the pipeline sees it: with a URL that names
// the API instead of the path, since the library's logs show paths. The
// wire puts the real target in.
func (c *Client) newRequest(ctx context.Context, k *call) (*policy.Request, error) {
	shown := (&url.URL{Scheme: c.origin.scheme, Host: c.origin.authority(), Path: "/" + k.request.API}).String()
	req, err := runtime.NewRequest(context.WithValue(ctx, callKey{}, k), http.MethodGet, shown)
	if err != nil {
		return nil, &graph.Error{Kind: graph.KindUnexpected, Reason: "request cannot be built"}
	}
	runtime.SkipBodyDownload(req)
	h := req.Raw().Header
	switch {
	case k.download:
		h.Set("Accept", "text/csv, application/octet-stream, */*")
	case k.content:
		h.Set("Accept", "*/*")
	default:
		h.Set("Accept", "application/json")
	}
	if len(k.request.Prefer) > 0 {
		h.Set("Prefer", strings.Join(k.request.Prefer, ", "))
	}
	return req, nil
}

// identify names the request and its sender.
type identify struct{ userAgent string }

var _ policy.Policy = (*identify)(nil)

func (p *identify) Do(req *policy.Request) (*http.Response, error) {
	k := callOf(req.Raw().Context())
	k.clientID = uuid.NewString()
	h := req.Raw().Header
	h.Set("Client-Request-Id", k.clientID)
	h.Set("User-Agent", p.userAgent)
	h.Set("Accept-Encoding", "gzip")
	return req.Next()
}

// observe counts, times, logs and traces a request. Of the path it has a template without ids, for the span alone.
type observe struct {
	observer graph.Observer
	logger   *slog.Logger
	clock    *clock
}

var _ policy.Policy = (*observe)(nil)

func (p *observe) Do(req *policy.Request) (*http.Response, error) {
	ctx := req.Raw().Context()
	k := callOf(ctx)
	k.requests++
	graph.CountSent(ctx)
	within, span := spans.Start(ctx, "graph", spans.Client)
	start := time.Now()
	resp, err := req.Next()
	took := time.Since(start)
	status, id := 0, ""
	if err == nil {
		status, id = resp.StatusCode, graph.RequestID(resp.Header)
		p.clock.observe(resp.Header, start, start.Add(took))
	}
	k.endSpan(span, status, id)
	p.observer.GraphRequest(within, k.request.API, status, took)
	p.logger.DebugContext(ctx, "graph request", "source", k.request.API, "status", status, "took_ms", float64(took.Microseconds())/1000,
		"graph_request_id", id, "client_request_id", k.clientID, "number", k.requests)
	return resp, err
}

// endSpan ends the span of a request. It names no user, no filter and no id of a chat.
func (k *call) endSpan(span *spans.Active, status int, id string) {
	if !span.Traced() {
		return
	}
	span.Text("http.request.method", http.MethodGet)
	span.Text("url.template", k.target.template())
	span.Text("parley.source", k.request.API)
	span.Number("http.response.status_code", int64(status))
	span.Text("parley.graph_request_id", id)
	span.Text("parley.client_request_id", k.clientID)
	span.Number("parley.attempt", int64(k.requests))
	span.Number("parley.wait_ms", k.waited.Milliseconds())
	failed := ""
	if status == 0 {
		failed = "no answer"
	} else if status >= http.StatusBadRequest {
		failed = strconv.Itoa(status)
	}
	span.End(failed)
}

// pathWords are the words of Graph's paths, by their lower-case form: links to next pages may write them in any case. Everything else in a path may
// name somebody.
var pathWords = byLowerCase( //nolint:gochecknoglobals // a constant in all but type
	"v1.0", "beta", "users", "copilot", "interactionHistory", "getAllEnterpriseInteractions", "chats", "getAllMessages", "getAllRetainedMessages",
	"messages", "members", "hostedContents", "$value", "communications", "callRecords", "sessions", "participants_v2", "reports", "teams", "channels",
)

func byLowerCase(words ...string) map[string]string {
	by := make(map[string]string, len(words))
	for _, word := range words {
		by[strings.ToLower(word)] = word
	}
	return by
}

// template returns the path of a target without ids: every segment that is not one of Graph's own words is a placeholder.
func (t target) template() string {
	path, _, _ := strings.Cut(t.uri, "?")
	segments := strings.Split(path, "/")
	for i, segment := range segments {
		function, arguments, called := strings.Cut(segment, "(")
		word, known := pathWords[strings.ToLower(function)]
		switch {
		case segment == "":
		case known && !called || known && arguments == ")":
			segments[i] = word
		case known: // users('…'), another way to write users/…
			segments[i] = word + "/{id}"
		case called && strings.HasPrefix(function, "getMicrosoft365Copilot") && !strings.ContainsFunc(function, notInFunction):
			segments[i] = function + "(…)"
		default:
			segments[i] = "{id}"
		}
	}
	return strings.Join(segments, "/")
}

func notInFunction(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9')
}

// limit waits for the budgets and gates, and closes the gates.
type limit struct {
	budgets  *ratelimit.Budgets
	observer graph.Observer
}

var _ policy.Policy = (*limit)(nil)

func (p *limit) Do(req *policy.Request) (*http.Response, error) {
	ctx := req.Raw().Context()
	k := callOf(ctx)
	k.stopTryTimer()
	turn, err := p.budgets.Enter(ctx, k.rateLimitCall())
	if err != nil {
		return nil, err
	}
	defer turn.Leave(ctx)
	k.waited = turn.Waited
	if turn.Waited > time.Millisecond {
		p.observer.GraphWait(k.request.API, turn.Waited)
	}
	resp, err := req.Next()
	if err == nil {
		turn.Answered(ctx, resp)
	}
	return resp, err
}

// address puts the exact target into a request. A proxy that is asked for a target in clear text gets it whole: net/http writes
// an opaque one as it is.
func (c *Client) address(req *http.Request, t target) {
	req.URL = t.url()
	if t.origin.scheme != "http" || c.cfg.Proxy == nil {
		return
	}
	if through, err := c.cfg.Proxy(req); err == nil && through != nil && strings.HasPrefix(through.Scheme, "http") {
		req.URL.Opaque = "//" + t.origin.authority() + t.uri
	}
}

// wire sends the exact target through a RoundTripper: no cookies, and no
// redirects, which leave as ordinary answers.
type wire struct {
	transport http.RoundTripper
	address   func(*http.Request, target)
}

var _ policy.Transporter = (*wire)(nil)

// Do sends a copy of the request to its real target.
func (w *wire) Do(req *http.Request) (*http.Response, error) {
	k := callOf(req.Context())
	out := req.Clone(req.Context())
	w.address(out, k.target)
	out.Host = ""
	k.startTryTimer()
	return w.transport.RoundTrip(out)
}
