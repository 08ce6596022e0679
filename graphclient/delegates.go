package graphclient

import (
	"crypto/sha256"
	"net/http"
	"sync"
	"time"

	"github.com/parley-gateway/parley/graphclient/auth"
	"github.com/parley-gateway/parley/graphclient/graph"
	"github.com/parley-gateway/parley/internal/lru"
)

const (
	// DefaultAssertions is of how many assertions Delegates keeps the tokens.
	DefaultAssertions = 1000
	// sweepTime is how long a token that has ended is kept at most.
	sweepTime = time.Minute
)

// DelegatesConfig describes Delegates.
type DelegatesConfig struct {
	// Credential is the application's own, which proves to Entra ID that it may
	// exchange tokens. Its kind is one of auth.DelegatingKinds. Without an HTTP client
	// logins go over a transport of our own, like the application's requests.
	Credential auth.CredentialConfig
	// Assertions bounds the assertions whose tokens are kept, about 15 KB each; a user may have several. 0 = DefaultAssertions.
	Assertions int
}

// Assertion is the access token that a user's client sent: a user's, for the
// application of the Delegates.
type Assertion struct {
	// Token is the token as it came.
	Token string
	// Expires is when it ends. What was made with it is not used for new calls
	// after that.
	Expires time.Time
}

// Delegates asks Graph on behalf of users: for each assertion a Client with a
// credential, a token and a pipeline of its own, so that no token can reach
// another user's request. All of them share the budgets, the gates, the days
// and the connections of the application's Client, since Graph counts the
// application's requests whoever they are for.
//
// Clients are kept by a hash of tenant, application and assertion, the latest
// used first, until the assertion ends or others need the room. It is safe for
// concurrent use; Close it before the application's Client.
type Delegates struct {
	app      *Client
	cfg      DelegatesConfig
	ownPool  *http.Transport // nil where the credential brought one
	exchange *auth.Exchange
	salt     string

	mu      sync.Mutex
	closed  bool
	clients *lru.Cache[delegateKey, *delegate]
	timer   *time.Timer // ends what has expired; nil while nothing is kept
}

type delegateKey [sha256.Size]byte

// delegate is one user's client.
type delegate struct {
	expires time.Time
	client  *Client
}

// NewDelegates checks the configuration and returns Delegates beside the
// application's Client. It sends nothing. Errors name the setting.
func NewDelegates(app *Client, cfg DelegatesConfig) (*Delegates, error) {
	if cfg.Assertions <= 0 {
		cfg.Assertions = DefaultAssertions
	}
	if _, err := auth.NewCredential(cfg.Credential); err != nil {
		return nil, err
	}
	d := &Delegates{
		app: app, cfg: cfg, clients: lru.New[delegateKey, *delegate](int64(cfg.Assertions), nil),
		salt: cfg.Credential.TenantID + "\x00" + cfg.Credential.ClientID + "\x00",
	}
	login := cfg.Credential
	if login.HTTP == nil || login.HTTP.Transport == nil {
		d.ownPool = graph.NewTransport(app.cfg.RootCAs, app.cfg.Proxy)
		login.HTTP = &http.Client{Transport: d.ownPool}
	}
	exchange, err := auth.NewExchange(login, app.cfg.Cloud.Scope())
	if err != nil {
		return nil, err
	}
	d.exchange = exchange
	return d, nil
}

// Client returns the client that asks Graph on behalf of the assertion's user.
// It sends nothing: the first request, or Login, exchanges the assertion, once
// for all callers of the client. The client works on after Delegates has forgotten it.
// An assertion that has ended is a *graph.Error of KindSignIn.
func (d *Delegates) Client(a Assertion) (*Client, error) {
	now := time.Now()
	if !now.Before(a.Expires) {
		return nil, &graph.Error{Kind: graph.KindSignIn, Reason: "the user's token has ended"}
	}
	key := delegateKey(sha256.Sum256([]byte(d.salt + a.Token)))
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return nil, &graph.Error{Kind: graph.KindUnavailable, Reason: "the client is closed", Final: true}
	}
	if known, ok := d.clients.Get(key); ok {
		return known.client, nil
	}
	client := d.app.onBehalfOf(d.exchange.Tokens(a.Token))
	d.clients.Put(key, &delegate{a.Expires, client})
	if d.timer == nil {
		d.timer = time.AfterFunc(sweepTime, d.sweep)
	}
	return client, nil
}

// Reload reads the file of the application's credential now, if it has one, so
// that the next exchange authenticates with what the file holds although the
// file may be broken by then. An error leaves the old content in force.
func (d *Delegates) Reload() error { return d.exchange.Reload() }

// onBehalfOf is a client like c whose requests carry a user's tokens.
func (c *Client) onBehalfOf(tokens *auth.Tokens) *Client {
	user := *c
	user.tokens, user.onBehalf, user.ownTransports = tokens, true, nil
	user.pipeline = user.newPipeline()
	return &user
}

// Len returns the number of assertions whose tokens are held.
func (d *Delegates) Len() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.clients.Len()
}

// Close forgets all tokens, ends exchanges that are under way and waits for
// them.
func (d *Delegates) Close() {
	d.mu.Lock()
	d.closed = true
	d.clients.Clear()
	if d.timer != nil {
		d.timer.Stop()
	}
	d.mu.Unlock()
	d.exchange.Close()
	if d.ownPool != nil {
		d.ownPool.CloseIdleConnections()
	}
}

// sweep forgets what has expired, and comes again while anything is kept.
func (d *Delegates) sweep() {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := time.Now()
	for key, known := range d.clients.All() {
		if !now.Before(known.expires) {
			d.clients.Delete(key)
		}
	}
	d.timer = nil
	if d.clients.Len() > 0 && !d.closed {
		d.timer = time.AfterFunc(sweepTime, d.sweep)
	}
}
