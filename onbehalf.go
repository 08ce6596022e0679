package parley

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/parley-gateway/parley/cache/readers"
	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/graphclient"
	"github.com/parley-gateway/parley/graphclient/auth"
	"github.com/parley-gateway/parley/graphclient/graph"
	"github.com/parley-gateway/parley/server/authz"
	"github.com/parley-gateway/parley/server/service"
	"github.com/parley-gateway/parley/source"
	"github.com/parley-gateway/parley/timeline/query"
)

// onBehalf asks Graph on behalf of the users of one tenant.
type onBehalf struct {
	clients  *graphclient.Delegates
	pages    *readers.Decorator
	options  func(label string) source.Options // of the API of a label, such as graph.APIChat
	tenant   string
	clientID string
}

var _ service.Delegates = (*onBehalf)(nil)

func newOnBehalf(tenantCfg *Tenant, clients *graphclient.Delegates, pages *readers.Decorator, options func(label string) source.Options) *onBehalf {
	return &onBehalf{clients: clients, pages: pages, options: options, tenant: tenantCfg.tenantID(), clientID: tenantCfg.ClientID}
}

// OnBehalfOf implements service.Delegates. It exchanges the user's token and returns the sources that Graph offers users. Their pages are
// cached for that user alone, and longer than the token holds: a later call finds them after its own token was exchanged.
func (o *onBehalf) OnBehalfOf(ctx context.Context, user service.Assertion) (service.GraphAccess, error) {
	client, err := o.clients.Client(graphclient.Assertion{Token: user.Token, Expires: user.Expires})
	if err != nil {
		return service.GraphAccess{}, err
	}
	if err := client.Login(ctx); err != nil {
		return service.GraphAccess{}, err
	}
	const chats = parleyv1.Source_SOURCE_CHAT
	scope := func(src parleyv1.Source) readers.Scope {
		return readers.Scope{Tenant: o.tenant, Identity: identityOf(o.clientID, user.User), Source: src, Delegated: true, Skew: client.Skew}
	}
	chat, usage := source.NewChat(client, o.options(graph.APIChat)), source.NewUsage(client, o.options(graph.APIUsage))
	return service.GraphAccess{
		Sources: query.Sources{
			Events:  map[parleyv1.Source]source.EventReader{chats: o.pages.Events(chat, scope(chats))},
			Getters: map[parleyv1.Source]source.EventGetter{chats: chat},
			Conversations: o.pages.Conversations(
				source.NewConversations(client, o.options(graph.APIConversations)), scope(parleyv1.Source_SOURCE_CONVERSATION)),
			Usage: o.pages.Usage(usage, scope(parleyv1.Source_SOURCE_USAGE)),
			Skew:  client.Skew,
		},
		Reports:  o.pages.Downloads(usage, scope(parleyv1.Source_SOURCE_USAGE)),
		Contents: source.NewHostedContents(client, o.options(graph.APIChat)),
	}, nil
}

// identityOf names, in the keys of cached pages, the user on whose behalf Graph is asked. It differs from every client id, which names an
// application that asks for itself.
func identityOf(clientID, user string) string { return clientID + " on behalf of " + user }

// mayDelegate reports whether callers can have tokens of users and the tenant's credential can exchange them.
func (c *Config) mayDelegate(tenantCfg *Tenant) bool {
	return c.OIDC != nil && tenantCfg.TokenCredential == nil && slices.Contains(auth.DelegatingKinds(), tenantCfg.Credential)
}

// checkOnBehalf returns the check that refuses a policy whose rules ask Graph on behalf of users while no tenant can do so.
func checkOnBehalf(cfg *Config) authz.Check {
	able := false
	for _, tenantCfg := range cfg.Tenants {
		able = able || cfg.mayDelegate(&tenantCfg)
	}
	return func(p *authz.Policy) error {
		names := p.RulesOnBehalf()
		if len(names) == 0 || able {
			return nil
		}
		return fmt.Errorf("rules %s have Graph asked on behalf of users, which needs callers with access tokens (oidc) and an app registration's credential: %s",
			strings.Join(names, ", "), strings.Join(auth.DelegatingKinds(), ", "))
	}
}
