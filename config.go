package parley

import (
	"cmp"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/graphclient/graph"
	"github.com/parley-gateway/parley/internal/seal"
)

// NilTenant is the id of a tenant that has none, which only a Graph on loopback may have.
const NilTenant = "00000000-0000-0000-0000-000000000000"

// Config describes a Gateway. The zero value of every field is its default; only Tenants must be set. New reads a Config and does
// not change it.
type Config struct {
	// Tenants are the Microsoft 365 tenants to read, by alias; at least one. Policies, metrics and the parley-tenant header use the
	// alias, which has up to 63 lower-case letters, digits and dashes. With more than one there is no default tenant.
	Tenants map[string]Tenant

	// GRPC, HTTP and Admin are where gRPC, REST with the documents, and metrics, pprof and channelz are served. Admin must be on
	// loopback. The others must be too, unless callers are authenticated, and TLS is set or TLS.Terminated.
	GRPC, HTTP, Admin Listener
	// Metrics is where metrics and probes alone are served, for other machines too: /metrics, /livez and /readyz, without TLS and
	// authentication. Zero serves them on the other listeners only.
	Metrics Listener

	// OIDC accepts access tokens as credentials of callers; nil accepts none.
	OIDC *OIDC
	// ClientCertificates accepts client certificates as credentials of callers; TLS.ClientCAFile is needed then. Where a caller has a
	// token as well, the token decides. Without OIDC and ClientCertificates every caller is anonymous.
	ClientCertificates bool
	// TLS is the TLS of the gRPC and REST listeners; zero serves plain text.
	TLS TLS
	// PolicyFile is the YAML file of rules who may read what; the gateway reads it again when it changes. It is needed with OIDC and
	// ClientCertificates. Without them, empty allows everything.
	PolicyFile string
	// AuditFile is the file that audit records are appended to; empty = standard error.
	AuditFile string
	// SealKeysFile is the file of keys that seal page and resume tokens: the first one seals, all open. The gateway reads it again when
	// it changes. Empty = random keys: tokens end with the gateway, and no other replica accepts them.
	SealKeysFile string
	// CORSOrigins are the web origins whose pages may read answers, such as https://chats.contoso.example; "loopback" stands for pages
	// that this machine serves, on any port. Default: none.
	CORSOrigins []string
	// Reflection serves gRPC reflection on the gRPC listener.
	Reflection bool
	// Explorer serves the explorer, a page for browsers that shows what its reader may read, at /explorer of the HTTP listener.
	Explorer bool
	// ExampleUser is the id of the user that the examples of /docs name, for gateways over test data. Default: none in particular.
	ExampleUser string

	// Limits bound what callers may ask for.
	Limits Limits
	// GraphShare is the part of each published limit of Graph that this gateway may use, above 0 and at most 1. Replicas for one
	// application divide the limits by it. With a shared store it counts only as long as no replica has been seen there. Default: 1.
	GraphShare float64
	// Cache bounds the pages of Graph that are kept in memory.
	Cache Cache
	// Shared is the store that replicas share; zero = none.
	Shared Shared
	// Settle is the age from which no new event of a source is expected.
	Settle Settle

	// Shutdown says how Close ends the gateway.
	Shutdown Shutdown

	// Proxy chooses the proxy of requests to Graph, the login service and token issuers, and of report downloads; nil = none, whatever
	// the environment says. http.ProxyFromEnvironment reads HTTPS_PROXY and NO_PROXY.
	Proxy func(*http.Request) (*url.URL, error)
	// MemoryLimit is the memory that the process may take, in bytes. The gateway sizes the cache and what streams read ahead by it,
	// and refuses work before the limit is reached. 0 = the limit of the Go runtime (GOMEMLIMIT), else what the machine has.
	MemoryLimit int64
	// SetGCPercent changes how often the garbage collector runs while live data grows. A process that is a gateway and nothing else
	// passes debug.SetGCPercent; nil leaves the collector alone.
	SetGCPercent func(percent int) int

	// Logger receives one line per call and the failures; nil = none. No line holds content, tokens or user names.
	Logger *slog.Logger
	// Registerer receives the gateway's metrics in addition to /metrics of the Admin listener, until Close; nil = none. Gateways that
	// share one need labels that tell them apart: see prometheus.WrapRegistererWith.
	Registerer prometheus.Registerer
	// TracerProvider receives a span of each call and of what is done for it: windows, look-ups in the cache, requests to Graph. They hold no
	// user, filter, token or content. nil = nothing is traced.
	TracerProvider trace.TracerProvider
	// Version names the build in metrics and documents; default "devel".
	Version string
	// Revision is the commit of the build, for metrics and logs; empty = unknown.
	Revision string

	sealer seal.Sealer // of tests, in place of SealKeysFile
}

