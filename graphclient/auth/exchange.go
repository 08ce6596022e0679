package auth

import "github.com/parley-gateway/parley/graphclient/graph"

// Exchange gets tokens with which an application acts on behalf of users, for
// the tokens that their clients sent. It is safe for concurrent use; Close it.
type Exchange struct {
	clientAuth *clientAuthFile
	scope      string
	logins     *logins // of all users
	discovery  *discovery
}

// NewExchange checks the application's credential, whose kind is one of DelegatingKinds
// and whose HTTP is set. It sends nothing.
func NewExchange(cfg CredentialConfig, scope string) (*Exchange, error) {
	shared := newDiscovery(&loginWire{transport: cfg.HTTP.Transport})
	cfg.wire = shared
	clientAuth, err := newClientAuthFile(cfg)
	if err != nil {
		return nil, err
	}
	return &Exchange{clientAuth: clientAuth, scope: scope, logins: &logins{}, discovery: shared}, nil
}

// Tokens returns the tokens of one user, for the access token that their client
// sent. A user without consent says nothing of the application's credential, so no
// observer is told. They end with the Exchange and need no closing.
func (e *Exchange) Tokens(assertion string) *Tokens {
	return &Tokens{
		credential: &userCredential{clientAuth: e.clientAuth, assertion: assertion}, ofUser: true, scope: e.scope,
		observer: graph.NoObserver{}, explain: userLoginError, logins: e.logins,
	}
}

// Reload reads the file of the application's credential now, if it has one. An
// error says why its content cannot be used; the old one stays in force then.
func (e *Exchange) Reload() error { return e.clientAuth.reload() }

// Close ends exchanges that are under way and waits for them.
func (e *Exchange) Close() {
	e.logins.Close()
	e.discovery.Close()
}
