package auth

import (
	"context"
	"crypto/sha256"
	"errors"
	"os"
	"strings"
	"sync"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"

	"github.com/parley-gateway/parley/graphclient/graph"
	"github.com/parley-gateway/parley/internal/fielderror"
)

// DelegatingKinds lists the kinds of credential that can exchange users'
// tokens: those of an app registration.
func DelegatingKinds() []string {
	return []string{CredentialClientSecret, CredentialClientCertificate, CredentialWorkloadIdentity}
}

// exchanger makes the credential that exchanges a user's token.
type exchanger func(assertion string) (azcore.TokenCredential, error)

// clientAuth is the client authentication of the application at an exchange: its secret,
// certificate or federated token. digest is equal for equal ones.
type clientAuth struct {
	digest   [sha256.Size]byte
	onBehalf exchanger
}

// clientAuthFile holds the client authentication of the application. A secret file is read
// again for each login; content that cannot be used keeps the old one.
type clientAuthFile struct {
	cfg   CredentialConfig
	fixed *clientAuth // of an application without a secret file

	mu   sync.Mutex
	file secretFile[exchanger]
}

func newClientAuthFile(cfg CredentialConfig) (*clientAuthFile, error) {
	p := &clientAuthFile{cfg: cfg}
	var field string
	switch cfg.Kind {
	case CredentialClientSecret:
		field, p.file = "ClientSecretFile", secretFile[exchanger]{path: cfg.ClientSecretFile, parse: cfg.secretAuth}
	case CredentialClientCertificate:
		field, p.file = "CertificateFile", secretFile[exchanger]{path: cfg.CertificateFile, parse: cfg.certificateAuth}
	case CredentialWorkloadIdentity:
		p.fixed = &clientAuth{onBehalf: cfg.federatedAuth}
		return p, nil
	default:
		return nil, fielderror.New("Kind", "%q is no credential of an app registration, and only one of those can act on behalf of users: %s",
			cfg.Kind, strings.Join(DelegatingKinds(), ", "))
	}
	if _, err := p.file.load(); err != nil {
		return nil, fielderror.New(field, "%w", err)
	}
	return p, nil
}

// reload reads the file now; an error leaves the old content in force.
func (p *clientAuthFile) reload() error {
	if p.fixed != nil {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	_, err := p.file.load()
	return err
}

// current returns the client authentication to log in with now.
func (p *clientAuthFile) current() *clientAuth {
	if p.fixed != nil {
		return p.fixed
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	_, _ = p.file.load() // a file that cannot be used now leaves the old content in place
	return &clientAuth{p.file.digest, p.file.current}
}

func (cfg CredentialConfig) userOptions() *azidentity.OnBehalfOfCredentialOptions {
	return &azidentity.OnBehalfOfCredentialOptions{ClientOptions: cfg.options(), DisableInstanceDiscovery: cfg.AuthorityHost != ""}
}

func (cfg CredentialConfig) secretAuth(content []byte) (exchanger, error) {
	secret := strings.TrimSpace(string(content))
	if secret == "" {
		return nil, errors.New("file is empty")
	}
	return func(assertion string) (azcore.TokenCredential, error) {
		return azidentity.NewOnBehalfOfCredentialWithSecret(cfg.TenantID, cfg.ClientID, assertion, secret, cfg.userOptions())
	}, nil
}

func (cfg CredentialConfig) certificateAuth(content []byte) (exchanger, error) {
	certificates, key, err := azidentity.ParseCertificates(content, nil)
	if err != nil {
		return nil, errors.New("file holds no certificate with its private key, in PEM or PKCS#12 without a password")
	}
	return func(assertion string) (azcore.TokenCredential, error) {
		return azidentity.NewOnBehalfOfCredentialWithCertificate(cfg.TenantID, cfg.ClientID, assertion, certificates, key, cfg.userOptions())
	}, nil
}

// federatedAuth authenticates the application by the workload's own token, whose
// file and application id may be named by the environment alone, as for the
// application's credential.
func (cfg CredentialConfig) federatedAuth(assertion string) (azcore.TokenCredential, error) {
	client, path := cfg.ClientID, cfg.FederatedTokenFile
	if client == "" {
		client = os.Getenv("AZURE_CLIENT_ID")
	}
	if path == "" {
		path = os.Getenv("AZURE_FEDERATED_TOKEN_FILE")
	}
	token := func(context.Context) (string, error) {
		content, err := readSecret(path)
		return strings.TrimSpace(string(content)), err
	}
	return azidentity.NewOnBehalfOfCredentialWithClientAssertions(cfg.TenantID, client, assertion, token, cfg.userOptions())
}

// userCredential exchanges one assertion. It is made anew when the
// application's client authentication changed, or to forget its tokens.
type userCredential struct {
	clientAuth *clientAuthFile
	assertion  string

	mu       sync.Mutex
	madeWith [sha256.Size]byte
	current  azcore.TokenCredential
}

var (
	_ azcore.TokenCredential = (*userCredential)(nil)
	_ resetter               = (*userCredential)(nil)
)

// GetToken exchanges the assertion with the application's present client authentication.
func (c *userCredential) GetToken(ctx context.Context, options policy.TokenRequestOptions) (azcore.AccessToken, error) {
	auth := c.clientAuth.current()
	c.mu.Lock()
	if c.current == nil || c.madeWith != auth.digest {
		made, err := auth.onBehalf(c.assertion)
		if err != nil {
			c.mu.Unlock()
			return azcore.AccessToken{}, &graph.Error{Kind: graph.KindCredential, Reason: "credential cannot be used here"}
		}
		c.current, c.madeWith = made, auth.digest
	}
	current := c.current
	c.mu.Unlock()
	return current.GetToken(ctx, options)
}

// Reset makes the next exchange forget the tokens that the library keeps.
func (c *userCredential) Reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.current = nil
}