// Listener is a place where the gateway serves.
type Listener struct {
	// Addr is host:port; port 0 takes a free one. Default: 127.0.0.1:0; of Metrics none.
	Addr string
	// Listener is served in place of Addr, and closed by Close. One that has no TCP address, such as a Unix socket, counts as local to
	// this machine.
	Listener net.Listener
}

// OIDC describes the access tokens that a gateway accepts: those of one issuer, for one of its audiences.
type OIDC struct {
	// Issuer is the issuer of the tokens, an https URL. {tid} in it stands for the ids of all Tenants, as in
	// https://login.microsoftonline.com/{tid}/v2.0.
	Issuer string
	// Audiences are the accepted audiences, at least one: for Entra the gateway's application id URI and its client id.
	Audiences []string
	// Programs is how the issuer marks the tokens of programs: entra, auth0, keycloak, okta or rfc9068. Empty = as the issuer's URL
	// tells. If the URL does not tell either, no rule of the policy may ask for the kind of a caller.
	Programs string
	// CAFile is a PEM file of certificate authorities to trust for the issuer, in addition to the system's.
	CAFile string
	// MaxLifetime is the longest time from issue to expiry of an accepted token; 0 = no bound.
	MaxLifetime time.Duration
}

// TLS names the files of the TLS of the gRPC and REST listeners. The gateway reads them again when they change.
type TLS struct {
	// CertFile and KeyFile are PEM files with the certificate chain and its private key; both or none are set.
	CertFile, KeyFile string
	// ClientCAFile is a PEM file of the authorities of client certificates.
	ClientCAFile string
	// Terminated says that TLS ends in front of the gateway, so that listeners beyond loopback may serve plain text.
	Terminated bool
}

// Limits bound what callers may ask for.
type Limits struct {
	// CallerRate is how many calls a second each authenticated caller may begin on average, CallerBurst how many at once.
	// Default: 50 and 100; a negative CallerRate = no bound.
	CallerRate  float64
	CallerBurst int
	// CallerGraphRequests is how many requests to Graph one caller may cause a day, midnight to midnight UTC; 0 = no bound.
	CallerGraphRequests int
	// CallerShare is the part of all calls and streams at one time that one authenticated caller may hold while others wait, at
	// most 1; a rule of the policy may give its callers a weight. While nobody waits, one caller may hold all. Default: 0.125.
	CallerShare float64
	// MaxDeadline is the longest deadline of lists and gets. Default: 2 minutes. Where it is set, streams grow no older than it, whatever
	// StreamAge says.
	MaxDeadline time.Duration
	// StreamStall is how long the client of a stream may take nothing before the stream ends with STREAM_ENDED and a resume token. Default: 2 minutes.
	StreamStall time.Duration
	// StreamAge is the age at which a stream ends with STREAM_ENDED and a resume token; the client goes on with it at once. Default: 30
	// minutes.
	StreamAge time.Duration
}

// Shutdown says how Close ends the gateway.
type Shutdown struct {
	// Delay is how long the gateway still serves after /readyz and health say that it is not ready, so that balancers notice. Default: 0.
	Delay time.Duration
	// Timeout is how long open calls may go on after that before they are ended, where the context of Close has no deadline. Default:
	// 20 seconds.
	Timeout time.Duration
}

// Cache bounds the pages of Graph that are kept in memory.
type Cache struct {
	// Bytes is the memory for pages, at most half of the memory limit. Default: a quarter of the memory limit, at most 256 MiB;
	// negative = nothing is kept.
	Bytes int64
	// MaxAge is the longest time that any value is cached. Default: 24 hours; negative = no bound but that of each kind of value.
	MaxAge time.Duration
}

