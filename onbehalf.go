package parley

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"github.com/parley-gateway/parley/cache"
	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/graphclient"
	"github.com/parley-gateway/parley/internal/config"
	"github.com/parley-gateway/parley/server"
	"github.com/parley-gateway/parley/server/authz"
	"github.com/parley-gateway/parley/source"
	"github.com/parley-gateway/parley/timeline/query"
)

// onBehalf asks Graph on behalf of the users of one tenant.
type onBehalf struct {
	clients *graphclient.Delegates
	pages   *cache.Cache
	options func(name string) source.Options
	tenant  string
	client  string
}

var _ server.Delegates = (*onBehalf)(nil)

func newOnBehalf(s *config.Settings, clients *graphclient.Delegates, pages *cache.Cache, log *slog.Logger) *onBehalf {
	return &onBehalf{clients: clients, pages: pages, options: optionsOf(s, log), tenant: s.Tenant(), client: s.GraphClientID}
}

// OnBehalfOf implements server.Delegates: the sources that Graph offers users, below a cache whose pages are that user's
// alone. The pages outlive the token, so that another token of the same user finds them, once it was exchanged.
func (o *onBehalf) OnBehalfOf(ctx context.Context, user server.Assertion) (server.Delegated, error) {
	graph, err := o.clients.Client(graphclient.Assertion{Token: user.Token, Expires: user.Expires})
	if err != nil {
		return server.Delegated{}, err
	}
	if err := graph.Login(ctx); err != nil {
		return server.Delegated{}, err
	}
	const chats = parleyv1.Source_SOURCE_CHAT
	scope := func(src parleyv1.Source) cache.Scope {
		return cache.Scope{Tenant: o.tenant, Identity: identityOf(o.client, user.User), Source: src, Delegated: true, Skew: graph.Skew}
	}
	chat, usage := source.NewChat(graph, o.options("chat")), source.NewUsage(graph, o.options("usage"))
	return server.Delegated{
		Sources: query.Sources{
			Events:  map[parleyv1.Source]source.EventReader{chats: o.pages.Events(chat, scope(chats))},
			Getters: map[parleyv1.Source]source.EventGetter{chats: chat},
			Conversations: o.pages.Conversations(
				source.NewConversations(graph, o.options("conversations")), scope(parleyv1.Source_SOURCE_CONVERSATION)),
			Usage: o.pages.Usage(usage, scope(parleyv1.Source_SOURCE_USAGE)),
			Skew:  graph.Skew,
		},
		Reports: o.pages.Downloads(usage, scope(parleyv1.Source_SOURCE_USAGE)),
	}, nil
}

// identityOf is whom Graph is asked as, in the keys of pages. It equals no application's client id.
func identityOf(client, user string) string { return client + " on behalf of " + user }

// mayDelegate says whether callers may have tokens of users, and the credential can exchange them.
func mayDelegate(s *config.Settings) bool {
	return slices.Contains(s.AuthModes(), "oidc") && slices.Contains(graphclient.DelegatingKinds(), s.GraphCredential)
}

// checkOnBehalf refuses rules that would have Graph asked on behalf of users where no tenant can.
func checkOnBehalf(s *config.Settings, tenants map[string]config.Settings) authz.Check {
	able := false
	for _, own := range tenants {
		own.AuthMode = s.AuthMode
		able = able || mayDelegate(&own)
	}
	return func(p *authz.Policy) error {
		names := p.OnBehalf()
		if len(names) == 0 || able {
			return nil
		}
		return fmt.Errorf("rules %s have Graph asked on behalf of users, which needs oidc in %s and an app registration's %s: %s",
			strings.Join(names, ", "), s.Name(&s.AuthMode), s.Name(&s.GraphCredential), strings.Join(graphclient.DelegatingKinds(), ", "))
	}
}
