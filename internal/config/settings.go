// Package config holds every setting of the gateway. The tags of one struct, Settings, name the flag, the environment variable, the YAML
// key, the default and the help of each. CommandLine reads the flags and the environment, Loaded adds the configuration file, Check
// finds everything that is wrong, and NewGateway makes the gateway that the settings describe.
package config

import (
	"fmt"
	"reflect"
	"strconv"
	"time"
)

// Settings are all scalar settings. A field's flag is its kebab-case name, its environment variable PARLEY_ and the name in
// upper snake case, its YAML key the name in lower snake case. The command line wins over the environment, the
// environment over the file, the file over the default.
//
// A new setting is also a field of config.proto in internal/configpb, which has the rules of its value; a field of parley.Config; and two
// lines of gateway.go, which fill that field and name the setting in its errors. docs/development.md has all steps.
type Settings struct {
	GRPCAddr  string `name:"grpc-addr" env:"PARLEY_GRPC_ADDR" default:"127.0.0.1:9090" group:"Listeners" help:"Where gRPC is served, host:port; port 0 picks a free one."`
	HTTPAddr  string `name:"http-addr" env:"PARLEY_HTTP_ADDR" default:"127.0.0.1:8080" group:"Listeners" help:"Where REST and /docs are served, host:port."`
	AdminAddr string `name:"admin-addr" env:"PARLEY_ADMIN_ADDR" default:"127.0.0.1:9091" group:"Listeners" help:"Where metrics, pprof and channelz are served, host:port; loopback only."`

	MetricsAddr string `name:"metrics-addr" env:"PARLEY_METRICS_ADDR" group:"Listeners" help:"Where /metrics, /livez and /readyz are served for machines that watch the gateway, host:port, such as 0.0.0.0:9464; unset = nowhere but on the other listeners."`

	GraphCloud                string `name:"graph-cloud" env:"PARLEY_GRAPH_CLOUD" default:"global" group:"Microsoft Graph" help:"Cloud: global, us-l4, us-l5 or china. It decides the login service, the scope of tokens, Graph's base URL and which links are followed."`
	GraphURL                  string `name:"graph-url" env:"PARLEY_GRAPH_URL" group:"Microsoft Graph" help:"Base URL in place of the cloud's own, scheme and host without a version."`
	GraphAuthorityURL         string `name:"graph-authority-url" env:"PARLEY_GRAPH_AUTHORITY_URL" group:"Microsoft Graph" help:"Login service in place of the cloud's own: an https URL of scheme and host."`
	GraphCAFile               string `name:"graph-ca-file" env:"PARLEY_GRAPH_CA_FILE" type:"path" group:"Microsoft Graph" help:"PEM file of certificate authorities to trust for Graph and the login service, beside the system's."`
	GraphVersion              string `name:"graph-version" env:"PARLEY_GRAPH_VERSION" default:"v1.0" group:"Microsoft Graph" help:"Generation of Graph to ask, v1.0 or beta."`
	GraphVersionCopilot       string `name:"graph-version-copilot" env:"PARLEY_GRAPH_VERSION_COPILOT" group:"Microsoft Graph" help:"Generation for Copilot interactions, if another."`
	GraphVersionChat          string `name:"graph-version-chat" env:"PARLEY_GRAPH_VERSION_CHAT" group:"Microsoft Graph" help:"Generation for chat messages, if another."`
	GraphVersionCall          string `name:"graph-version-call" env:"PARLEY_GRAPH_VERSION_CALL" group:"Microsoft Graph" help:"Generation for call records, if another."`
	GraphVersionConversations string `name:"graph-version-conversations" env:"PARLEY_GRAPH_VERSION_CONVERSATIONS" group:"Microsoft Graph" help:"Generation for chats, if another."`
	GraphVersionUsage         string `name:"graph-version-usage" env:"PARLEY_GRAPH_VERSION_USAGE" group:"Microsoft Graph" help:"Generation for the Copilot usage report, if another."`
	GraphCredential           string `name:"graph-credential" env:"PARLEY_GRAPH_CREDENTIAL" group:"Microsoft Graph" help:"How to get tokens: client-secret, client-certificate, workload-identity, managed-identity, azure-cli, or none (loopback Graph only)."`
	GraphTenantID             string `name:"graph-tenant-id" env:"PARLEY_GRAPH_TENANT_ID" group:"Microsoft Graph" help:"Entra tenant to read, a UUID."`
	GraphClientID             string `name:"graph-client-id" env:"PARLEY_GRAPH_CLIENT_ID" group:"Microsoft Graph" help:"Client id of the application that reads Graph."`
	GraphClientSecretFile     string `name:"graph-client-secret-file" env:"PARLEY_GRAPH_CLIENT_SECRET_FILE" type:"path" group:"Microsoft Graph" help:"File that holds the client secret; read again when it changes."`
	GraphCertificateFile      string `name:"graph-certificate-file" env:"PARLEY_GRAPH_CERTIFICATE_FILE" type:"path" group:"Microsoft Graph" help:"PEM or PKCS #12 file with certificate and key; read again when it changes."`
	GraphReportHosts          string `name:"graph-report-hosts" env:"PARLEY_GRAPH_REPORT_HOSTS" group:"Microsoft Graph" help:"Hosts that report downloads may be redirected to, separated by commas, beside the cloud's own."`
	GraphModel                string `name:"graph-model" env:"PARLEY_GRAPH_MODEL" group:"Microsoft Graph" help:"Billing model A or B to send with message exports; unset sends none."`

	ProxyURL string `name:"proxy-url" env:"PARLEY_PROXY_URL" group:"Egress" help:"Proxy for Graph, the login service, token issuers and report downloads: http://host:port, https, socks5 or socks5h. It goes before HTTPS_PROXY; NO_PROXY names hosts that are asked directly."`

	GraphShare float64 `name:"graph-share" env:"PARLEY_GRAPH_SHARE" default:"1" group:"Replicas" help:"Part of each published limit of Graph that this replica may use, from 0.001 to 1: with three replicas for one application, 0.33."`

	SharedURL          string        `name:"shared-url" env:"PARLEY_SHARED_URL" group:"Replicas" help:"Redis or Valkey that replicas share: redis://host:port, or rediss://host:port for TLS; further servers of a cluster follow as ?addr=host:port&addr=…, sentinels with &master_set=name. Unset = no shared store."`
	SharedUsername     string        `name:"shared-username" env:"PARLEY_SHARED_USERNAME" group:"Replicas" help:"User of the shared store, if it has users."`
	SharedPasswordFile string        `name:"shared-password-file" env:"PARLEY_SHARED_PASSWORD_FILE" type:"path" group:"Replicas" help:"File that holds the password of the shared store; read at each connection."`
	SharedCAFile       string        `name:"shared-ca-file" env:"PARLEY_SHARED_CA_FILE" type:"path" group:"Replicas" help:"PEM file of certificate authorities to trust for the shared store, beside the system's."`
	SharedKeysFile     string        `name:"shared-keys-file" env:"PARLEY_SHARED_KEYS_FILE" type:"path" group:"Replicas" help:"File of keys that seal what is put into the shared store, the first key seals, every key opens; needed with a shared store, the same for all replicas, in the form of the seal keys file."`
	SharedPrefix       string        `name:"shared-prefix" env:"PARLEY_SHARED_PREFIX" default:"parley" group:"Replicas" help:"Beginning of all names in the shared store."`
	SharedTimeout      time.Duration `name:"shared-timeout" env:"PARLEY_SHARED_TIMEOUT" default:"50ms" group:"Replicas" help:"Longest time of an operation on the shared store; the replica goes on by itself then."`

	CacheSize   string        `name:"cache-size" env:"PARLEY_CACHE_SIZE" group:"Cache" help:"Memory for cached pages, such as 64MiB or 2GiB; unset = a quarter of the memory limit, at most 256MiB; above half of the limit is refused; 0 caches nothing."`
	CacheMaxAge time.Duration `name:"cache-max-age" env:"PARLEY_CACHE_MAX_AGE" default:"24h" group:"Cache" help:"Longest time that any value is cached; 0 = no bound but that of each kind of value."`

	SettleCopilot time.Duration `name:"settle-copilot" env:"PARLEY_SETTLE_COPILOT" default:"1h" group:"Timeline" help:"Age from which Copilot interactions are settled: no new one is expected, and they are cached for longer; 0 = the default."`
	SettleChat    time.Duration `name:"settle-chat" env:"PARLEY_SETTLE_CHAT" default:"15m" group:"Timeline" help:"Age from which chat messages are settled: no new one is expected, and they are cached for longer; 0 = the default."`
	SettleCall    time.Duration `name:"settle-call" env:"PARLEY_SETTLE_CALL" default:"36h" group:"Timeline" help:"Age from which call records are settled: no new or corrected one is expected; 0 = the default."`

	SealKeysFile string `name:"seal-keys-file" env:"PARLEY_SEAL_KEYS_FILE" type:"path" group:"Security" help:"File of keys that seal page and resume tokens, the first key seals, every key opens; unset = random keys, and tokens end with the process."`

	AuthMode         string        `name:"auth-mode" env:"PARLEY_AUTH_MODE" default:"none" group:"Security" help:"How callers are known: oidc (access tokens), mtls (client certificates), oidc,mtls (a token decides where there is one), or none (loopback listeners only)."`
	OIDCIssuer       string        `name:"oidc-issuer" env:"PARLEY_OIDC_ISSUER" group:"Security" help:"Issuer of accepted access tokens, an https URL; {tid} stands for the configured tenants, as in https://login.microsoftonline.com/{tid}/v2.0."`
	OIDCAudience     string        `name:"oidc-audience" env:"PARLEY_OIDC_AUDIENCE" group:"Security" help:"Audiences of accepted access tokens, separated by commas: the gateway's application id URI and client id."`
	OIDCPrograms     string        `name:"oidc-programs" env:"PARLEY_OIDC_PROGRAMS" group:"Security" help:"How the issuer marks the tokens of programs: entra, auth0, keycloak, okta or rfc9068; unset = as the issuer's URL tells. Where neither does, rules may not ask for the kind of a caller."`
	OIDCCAFile       string        `name:"oidc-ca-file" env:"PARLEY_OIDC_CA_FILE" type:"path" group:"Security" help:"PEM file of certificate authorities to trust for the issuer, beside the system's."`
	TokenMaxLifetime time.Duration `name:"token-max-lifetime" env:"PARLEY_TOKEN_MAX_LIFETIME" group:"Security" help:"Longest time from iat to exp of an accepted access token, such as 2h; 0 = no bound."`
	TLSCertFile      string        `name:"tls-cert-file" env:"PARLEY_TLS_CERT_FILE" type:"path" group:"Security" help:"PEM file with the certificate chain of the gRPC and REST listeners; read again when it changes."`
	TLSKeyFile       string        `name:"tls-key-file" env:"PARLEY_TLS_KEY_FILE" type:"path" group:"Security" help:"PEM file with the certificate's private key; read again when it changes."`
	TLSClientCAFile  string        `name:"tls-client-ca-file" env:"PARLEY_TLS_CLIENT_CA_FILE" type:"path" group:"Security" help:"PEM file of the authorities of client certificates; read again when it changes."`
	TLSTerminated    bool          `name:"tls-terminated" env:"PARLEY_TLS_TERMINATED" group:"Security" help:"TLS ends in front of the gateway, so that listeners beyond loopback may be plain text."`
	PolicyFile       string        `name:"policy-file" env:"PARLEY_POLICY_FILE" type:"path" group:"Security" help:"YAML file of rules who may read what; read again when it changes. Needed unless nobody is asked who they are."`
	AuditFile        string        `name:"audit-file" env:"PARLEY_AUDIT_FILE" type:"path" group:"Security" help:"File that audit records are appended to; unset = standard error."`
	CORSOrigins      string        `name:"cors-origins" env:"PARLEY_CORS_ORIGINS" group:"Security" help:"Web origins whose pages may read answers, separated by commas, such as https://chats.contoso.example; loopback = pages that this machine serves, on any port."`
	Reflection       string        `name:"reflection" env:"PARLEY_REFLECTION" default:"auto" group:"Security" help:"gRPC reflection on the public listener: on, off, or auto, which is on where callers are not asked who they are."`
	Explorer         string        `name:"explorer" env:"PARLEY_EXPLORER" default:"off" group:"Security" help:"The explorer at /explorer, a page that shows in a browser what its user may read: on or off."`
	CallerRate       int           `name:"caller-rate" env:"PARLEY_CALLER_RATE" default:"50" group:"Limits" help:"Calls a second that each authenticated caller may begin on average; 0 = no bound."`
	CallerBurst      int           `name:"caller-burst" env:"PARLEY_CALLER_BURST" default:"100" group:"Limits" help:"Calls that each authenticated caller may begin at once, at least 1."`

	CallerGraphRequests int `name:"caller-graph-requests" env:"PARLEY_CALLER_GRAPH_REQUESTS" group:"Limits" help:"Requests to Graph that one caller may cause a day, midnight to midnight UTC, on each replica, or with a shared store on all together; 0 = no bound."`

	CallerShare float64       `name:"caller-share" env:"PARLEY_CALLER_SHARE" default:"0.125" group:"Limits" help:"Part of all calls and streams at one time that one caller may hold while others wait, from 0.001 to 1; a policy rule may give its callers a weight. Who is alone may use all. Callers that are not asked who they are have no shares."`
	MaxDeadline time.Duration `name:"max-deadline" env:"PARLEY_MAX_DEADLINE" group:"Limits" help:"Longest deadline of lists and gets, 2m where it is unset. Where it is set, streams grow no older than it, whatever --stream-age says."`
	StreamStall time.Duration `name:"stream-stall" env:"PARLEY_STREAM_STALL" default:"2m" group:"Limits" help:"How long the client of a stream may take nothing before the stream ends with STREAM_ENDED and a resume token."`
	StreamAge   time.Duration `name:"stream-age" env:"PARLEY_STREAM_AGE" default:"30m" group:"Limits" help:"Age at which a stream ends with STREAM_ENDED and a resume token; the client goes on with it at once."`

	ShutdownDelay   time.Duration `name:"shutdown-delay" env:"PARLEY_SHUTDOWN_DELAY" group:"Shutdown" help:"How long a gateway that is told to stop still serves while /readyz and health say that it is not ready, so that balancers notice; 0 = not at all."`
	ShutdownTimeout time.Duration `name:"shutdown-timeout" env:"PARLEY_SHUTDOWN_TIMEOUT" default:"20s" group:"Shutdown" help:"How long open calls may go on after that before they are ended."`

	LogLevel  string `name:"log-level" env:"PARLEY_LOG_LEVEL" default:"info" enum:"debug,info,warn,error" group:"Logs" help:"Least level that is logged: debug, info, warn, error."`
	LogFormat string `name:"log-format" env:"PARLEY_LOG_FORMAT" default:"text" enum:"text,json" group:"Logs" help:"Form of log lines on standard error: text or json."`

	// Tenants are the settings of each tenant by alias; empty = one tenant, described by the settings themselves.
	Tenants map[string]Settings `kong:"-"`

	// origins say where values came from, by the names of flags. In a tenant's settings, the key "" has the place of the tenant itself.
	origins Origins
}

// Defaults returns the settings as they are without file, environment and flags.
func Defaults() (Settings, error) {
	var s Settings
	value := reflect.ValueOf(&s).Elem()
	for i := range value.NumField() {
		field := value.Type().Field(i)
		text := field.Tag.Get("default")
		if text == "" {
			continue
		}
		switch target := value.Field(i).Addr().Interface().(type) {
		case *string:
			*target = text
		case *int:
			n, err := strconv.Atoi(text)
			if err != nil {
				return s, fmt.Errorf("%s: default: %w", field.Name, err)
			}
			*target = n
		case *bool:
			b, err := strconv.ParseBool(text)
			if err != nil {
				return s, fmt.Errorf("%s: default: %w", field.Name, err)
			}
			*target = b
		case *float64:
			f, err := strconv.ParseFloat(text, 64)
			if err != nil {
				return s, fmt.Errorf("%s: default: %w", field.Name, err)
			}
			*target = f
		case *time.Duration:
			d, err := time.ParseDuration(text)
			if err != nil {
				return s, fmt.Errorf("%s: default: %w", field.Name, err)
			}
			*target = d
		default:
			return s, fmt.Errorf("%s: default of an unexpected type", field.Name)
		}
	}
	return s, nil
}