// Shared is a Redis or Valkey that replicas share: pages of Graph, sealed, and the use of Graph's limits and of callers' days. A store that
// does not answer makes nothing wrong and no call fail.
type Shared struct {
	// URL is redis://host:port, or rediss://host:port for TLS. Further servers of a cluster, or of sentinels with master_set, follow as
	// addr parameters. Empty = no store.
	URL string
	// Username and PasswordFile are the login; the file is read at each connection.
	Username, PasswordFile string
	// CAFile is a PEM file of certificate authorities to trust for the store, in addition to the system's.
	CAFile string
	// KeysFile is the file of keys that seal what is put into the store: the first one seals, all open. The gateway reads it again when it
	// changes. It is needed with URL, and the same for all replicas.
	KeysFile string
	// Prefix begins all names in the store. Default: parley.
	Prefix string
	// Timeout bounds each operation. Default: 50 milliseconds.
	Timeout time.Duration
}

// Settle is the age from which no new event of a source is expected.
type Settle struct {
	// Copilot is the age for Copilot interactions. Default: 1 hour.
	Copilot time.Duration
	// Chat is the age for chat messages. Default: 15 minutes.
	Chat time.Duration
	// Call is the age for call records. Default: 36 hours.
	Call time.Duration
}

// Tenant is one Microsoft 365 tenant and how its Graph is asked.
type Tenant struct {
	// ID is the tenant's Entra id, a UUID. Empty = NilTenant, for a single tenant whose Graph is on loopback.
	ID string
	// ClientID is the client id of the application that reads Graph. For a managed identity it is the user-assigned one, empty = the
	// system-assigned one.
	ClientID string
	// Credential is how the application gets tokens: client-secret, client-certificate, workload-identity, managed-identity, azure-cli,
	// or none, which is for a Graph on loopback. It is needed unless TokenCredential is set.
	Credential string
	// ClientSecretFile holds the client secret; it is read again for each login.
	ClientSecretFile string
	// CertificateFile holds the certificate and its key, PEM or PKCS #12; it is read again for each login.
	CertificateFile string
	// TokenCredential gets the tokens in place of Credential and its files. Graph is not asked on behalf of users then.
	TokenCredential azcore.TokenCredential

	// Cloud is global, us-l4, us-l5 or china; it decides authority, scope, base URL and allowed links. Default: global.
	Cloud string
	// BaseURL replaces the cloud's Graph: scheme and host without a version.
	BaseURL string
	// AuthorityURL replaces the cloud's token authority; https.
	AuthorityURL string
	// CAFile is a PEM file of certificate authorities to trust for Graph and its authority, in addition to the system's.
	CAFile string
	// ReportHosts are the hosts that report downloads may be redirected to, in addition to the cloud's own.
	ReportHosts []string

	// Version is the generation of Graph to ask, v1.0 or beta. Default: v1.0.
	Version string
	// Versions are the generations for single sources.
	Versions Versions
	// Model is the billing model to send with message exports, A or B; empty sends none.
	Model string

	transport http.RoundTripper // of tests, in place of the network
}

// Versions are the generations of Graph for single sources, v1.0 or beta; empty = Tenant.Version.
type Versions struct {
	Copilot, Chat, Call, Conversations, Usage string
}

// tenantID returns the id in lower case, as tokens and keys of the cache have it.
func (t *Tenant) tenantID() string { return strings.ToLower(cmp.Or(t.ID, NilTenant)) }

// version returns the generation of Graph for an API, by the API's label.
func (t *Tenant) version(label string) string {
	own := map[string]string{
		graph.APICopilot: t.Versions.Copilot, graph.APIChat: t.Versions.Chat, graph.APICall: t.Versions.Call,
		graph.APIConversations: t.Versions.Conversations, graph.APIUsage: t.Versions.Usage, graph.APIUsers: graph.V1,
	}[label]
	return cmp.Or(own, t.Version, graph.V1)
}

// aliases returns the aliases of the tenants in their order.
func (c *Config) aliases() []string { return slices.Sorted(maps.Keys(c.Tenants)) }

// authMode names the ways in which callers are authenticated, in the words of the setting auth-mode.
func (c *Config) authMode() string {
	switch {
	case c.OIDC != nil && c.ClientCertificates:
		return "oidc,mtls"
	case c.OIDC != nil:
		return "oidc"
	case c.ClientCertificates:
		return "mtls"
	default:
		return "none"
	}
}

// authenticates reports whether callers have to say who they are.
func (c *Config) authenticates() bool { return c.OIDC != nil || c.ClientCertificates }

