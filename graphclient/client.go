package graphclient

import (
	"context"
	"mime"
	"net/http"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"

	"github.com/parley-gateway/parley/graphclient/auth"
	"github.com/parley-gateway/parley/graphclient/graph"
	"github.com/parley-gateway/parley/graphclient/ratelimit"
)

// Client sends requests to Graph for one tenant and application, or for one user of them. It is
// safe for concurrent use.
type Client struct {
	cfg             Config
	origin          origin
	tokens          *auth.Tokens // nil sends no Authorization
	onBehalf        bool         // of Delegates: the tokens are a user's
	budgets         *ratelimit.Budgets
	days            *ratelimit.Days
	payment         *ratelimit.Breaker
	pipeline        runtime.Pipeline
	reportTransport http.RoundTripper
	ownTransports   []*http.Transport
	bodies          *bodyPool
	clock           *clock
	outcomes        *outcomes
}

// New checks the configuration and returns a client. Nothing is sent yet.
// Errors name the setting that is wrong.
func New(cfg Config) (*Client, error) {
	own := cfg.HTTP == nil && cfg.Transport == nil || cfg.HTTP != nil && cfg.HTTP.Transport == nil
	cfg, base, err := cfg.complete()
	if err != nil {
		return nil, err
	}
	c := &Client{
		cfg: cfg, origin: base, budgets: ratelimit.NewBudgets(cfg.Limits, cfg.Share), days: ratelimit.NewDays(cfg.CallerDay), payment: ratelimit.NewBreaker(cfg.PaymentPause),
		bodies: &bodyPool{}, clock: &clock{}, outcomes: newOutcomes(cfg.Logger),
	}
	if cfg.Pool != nil {
		c.budgets.UsePool(cfg.Pool)
	}
	if cfg.DayPool != nil {
		c.days.UsePool(cfg.DayPool)
	}
	if cfg.Credential != nil {
		c.tokens = auth.NewTokens(cfg.Credential, cfg.Cloud.Scope(), cfg.Observer)
	}
	c.reportTransport = cfg.Transport
	if transport, ok := cfg.Transport.(*http.Transport); ok {
		if own {
			c.ownTransports = append(c.ownTransports, transport)
		}
		// Connections are not shared with Graph, and no header is added.
		report := transport.Clone()
		report.DisableCompression = true
		c.reportTransport = report
		c.ownTransports = append(c.ownTransports, report)
	}
	c.pipeline = c.newPipeline()
	return c, nil
}

// Close ends logins that are under way, waits for them, and closes idle
// connections of the client's own transports. Calls that are under way end by
// their own contexts. A client of Delegates needs no closing.
func (c *Client) Close() {
	if c.tokens != nil && !c.onBehalf {
		c.tokens.Close()
	}
	for _, pool := range c.ownTransports {
		pool.CloseIdleConnections()
	}
}

// Login fetches a token if there is no valid one, so that a gateway can be
// warm before its first request, and a user known before anything is read on
// their behalf. It does nothing without a credential.
func (c *Client) Login(ctx context.Context) error {
	if c.tokens == nil {
		return nil
	}
	_, err := c.tokens.Get(ctx)
	return err
}

// Limits is the state of the budgets of the client, and of the requests that wait for them.
func (c *Client) Limits() ratelimit.State { return c.budgets.State() }

// Page is one answer of a collection.
type Page struct {
	// Records are the raw JSON objects of "value", in Graph's order: slices of
	// one body, which lives as long as any of them, or until Release. Invalid UTF-8 and lone
	// surrogates are kept.
	Records [][]byte
	// NextLink is @odata.nextLink in any spelling (NextLinkOf), verbatim; empty on the last page.
	NextLink string
	// Context is @odata.context.
	Context string
	// Count is @odata.count, usually the records of this page; -1 when absent.
	Count int
	// Size is the number of decoded bytes that Records keep alive.
	Size int
	// RequestID is Graph's request-id.
	RequestID string
	// ServerDate is the answer's Date; zero when absent.
	ServerDate time.Time
	// Requests is how many requests Graph received for it.
	Requests int

	buffer *[]byte // that the body was read into
	pool   *bodyPool
}

// Release gives the buffer of Records to a later page. The page and whatever aliases its records must not be used any more.
// It need not be called.
func (p *Page) Release() {
	if p.buffer == nil {
		return
	}
	p.pool.put(p.buffer)
	p.buffer, p.Records = nil, nil
}

