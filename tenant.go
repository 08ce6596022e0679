package parley

import (
	"crypto/x509"
	"errors"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/parley-gateway/parley/cache"
	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/graphclient"
	"github.com/parley-gateway/parley/internal/config"
	"github.com/parley-gateway/parley/server"
	"github.com/parley-gateway/parley/server/metrics"
	"github.com/parley-gateway/parley/source"
	"github.com/parley-gateway/parley/timeline/query"
)

var errNoCertificate = errors.New("holds no certificate in PEM form")

// newClient makes the Graph client of the tenant and the credential behind it. Delegates are nil where callers have no
// tokens of users or the credential cannot exchange them.
func newClient(s *config.Settings, proxy chooser, log *slog.Logger, observer graphclient.Observer) (*graphclient.Client, *graphclient.Delegates, error) {
	cloud, err := graphclient.CloudByName(s.GraphCloud)
	if err != nil {
		return nil, nil, translated(s, err)
	}
	roots, noRoots := authorities(s.GraphCAFile)
	if noRoots != nil {
		noRoots = s.Wrong(&s.GraphCAFile, "%w", noRoots)
	}
	login := graphclient.CredentialConfig{
		Kind: s.GraphCredential, TenantID: s.GraphTenantID, ClientID: s.GraphClientID, Cloud: cloud, AuthorityHost: s.GraphAuthorityURL,
		ClientSecretFile: s.GraphClientSecretFile, CertificateFile: s.GraphCertificateFile,
	}
	delegating := graphclient.DelegatesConfig{Credential: login}
	login.RootCAs, login.Proxy = roots, proxy
	credential, err := graphclient.NewCredential(login)
	if err := errors.Join(noRoots, translated(s, err)); err != nil {
		return nil, nil, err
	}
	client, err := graphclient.New(graphclient.Config{
		Cloud: cloud, BaseURL: s.GraphURL, TenantID: s.Tenant(), ClientID: s.GraphClientID, Credential: credential, RootCAs: roots, Proxy: proxy,
		ReportHosts: reportHosts(s.GraphReportHosts, cloud), Logger: log, Observer: observer, CallerDay: s.CallerGraphRequests,
	})
	if err != nil {
		return nil, nil, translated(s, err)
	}
	if !mayDelegate(s) {
		return client, nil, nil
	}
	delegates, err := graphclient.NewDelegates(client, delegating)
	if err != nil {
		client.Close()
		return nil, nil, translated(s, err)
	}
	return client, delegates, nil
}

// translated names the setting behind a field of the Graph client's configurations.
func translated(s *config.Settings, err error) error {
	return s.Translate(err, map[string]any{
		"Cloud": &s.GraphCloud, "BaseURL": &s.GraphURL, "Credential": &s.GraphCredential, "ReportHosts": &s.GraphReportHosts,
		"Kind": &s.GraphCredential, "TenantID": &s.GraphTenantID, "ClientID": &s.GraphClientID, "AuthorityHost": &s.GraphAuthorityURL,
		"ClientSecretFile": &s.GraphClientSecretFile, "CertificateFile": &s.GraphCertificateFile,
	})
}

// reportHosts are the configured hosts beside the cloud's own; nil leaves the cloud's alone.
func reportHosts(list string, cloud graphclient.Cloud) []string {
	var hosts []string
	for host := range strings.SplitSeq(list, ",") {
		if host = strings.TrimSpace(host); host != "" {
			hosts = append(hosts, host)
		}
	}
	if hosts == nil {
		return nil
	}
	return append(hosts, cloud.ReportHosts...)
}

// authorities are the system's and the file's; nil leaves the system's alone.
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

// newTenant chains the sources: source, then remembered refusals, then cache. The order is asserted by a test.
func newTenant(s *config.Settings, graph *graphclient.Client, pages *cache.Cache, log *slog.Logger) *server.Tenant {
	options := optionsOf(s, log)
	copilot := source.NewCopilot(graph, options("copilot"))
	chat := source.NewChat(graph, options("chat"))
	call := source.NewCall(graph, options("call"))
	usage := source.NewUsage(graph, options("usage"))
	scope := func(src parleyv1.Source) cache.Scope {
		return cache.Scope{Tenant: s.Tenant(), Identity: s.GraphClientID, Source: src, Skew: graph.Skew}
	}
	const (
		ai, chats, calls = parleyv1.Source_SOURCE_COPILOT, parleyv1.Source_SOURCE_CHAT, parleyv1.Source_SOURCE_CALL
	)
	refused := cache.NewRefusals(0)
	events := func(reader source.EventReader, src parleyv1.Source) source.EventReader {
		return pages.Events(refused.Events(reader, scope(src)), scope(src))
	}
	return &server.Tenant{
		ID: s.Tenant(),
		Sources: query.Sources{
			Events: map[parleyv1.Source]source.EventReader{
				ai: events(copilot, ai), chats: events(chat, chats), calls: events(call, calls),
			},
			Getters:    map[parleyv1.Source]source.EventGetter{ai: copilot, chats: chat, calls: pages.Records(call, scope(calls))},
			CallProofs: pages.Proofs(call, scope(calls)),
			Conversations: pages.Conversations(
				source.NewConversations(graph, options("conversations")), scope(parleyv1.Source_SOURCE_CONVERSATION)),
			Usage: pages.Usage(usage, scope(parleyv1.Source_SOURCE_USAGE)),
			Users: pages.Users(source.NewUsers(graph, options("users")), scope(parleyv1.Source_SOURCE_USER)),
			Skew:  graph.Skew,
		},
		Reports:     pages.Downloads(usage, scope(parleyv1.Source_SOURCE_USAGE)),
		Unavailable: unavailable(s.GraphCloud),
		Application: s.GraphClientID,
	}
}

// optionsOf say how each of the tenant's sources is asked.
func optionsOf(s *config.Settings, log *slog.Logger) func(name string) source.Options {
	versions := s.Versions()
	return func(name string) source.Options {
		return source.Options{
			Tenant: s.Tenant(), Version: versions[name], Model: s.GraphModel, Cloud: s.GraphCloud, Logger: log,
		}
	}
}

// newCache keeps as much as the settings and the memory limit allow and counts into gauges.
func newCache(s *config.Settings, limit int64, gauges *metrics.Metrics) (*cache.Cache, error) {
	size, err := s.CacheBytes(limit)
	if err != nil {
		return nil, s.Wrong(&s.CacheSize, "%w", err)
	}
	if size == 0 {
		size = -1
	}
	return cache.New(cache.Config{MaxBytes: size, MaxAge: s.CacheMaxAge, Settle: settle(s), Observer: gauges})
}

// settle is how long each source may still send late rows.
func settle(s *config.Settings) map[parleyv1.Source]time.Duration {
	return map[parleyv1.Source]time.Duration{
		parleyv1.Source_SOURCE_COPILOT: s.SettleCopilot, parleyv1.Source_SOURCE_CHAT: s.SettleChat, parleyv1.Source_SOURCE_CALL: s.SettleCall,
	}
}

func unavailable(cloud string) map[parleyv1.Source]parleyv1.SourceState {
	missing := map[parleyv1.Source]parleyv1.SourceState{}
	for number := range parleyv1.Source_name {
		if src := parleyv1.Source(number); !source.Available(cloud, src) {
			missing[src] = parleyv1.SourceState_SOURCE_STATE_NOT_IN_CLOUD
		}
	}
	return missing
}