// settle returns the settle times by source.
func (c *Config) settle() map[parleyv1.Source]time.Duration {
	return map[parleyv1.Source]time.Duration{
		parleyv1.Source_SOURCE_COPILOT: c.Settle.Copilot, parleyv1.Source_SOURCE_CHAT: c.Settle.Chat, parleyv1.Source_SOURCE_CALL: c.Settle.Call,
	}
}

// WithDefaults returns the configuration with the defaults that package parley decides filled in, as New uses it. The parts that they
// configure have those of MaxDeadline, of the size of the cache, and of the shared store.
func (c *Config) WithDefaults() Config {
	d := *c
	for _, listener := range []*Listener{&d.GRPC, &d.HTTP, &d.Admin} {
		listener.Addr = cmp.Or(listener.Addr, "127.0.0.1:0")
	}
	d.Limits.CallerRate = initial(d.Limits.CallerRate, 50)
	d.Limits.CallerBurst = initial(d.Limits.CallerBurst, 100)
	d.Limits.CallerShare = initial(d.Limits.CallerShare, 0.125)
	d.GraphShare = cmp.Or(d.GraphShare, 1)
	d.Limits.StreamStall = cmp.Or(max(d.Limits.StreamStall, 0), 2*time.Minute)
	d.Limits.StreamAge = cmp.Or(max(d.Limits.StreamAge, 0), 30*time.Minute)
	if d.Limits.MaxDeadline > 0 {
		d.Limits.StreamAge = min(d.Limits.StreamAge, d.Limits.MaxDeadline)
	}
	d.Shutdown.Timeout = cmp.Or(max(d.Shutdown.Timeout, 0), 20*time.Second)
	d.Cache.MaxAge = initial(d.Cache.MaxAge, 24*time.Hour)
	d.Settle.Copilot = cmp.Or(d.Settle.Copilot, time.Hour)
	d.Settle.Chat = cmp.Or(d.Settle.Chat, 15*time.Minute)
	d.Settle.Call = cmp.Or(d.Settle.Call, 36*time.Hour)
	if d.MemoryLimit <= 0 {
		d.MemoryLimit = memoryLimit()
	}
	if d.Logger == nil {
		d.Logger = slog.New(slog.DiscardHandler)
	}
	d.Version = cmp.Or(d.Version, "devel")
	return d
}

// initial returns a value, its default in place of zero, and zero in place of a negative one.
func initial[T int | float64 | time.Duration](value, byDefault T) T {
	return max(cmp.Or(value, byDefault), 0)
}

var (
	aliasForm    = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,62}$`)
	tenantIDForm = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)
)

// check returns the mistakes in the values that no part of the gateway checks when it is made.
func (c *Config) check() error {
	var wrong configErrors
	if len(c.Tenants) == 0 {
		wrong.addf("Tenants", "is empty; describe the tenant to read")
	}
	if !(c.GraphShare > 0 && c.GraphShare <= 1) { // NaN is neither
		wrong.addf("GraphShare", "is not a part of Graph's limits; use a number above 0 and at most 1")
	}
	byID := make(map[string]string)
	for _, alias := range c.aliases() {
		tenant, path := c.Tenants[alias], tenantField(alias)
		if !aliasForm.MatchString(alias) {
			wrong.addf(path, "is not an alias; use up to 63 lower-case letters, digits and dashes")
		}
		other, twice := byID[tenant.tenantID()]
		byID[tenant.tenantID()] = alias
		switch {
		case tenant.ID != "" && !tenantIDForm.MatchString(tenant.ID):
			wrong.addf(path+".ID", "is not a UUID")
		case twice && tenant.ID == "":
			wrong.addf(path+".ID", "is needed: tenants are told apart by it")
		case twice:
			wrong.addf(path+".ID", "is that of %s, too; give each tenant its own", other)
		}
		for field, version := range map[string]string{
			"Version": tenant.Version, "Versions.Copilot": tenant.Versions.Copilot, "Versions.Chat": tenant.Versions.Chat,
			"Versions.Call": tenant.Versions.Call, "Versions.Conversations": tenant.Versions.Conversations, "Versions.Usage": tenant.Versions.Usage,
		} {
			if !slices.Contains([]string{"", graph.V1, graph.Beta}, version) {
				wrong.addf(path+"."+field, "is not a generation of Graph; use v1.0 or beta")
			}
		}
		if !slices.Contains([]string{"", "A", "B"}, tenant.Model) {
			wrong.addf(path+".Model", "is not a billing model; use A, B, or leave it empty")
		}
	}
	return wrong.join()
}
