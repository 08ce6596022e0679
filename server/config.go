package server

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"time"

	"github.com/parley-gateway/parley/internal/fielderror"
	"github.com/parley-gateway/parley/internal/ledger"
	"github.com/parley-gateway/parley/server/admission"
	"github.com/parley-gateway/parley/server/audit"
	"github.com/parley-gateway/parley/server/authn"
	"github.com/parley-gateway/parley/server/authz"
	"github.com/parley-gateway/parley/server/callinfo"
	"github.com/parley-gateway/parley/server/certs"
	"github.com/parley-gateway/parley/server/interceptor"
	"github.com/parley-gateway/parley/server/metrics"
	"github.com/parley-gateway/parley/server/service"
)

// Config describes a Server. Addresses are host:port; port 0 takes a free one.
type Config struct {
	// GRPCAddr, HTTPAddr and AdminAddr are the listeners. Without authentication each host must be loopback, AdminAddr always.
	GRPCAddr, HTTPAddr, AdminAddr string
	// MetricsAddr serves metrics and probes alone, to whoever reaches it; empty = no such listener.
	MetricsAddr string
	// Listeners are served in place of the addresses, where they are not nil. Close closes them.
	Listeners Listeners
	// AuthMode says how callers are known: "oidc", "mtls", "oidc,mtls", or "none" (or empty): everybody is anonymous, and the
	// listeners must be on loopback.
	AuthMode string
	// Tokens reads bearer tokens; needed with oidc.
	Tokens authn.Verifier
	// TLS is the TLS of the gRPC and REST listeners; nil = plain text. With mtls it must have client authorities.
	TLS *certs.Store
	// TLSTerminated is set where TLS ends in front of the gateway, on the way to listeners beyond loopback.
	TLSTerminated bool
	// Policy decides what callers may read. Nil is accepted without authentication only: one rule then allows everything.
	Policy authz.PolicySource
	// Audit records who reads what. Nil is accepted without authentication only: nothing is then recorded.
	Audit *audit.Log
	// CORSOrigins are the web origins whose pages may read answers; see httpmw.Origins.
	CORSOrigins []string
	// CallerRate is how many calls a second each caller may begin on average; 0 = no bound. CallerBurst is how many at once, at least 1.
	CallerRate  float64
	CallerBurst int
	// Tenants are the tenants by alias; at least one.
	Tenants map[string]*service.Tenant
	// Engine answers lists and streams.
	Engine service.Engine
	// Metrics counts calls and refusals; nil = metrics of the server's own, labelled with Version.
	Metrics *metrics.Metrics
	// Memory says when there is too little memory for new work; nil = never.
	Memory MemoryGuard
	// Ledger counts the bytes that calls hold: answers that are not written, and what streams read ahead. It admits no more than it has room
	// for; nil = no bound. The engine should have the same one.
	Ledger *ledger.Ledger
	// Tracer traces calls; nil = nobody does.
	Tracer interceptor.Tracer
	// Logger receives one line per call and the failures; nil = none.
	Logger *slog.Logger
	// Version is shown by the metrics and the documents, Revision, the commit, by the metrics; the log has both.
	Version, Revision string
	// OpenAPI, Descriptor and FullDescriptor are the files behind /openapi.json, /descriptor.binpb and /descriptor-full.binpb.
	OpenAPI, Descriptor, FullDescriptor []byte
	// CallTime is the deadline of a List or Get that has none; 0 = 20 s.
	CallTime time.Duration
	// MaxDeadline caps the deadlines of Lists and Gets; 0 = 2 min.
	MaxDeadline time.Duration
	// StreamAge is the age at which a stream ends with STREAM_ENDED and a resume token; 0 = 30 min. StreamStall is how long its client
	// may take nothing; 0 = 2 min.
	StreamAge, StreamStall time.Duration
	// CallerShare is the part of MaxCalls and of MaxStreams that a caller may hold while others wait, times the weight that the
	// policy gives the caller; 0 or less, or 1 or more = as much as there is. Without authentication there are no shares.
	CallerShare float64
	// Reflection serves gRPC reflection on the gRPC listener.
	Reflection bool
	// Explorer are the files of the page at /explorer; nil = it is not served.
	Explorer fs.FS
	// ExampleUser is the user that the examples of /docs name; empty = none in particular.
	ExampleUser string
	// MaxCalls and MaxStreams bound what runs at one time, more is refused with OVERLOADED; 0 = 1024 and 512.
	MaxCalls, MaxStreams int
	// Bounds are what connections and callers who are not accepted hold at most; zero = admission.DefaultBounds.
	Bounds admission.Bounds
	// HeaderTime is how long a client may take to begin: the TLS handshake and HTTP/2 preface of a gRPC connection and the
	// message of each call, handshake and headers of a REST request; 0 = 10 s. IdleTime is how long a REST connection may stand
	// without a request; 0 = 2 min.
	HeaderTime, IdleTime time.Duration
	// DrainTime bounds Close when its context has no deadline; 0 = 20 s. DrainDelay is how long Close still serves before that, while
	// readiness says no.
	DrainTime, DrainDelay time.Duration
	// ConnectionAge is when a gRPC connection takes no new calls any more, give or take a tenth; 0 = 30 min. ConnectionGrace is
	// how long running calls may still take; streams end a tenth earlier, with STREAM_ENDED and their token; 0 = 10 min.
	ConnectionAge, ConnectionGrace time.Duration
	// Now is the clock of credentials and rates; nil = time.Now.
	Now func() time.Time

	mode authMode
}

