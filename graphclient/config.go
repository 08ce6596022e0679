package graphclient

import (
	"cmp"
	"crypto/x509"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"

	"github.com/parley-gateway/parley/graphclient/graph"
	"github.com/parley-gateway/parley/graphclient/ratelimit"
	"github.com/parley-gateway/parley/internal/fielderror"
)

// Defaults of Config and RetryConfig.
const (
	DefaultMaxBody     = 64 << 20
	DefaultMaxDownload = 1 << 30
	DefaultTries       = 4
	DefaultBase        = 500 * time.Millisecond
	DefaultMaxBackoff  = 30 * time.Second
	DefaultTryTimeout  = 90 * time.Second
)

// Config describes one Client.
type Config struct {
	// Cloud is the Microsoft cloud; zero is the global one.
	Cloud graph.Cloud
	// BaseURL replaces Cloud.GraphURL: scheme and host, no path or version.
	BaseURL string
	// TenantID and ClientID identify whom the budgets belong to.
	TenantID, ClientID string
	// Credential gives the tokens; see auth.NewCredential. Nil sends no
	// Authorization and is accepted with a loopback BaseURL only.
	Credential azcore.TokenCredential
	// HTTP lends its Transport, nothing else: no jar, no redirects, no timeout. Where it has none, requests go over one of our own.
	HTTP *http.Client
	// Transport sends the requests. Nil (and no HTTP) = a transport of our own:
	// TLS 1.2 or later, HTTP/2, bounded connection times, no proxy but Proxy.
	Transport http.RoundTripper
	// RootCAs replaces the system's roots in our own transport.
	RootCAs *x509.CertPool
	// Proxy chooses a proxy in our own transport. Nil = none: the proxy
	// variables of the environment apply only if the function given here looks at them.
	Proxy func(*http.Request) (*url.URL, error)
	// MaxBody is the largest decoded answer in bytes; 0 = DefaultMaxBody.
	MaxBody int64
	// MaxDownload is the largest decoded download in bytes; 0 = DefaultMaxDownload.
	MaxDownload int64
	// ReportHosts replaces Cloud.ReportHosts when not empty.
	ReportHosts []string
	// Logger receives one debug line per request; nil = none.
	Logger *slog.Logger
	// Retry bounds the repeats of one call.
	Retry RetryConfig
	// Limits are the request budgets: nil = ratelimit.DefaultLimits, empty = none.
	// Retry-After is honoured either way.
	Limits ratelimit.LimitTable
	// Share is the part of each limit that this client may use, above 0 and at most 1;
	// 0 = all of it. Clients of one application and tenant in several processes divide
	// the limits by it.
	Share float64
	// Pool keeps the limits for all clients of the application and tenant, in whatever process; nil =
	// each keeps its Share of them. While the pool does not answer, a client keeps one part
	// of as many as there are replicas that were last seen, or its Share where none ever was.
	Pool ratelimit.Pool
	// DayPool counts the days of callers for all such clients; nil = each counts for itself.
	DayPool ratelimit.DayPool
	// CallerDay is how many requests one caller (ratelimit.WithCaller) may cause from
	// midnight to midnight UTC; more fail with KindCallerLimit. 0 = no limit.
	CallerDay int
	// PaymentPause is how long a route that answered 402 is left alone; 0 =
	// ratelimit.DefaultPaymentPause.
	PaymentPause time.Duration
	// Observer receives metrics; nil = none.
	Observer graph.Observer
	// UserAgent is sent with each request; empty = "parley".
	UserAgent string
}

// RetryConfig bounds the repeats of one call. Zero values are the defaults.
type RetryConfig struct {
	// Tries is the number of tries in all, the first included, without those that
	// Graph throttled for a time that is waited for; 1 = nothing is repeated. A try is one
	// request, or two where a token is renewed.
	Tries int
	// Base is the first back-off, doubled each time, with jitter, up to Max.
	Base, Max time.Duration
	// TryTimeout bounds one try, its body included (a download or content: up to its
	// first bytes).
	TryTimeout time.Duration
}

// ConfigError is a field of Config, CredentialConfig or DelegatesConfig that cannot be used.
type ConfigError = fielderror.Error

// complete checks the configuration and fills the defaults in.
func (cfg Config) complete() (Config, origin, error) {
	if cfg.Cloud.GraphURL == "" {
		global, err := graph.CloudByName("")
		if err != nil {
			return cfg, origin{}, err
		}
		cfg.Cloud = global
	}
	base := cfg.BaseURL
	if base == "" {
		base = cfg.Cloud.GraphURL
	}
	o, err := parseBase(base)
	if err != nil {
		return cfg, origin{}, err
	}
	switch {
	case cfg.Credential == nil && !o.loopback():
		return cfg, origin{}, fielderror.New("Credential", "none is for a Graph on loopback only")
	case cfg.Credential != nil && o.scheme != "https":
		return cfg, origin{}, fielderror.New("BaseURL", "must be https, or a token would travel in clear text")
	case o.scheme != "https" && !o.loopback():
		return cfg, origin{}, fielderror.New("BaseURL", "must be https")
	case cfg.HTTP != nil && cfg.Transport != nil:
		return cfg, origin{}, fielderror.New("HTTP", "excludes Transport; set one of them")
	}
	if cfg.Share = cmp.Or(cfg.Share, 1); !(cfg.Share > 0 && cfg.Share <= 1) { // NaN is neither
		return cfg, origin{}, fielderror.New("Share", "must be above 0 and at most 1")
	}
	if len(cfg.ReportHosts) == 0 {
		cfg.ReportHosts = cfg.Cloud.ReportHosts
	}
	if err := checkReportHosts(cfg.ReportHosts); err != nil {
		return cfg, origin{}, err
	}
	setDefaults(&cfg)
	return cfg, o, nil
}

// setDefaults sets the defaults.
func setDefaults(cfg *Config) {
	cfg.MaxBody = cmp.Or(max(cfg.MaxBody, 0), DefaultMaxBody)
	cfg.MaxDownload = cmp.Or(max(cfg.MaxDownload, 0), DefaultMaxDownload)
	cfg.Retry.Tries = cmp.Or(max(cfg.Retry.Tries, 0), DefaultTries)
	cfg.Retry.Base = cmp.Or(max(cfg.Retry.Base, 0), DefaultBase)
	cfg.Retry.Max = cmp.Or(max(cfg.Retry.Max, 0), DefaultMaxBackoff)
	cfg.Retry.TryTimeout = cmp.Or(max(cfg.Retry.TryTimeout, 0), DefaultTryTimeout)
	cfg.PaymentPause = cmp.Or(max(cfg.PaymentPause, 0), ratelimit.DefaultPaymentPause)
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Limits == nil {
		cfg.Limits = ratelimit.DefaultLimits()
	}
	if cfg.Observer == nil {
		cfg.Observer = graph.NoObserver{}
	}
	if cfg.UserAgent == "" {
		cfg.UserAgent = "parley"
	}
	if cfg.HTTP != nil {
		cfg.Transport = cfg.HTTP.Transport
	}
	if cfg.Transport == nil {
		cfg.Transport = graph.NewTransport(cfg.RootCAs, cfg.Proxy)
	}
}

// parseBase reads a Graph root: scheme and host, at most a single slash.
func parseBase(base string) (origin, error) {
	t, err := parseTarget(strings.TrimSuffix(base, "/") + "/")
	if err != nil {
		return origin{}, fielderror.New("BaseURL", "%w", err)
	}
	if t.uri != "/" {
		return origin{}, fielderror.New("BaseURL", "give scheme and host only, without a path or version")
	}
	return t.origin, nil
}
