package parley

import (
	"crypto/x509"
	"errors"
	"os"
	"slices"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"

	"github.com/parley-gateway/parley/cache/readers"
	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/graphclient"
	"github.com/parley-gateway/parley/graphclient/auth"
	"github.com/parley-gateway/parley/graphclient/graph"
	"github.com/parley-gateway/parley/internal/fielderror"
	"github.com/parley-gateway/parley/server/metrics"
	"github.com/parley-gateway/parley/server/service"
	"github.com/parley-gateway/parley/source"
	"github.com/parley-gateway/parley/timeline/query"
)

var errNoCertificate = errors.New("holds no certificate in PEM form")

// newTenants makes a Graph client, a credential and the sources of each tenant. They share the cache, whose keys hold the tenant.
func (g *Gateway) newTenants(cfg *Config, stats *metrics.Metrics, reloads *reloads) (map[string]*service.Tenant, error) {
	tenants := make(map[string]*service.Tenant)
	var errs []error
	pages := readers.New(g.cache, readers.Config{Settle: cfg.settle(), Shared: g.sharing.sharedValues()})
	for _, alias := range cfg.aliases() {
		tenantCfg := cfg.Tenants[alias]
		clients, err := newGraph(cfg, &tenantCfg, stats.Graph(alias), g.sharing.pool(&tenantCfg))
		if err != nil {
			errs = append(errs, tenantFields(alias, err))
			continue
		}
		g.graphs = append(g.graphs, clients)
		reloads.watchCredential(clients)
		if !auth.Expires(clients.credential).IsZero() {
			if err := stats.CredentialExpires(alias, func() time.Time { return auth.Expires(clients.credential) }); err != nil {
				return nil, err
			}
		}
		if err := errors.Join(stats.GraphLimits(alias, clients.client.Limits), stats.ClockSkew(alias, clients.client.Skew),
			stats.PermissionSuspected(alias, graph.APICopilot, clients.client.PermissionSuspected),
			stats.PermissionSuspected(alias, graph.APIChat, clients.client.PermissionSuspected)); err != nil {
			return nil, err
		}
		if g.cache == nil { // it could not be made, and the tenants are tried for their own mistakes alone
			continue
		}
		g.firstTokens = append(g.firstTokens, newFirstToken(clients.client, cfg.Logger))
		tenants[alias] = newTenant(cfg, &tenantCfg, clients, pages)
	}
	return tenants, errors.Join(errs...)
}

// graphClients are the clients of one tenant's Graph.
type graphClients struct {
	client *graphclient.Client
	// credential gets the tokens of the application.
	credential azcore.TokenCredential
	// delegates ask Graph on behalf of users; nil where no caller can have a user's token, or the credential cannot exchange one.
	delegates *graphclient.Delegates
}

func (g graphClients) close() {
	if g.delegates != nil {
		g.delegates.Close()
	}
	g.client.Close()
}

// newGraph makes the Graph client of a tenant and the credential behind it.
func newGraph(cfg *Config, tenantCfg *Tenant, observer graph.Observer, pool limitPool) (graphClients, error) {
	cloud, err := graph.CloudByName(tenantCfg.Cloud)
	if err != nil {
		return graphClients{}, err
	}
	roots, err := authorities(tenantCfg.CAFile)
	var noRoots error
	if err != nil {
		noRoots = fielderror.New("CAFile", "%w", err)
	}
	credentialCfg := auth.CredentialConfig{
		Kind: tenantCfg.Credential, TenantID: tenantCfg.ID, ClientID: tenantCfg.ClientID, Cloud: cloud, AuthorityHost: tenantCfg.AuthorityURL,
		ClientSecretFile: tenantCfg.ClientSecretFile, CertificateFile: tenantCfg.CertificateFile,
	}
	delegating := graphclient.DelegatesConfig{Credential: credentialCfg} // without roots and proxy: it takes those of the client
	credentialCfg.RootCAs, credentialCfg.Proxy = roots, cfg.Proxy
	credential, err := newCredential(tenantCfg, credentialCfg)
	if err := errors.Join(noRoots, err); err != nil {
		return graphClients{}, err
	}
	client, err := graphclient.New(graphclient.Config{
		Cloud: cloud, BaseURL: tenantCfg.BaseURL, TenantID: tenantCfg.tenantID(), ClientID: tenantCfg.ClientID, Credential: credential, RootCAs: roots, Proxy: cfg.Proxy,
		ReportHosts: reportHosts(tenantCfg.ReportHosts, cloud), Logger: cfg.Logger, Observer: observer, CallerDay: cfg.Limits.CallerGraphRequests,
		Share: cfg.GraphShare, Pool: pool, DayPool: pool, Transport: tenantCfg.transport,
	})
	if err != nil {
		return graphClients{}, err
	}
	if !cfg.mayDelegate(tenantCfg) {
		return graphClients{client: client, credential: credential}, nil
	}
	delegates, err := graphclient.NewDelegates(client, delegating)
	if err != nil {
		client.Close()
		return graphClients{}, err
	}
	return graphClients{client, credential, delegates}, nil
}