// Object is one entity.
type Object struct {
	// Body is the raw JSON object.
	Body []byte
	// RequestID is Graph's request-id.
	RequestID string
	// ServerDate is the answer's Date; zero when absent.
	ServerDate time.Time
	// Requests is how many requests Graph received for it.
	Requests int
}

// Page asks for one page of a collection. An empty value, with a link or not,
// is a page; an answer with an "error", whatever its status, is a *graph.Error; an
// answer that is truncated or malformed is asked for again and then a *graph.Error.
func (c *Client) Page(ctx context.Context, request graph.Request) (*Page, error) {
	page := &Page{}
	k, err := c.newCall(&request)
	if err != nil {
		return nil, err
	}
	err = c.run(ctx, k, func(ctx context.Context, resp *http.Response) error {
		buffer := c.bodies.get()
		body, err := c.readAll(ctx, resp, *buffer)
		if err != nil {
			c.bodies.put(buffer)
			return err
		}
		*buffer = body
		env, err := parseEnvelope(body)
		if err != nil {
			return malformed(resp, err)
		}
		if env.fault != nil {
			return c.answeredFault(k, resp, env.fault)
		}
		page.buffer, page.pool = buffer, c.bodies
		page.Records, page.NextLink, page.Context, page.Count = env.records, env.nextLink, env.context, env.count
		page.Size = len(body)
		page.RequestID, page.ServerDate = graph.RequestID(resp.Header), graph.ServerDate(resp.Header)
		return nil
	})
	if err != nil {
		return nil, err
	}
	page.Requests = k.requests
	return page, nil
}

// Object asks for one entity. An answer {"error":…} in place of the entity is
// a *graph.Error, whatever its status.
func (c *Client) Object(ctx context.Context, request graph.Request) (*Object, error) {
	object := &Object{}
	k, err := c.newCall(&request)
	if err != nil {
		return nil, err
	}
	err = c.run(ctx, k, func(ctx context.Context, resp *http.Response) error {
		body, err := c.readAll(ctx, resp, nil)
		if err != nil {
			return err
		}
		raw, fault, err := parseObject(body)
		if err != nil {
			return malformed(resp, err)
		}
		if fault != nil {
			return c.answeredFault(k, resp, fault)
		}
		object.Body = raw
		object.RequestID, object.ServerDate = graph.RequestID(resp.Header), graph.ServerDate(resp.Header)
		return nil
	})
	if err != nil {
		return nil, err
	}
	object.Requests = k.requests
	return object, nil
}

// newCall finds the target; a refused link ends here.
func (c *Client) newCall(request *graph.Request) (*call, error) {
	t, err := c.target(request)
	if err != nil {
		return nil, err
	}
	return &call{request: request, target: t}, nil
}

// readAll reads the body of a success, into buffer if that is large enough, and closes it.
func (c *Client) readAll(ctx context.Context, resp *http.Response, buffer []byte) ([]byte, error) {
	body, err := c.bodies.read(resp, c.cfg.MaxBody, buffer)
	if err != nil {
		_ = resp.Body.Close() // given up, not drained
		e := bodyError(ctx, err)
		e.RequestID = graph.RequestID(resp.Header)
		return nil, e
	}
	_ = resp.Body.Close() // read to its end
	return body, nil
}

// malformed is the error of a success that cannot be read. One that says it
// is a file was not broken on its way, so asking again would not help.
func malformed(resp *http.Response, err error) *graph.Error {
	e := &graph.Error{Kind: graph.KindMalformed, Status: resp.StatusCode, RequestID: graph.RequestID(resp.Header), Err: err}
	switch kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type")); kind {
	case "text/csv", "text/plain", "application/octet-stream":
		e.Final = true
	}
	return e
}

// answeredFault is the error of a success that holds one.
func (c *Client) answeredFault(k *call, resp *http.Response, value []byte) *graph.Error {
	e := graph.ErrorIn(resp, value, c.situation(k))
	e.RetryAfter = graph.RetryAfter(resp.Header, time.Now())
	return e
}

// situation describes the request of a call.
func (c *Client) situation(k *call) graph.Situation {
	r := k.request
	s := graph.Situation{API: r.API, AboutUser: r.User != "" && r.Resource == "", OnBehalf: c.onBehalf, ByLink: r.Link != ""}
	s.OthersAnswered = s.AboutUser && c.outcomes.answeredOthers(r.API, r.User)
	return s
}
