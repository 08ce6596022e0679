// Package config holds every setting of the gateway: one struct that is flag, environment variable, YAML key, default and
// documentation at once, the YAML file behind it, and the checks across settings.
package config

import (
	"fmt"
	"reflect"
	"time"
)

// Settings are all scalar settings. A field's flag is its kebab-case name, its environment variable PARLEY_ and the name in
// upper snake case, its YAML key the name in lower snake case. The command line wins over the environment, the
// environment over the file, the file over the default.
type Settings struct {
	GRPCAddr  string `name:"grpc-addr" env:"PARLEY_GRPC_ADDR" default:"127.0.0.1:9090" group:"Listeners" help:"Where gRPC is served, host:port; port 0 picks a free one."`
	HTTPAddr  string `name:"http-addr" env:"PARLEY_HTTP_ADDR" default:"127.0.0.1:8080" group:"Listeners" help:"Where REST and /docs are served, host:port."`
	AdminAddr string `name:"admin-addr" env:"PARLEY_ADMIN_ADDR" default:"127.0.0.1:9091" group:"Listeners" help:"Where metrics, pprof and channelz are served, host:port; loopback only."`

	GraphCloud                string `name:"graph-cloud" env:"PARLEY_GRAPH_CLOUD" default:"global" group:"Microsoft Graph" help:"Cloud: global, us-l4, us-l5 or china. Drives authority, scope, base URL and allowed links."`
	GraphURL                  string `name:"graph-url" env:"PARLEY_GRAPH_URL" group:"Microsoft Graph" help:"Base URL in place of the cloud's own, scheme and host without a version."`
	GraphAuthorityURL         string `name:"graph-authority-url" env:"PARLEY_GRAPH_AUTHORITY_URL" group:"Microsoft Graph" help:"Token authority in place of the cloud's own, https."`
	GraphCAFile               string `name:"graph-ca-file" env:"PARLEY_GRAPH_CA_FILE" type:"path" group:"Microsoft Graph" help:"PEM file of certificate authorities to trust for Graph and its authority, beside the system's."`
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

	CacheSize   string        `name:"cache-size" env:"PARLEY_CACHE_SIZE" default:"256MiB" group:"Cache" help:"Memory for cached pages, such as 64MiB or 2GiB; 0 caches nothing."`
	CacheMaxAge time.Duration `name:"cache-max-age" env:"PARLEY_CACHE_MAX_AGE" default:"24h" group:"Cache" help:"Longest time that any page is kept."`

	SettleCopilot time.Duration `name:"settle-copilot" env:"PARLEY_SETTLE_COPILOT" default:"1h" group:"Timeline" help:"Age from which no new Copilot interaction is expected."`
	SettleChat    time.Duration `name:"settle-chat" env:"PARLEY_SETTLE_CHAT" default:"15m" group:"Timeline" help:"Age from which no new chat message is expected."`
	SettleCall    time.Duration `name:"settle-call" env:"PARLEY_SETTLE_CALL" default:"36h" group:"Timeline" help:"Age from which no new or corrected call record is expected."`

	SealKeysFile string `name:"seal-keys-file" env:"PARLEY_SEAL_KEYS_FILE" type:"path" group:"Doors" help:"File of keys that seal page and resume tokens, first seals, all open; unset = random keys, and tokens end with the process."`
	AuthMode     string `name:"auth-mode" env:"PARLEY_AUTH_MODE" default:"none" group:"Doors" help:"Who may call: none (loopback listeners only)."`

	LogLevel  string `name:"log-level" env:"PARLEY_LOG_LEVEL" default:"info" enum:"debug,info,warn,error" group:"Logs" help:"Least level that is logged: debug, info, warn, error."`
	LogFormat string `name:"log-format" env:"PARLEY_LOG_FORMAT" default:"text" enum:"text,json" group:"Logs" help:"Form of log lines on standard error: text or json."`
}

// Versions returns the generation of Graph for each source, by its short name.
func (s *Settings) Versions() map[string]string {
	versions := map[string]string{
		"copilot": s.GraphVersionCopilot, "chat": s.GraphVersionChat, "call": s.GraphVersionCall,
		"conversations": s.GraphVersionConversations, "usage": s.GraphVersionUsage, "users": "v1.0",
	}
	for source, version := range versions {
		if version == "" {
			versions[source] = s.GraphVersion
		}
	}
	return versions
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