// newCredential returns the credential that the tenant brings, or makes one from its configuration.
func newCredential(tenantCfg *Tenant, login auth.CredentialConfig) (azcore.TokenCredential, error) {
	if tenantCfg.TokenCredential != nil {
		return tenantCfg.TokenCredential, nil
	}
	return auth.NewCredential(login)
}

// tenantFields turns the errors of fields of a Graph client's configurations into errors of the fields of Tenant that fill them.
func tenantFields(alias string, err error) error {
	fields := make(map[string]string)
	for part, field := range map[string]string{
		"Cloud": "Cloud", "BaseURL": "BaseURL", "Credential": "Credential", "ReportHosts": "ReportHosts", "Kind": "Credential", "TenantID": "ID",
		"ClientID": "ClientID", "AuthorityHost": "AuthorityURL", "ClientSecretFile": "ClientSecretFile", "CertificateFile": "CertificateFile",
		"CAFile": "CAFile",
	} {
		fields[part] = tenantField(alias) + "." + field
	}
	return renamed(err, fields)
}

// reportHosts returns the configured hosts together with the cloud's own; nil where none are configured, so that the cloud's own hold.
func reportHosts(configured []string, cloud graph.Cloud) []string {
	if len(configured) == 0 {
		return nil
	}
	return append(slices.Clip(configured), cloud.ReportHosts...)
}

// authorities returns the certificate authorities of the system together with those of a file; nil without a file, which stands for the
// system's.
func authorities(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil //nolint:nilnil // nil roots are how TLS names the system's
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if !pool.AppendCertsFromPEM(pem) {
		return nil, errNoCertificate
	}
	return pool, nil
}

// newTenant makes a tenant and its sources. A read of events looks into the cache first, then into the memory of refusals, then, of
// calls, into the calls of all users, and asks the source last; a test asserts the order.
func newTenant(cfg *Config, tenantCfg *Tenant, clients graphClients, pages *readers.Decorator) *service.Tenant {
	client, options := clients.client, tenantCfg.options(cfg)
	copilot := source.NewCopilot(client, options(graph.APICopilot))
	chat := source.NewChat(client, options(graph.APIChat))
	call := source.NewCall(client, options(graph.APICall))
	retained := source.NewRetainedChat(client, options(graph.APIChat))
	usage := source.NewUsage(client, options(graph.APIUsage))
	scope := func(src parleyv1.Source) readers.Scope {
		return readers.Scope{Tenant: tenantCfg.tenantID(), Identity: tenantCfg.ClientID, Source: src, Skew: client.Skew}
	}
	const (
		interactions, chats, calls = parleyv1.Source_SOURCE_COPILOT, parleyv1.Source_SOURCE_CHAT, parleyv1.Source_SOURCE_CALL
		retainedChats              = parleyv1.Source_SOURCE_RETAINED_CHAT
	)
	directory := pages.Users(source.NewUsers(client, options(graph.APIUsers)), scope(parleyv1.Source_SOURCE_USER))
	refused := pages.Refusals()
	callEvents := pages.Calls(call, call, scope(calls))
	events := func(reader source.EventReader, src parleyv1.Source) source.EventReader {
		return pages.Events(refused.Events(reader, scope(src)), scope(src))
	}
	tenant := &service.Tenant{
		ID: tenantCfg.tenantID(),
		Sources: query.Sources{
			Events: map[parleyv1.Source]source.EventReader{
				interactions: events(copilot, interactions), chats: events(chat, chats), calls: events(callEvents, calls),
				retainedChats: events(retained, retainedChats),
			},
			Getters:      map[parleyv1.Source]source.EventGetter{interactions: copilot, chats: chat, calls: pages.Records(call, scope(calls))},
			CallVerifier: pages.Participants(call, scope(calls)),
			Conversations: pages.Conversations(
				source.NewConversations(client, options(graph.APIConversations)), scope(parleyv1.Source_SOURCE_CONVERSATION)),
			Usage: pages.Usage(usage, scope(parleyv1.Source_SOURCE_USAGE)),
			Users: directory, Names: directory,
			Skew: client.Skew,
		},
		Reports:     pages.Downloads(usage, scope(parleyv1.Source_SOURCE_USAGE)),
		Contents:    source.NewHostedContents(client, options(graph.APIChat)),
		Unavailable: unavailable(tenantCfg.Cloud),
		Application: tenantCfg.ClientID,
		Plans:       readers.NewPlans(),
	}
	if clients.delegates != nil {
		tenant.Delegates = newOnBehalf(tenantCfg, clients.delegates, pages, options)
	}
	return tenant
}

// options returns how each of the tenant's Graph APIs is asked, by the API's label.
func (t *Tenant) options(cfg *Config) func(label string) source.Options {
	return func(label string) source.Options {
		return source.Options{Tenant: t.tenantID(), Version: t.version(label), Model: t.Model, Cloud: t.Cloud, Logger: cfg.Logger}
	}
}

// unavailable returns the sources that a cloud does not have, with the state that reports give them.
func unavailable(cloud string) map[parleyv1.Source]parleyv1.SourceState {
	missing := map[parleyv1.Source]parleyv1.SourceState{}
	for number := range parleyv1.Source_name {
		if src := parleyv1.Source(number); !source.Available(cloud, src) {
			missing[src] = parleyv1.SourceState_SOURCE_STATE_NOT_IN_CLOUD
		}
	}
	return missing
}