// MemoryGuard is the gate of new work, and says when memory is short.
type MemoryGuard interface {
	interceptor.MemoryGate
	// Shedding reports whether memory is short: probes are told, and still answered with 200.
	Shedding() bool
}

// plenty is the memory of a server that watches none.
type plenty struct{}

func (plenty) RefusesStreams() bool { return false }
func (plenty) RefusesCalls() bool   { return false }
func (plenty) Shedding() bool       { return false }

// ConfigError names the field of a Config that keeps the server from starting, and what to do.
type ConfigError = fielderror.Error

// Fields of Config, for errors.
const (
	fieldGRPC     = "GRPCAddr"
	fieldHTTP     = "HTTPAddr"
	fieldAdmin    = "AdminAddr"
	fieldMetrics  = "MetricsAddr"
	fieldAuthMode = "AuthMode"
	fieldTokens   = "Tokens"
	fieldTLS      = "TLS"
	fieldClientCA = "TLS.Roots"
	fieldPolicy   = "Policy"
	fieldAudit    = "Audit"
)

// Listeners are listeners that are open already.
type Listeners struct{ GRPC, HTTP, Admin, Metrics net.Listener }

// listenAddr returns the address of an open listener, or else the configured one. A listener without a TCP address cannot be reached
// from other machines.
func listenAddr(open net.Listener, configured string) string {
	if open == nil {
		return configured
	}
	if at, ok := open.Addr().(*net.TCPAddr); ok {
		return at.String()
	}
	return "localhost:0"
}

// complete returns the configuration with its defaults, or the error of a configuration that cannot be served.
func (c Config) complete() (Config, error) {
	c.GRPCAddr, c.HTTPAddr, c.AdminAddr = listenAddr(c.Listeners.GRPC, c.GRPCAddr), listenAddr(c.Listeners.HTTP, c.HTTPAddr), listenAddr(c.Listeners.Admin, c.AdminAddr)
	c.MetricsAddr = listenAddr(c.Listeners.Metrics, c.MetricsAddr)
	if err := checkAuthentication(&c); err != nil {
		return c, err
	}
	if err := checkParts(&c); err != nil {
		return c, err
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	c.Logger = callinfo.Logger(c.Logger)
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Memory == nil {
		c.Memory = plenty{}
	}
	if c.Version == "" {
		c.Version = "devel"
	}
	if c.Metrics == nil {
		own, err := metrics.New(c.Version, c.Revision)
		if err != nil {
			return c, fmt.Errorf("server: %w", err)
		}
		c.Metrics = own
	}
	setLimits(&c)
	return c, nil
}

// checkParts refuses a configuration without the parts that a server has no default of.
func checkParts(c *Config) error {
	if len(c.Tenants) == 0 {
		return errors.New("server: no tenant")
	}
	for alias, tenant := range c.Tenants {
		if tenant == nil {
			return fmt.Errorf("server: tenant %q is nil", alias)
		}
	}
	if c.Engine == nil {
		return errors.New("server: no engine")
	}
	return nil
}

// setLimits fills in the defaults of times and bounds.
func setLimits(c *Config) {
	c.CallTime = cmp.Or(max(c.CallTime, 0), 20*time.Second)
	c.DrainTime = cmp.Or(max(c.DrainTime, 0), 20*time.Second)
	c.ConnectionAge = cmp.Or(max(c.ConnectionAge, 0), 30*time.Minute)
	c.ConnectionGrace = cmp.Or(max(c.ConnectionGrace, 0), 10*time.Minute)
	c.HeaderTime = cmp.Or(max(c.HeaderTime, 0), 10*time.Second)
	c.IdleTime = cmp.Or(max(c.IdleTime, 0), 2*time.Minute)
	c.MaxDeadline = cmp.Or(max(c.MaxDeadline, 0), 2*time.Minute)
	c.StreamAge = cmp.Or(max(c.StreamAge, 0), 30*time.Minute)
	c.StreamStall = cmp.Or(max(c.StreamStall, 0), 2*time.Minute)
	if c.Bounds == (admission.Bounds{}) {
		c.Bounds = admission.DefaultBounds()
	}
	c.MaxCalls = cmp.Or(max(c.MaxCalls, 0), 1024)
	c.MaxStreams = cmp.Or(max(c.MaxStreams, 0), 512)
}

// callerShare is the part of all places that a caller may hold while others wait.
func callerShare(c *Config) float64 {
	if c.mode.open() {
		return 0 // all callers are one
	}
	return c.CallerShare
}
