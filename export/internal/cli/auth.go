package cli

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"golang.org/x/oauth2/clientcredentials"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
)

type authFlags struct {
	Auth      string `help:"Who asks: none, token-file, cert, oidc-client or azure." default:"none" env:"PARLEY_EXPORT_AUTH"`
	Plaintext bool   `help:"Speak to the gateway without TLS; with a token on loopback alone." env:"PARLEY_EXPORT_PLAINTEXT"`
	CAFile    string `name:"ca-file" help:"Authorities of the gateway's certificate, PEM; default: those of the system." env:"PARLEY_EXPORT_CA_FILE"`
	TokenFile string `help:"File with the access token, read anew for each connection (--auth=token-file)." env:"PARLEY_EXPORT_TOKEN_FILE"`
	CertFile  string `help:"Client certificate, PEM (--auth=cert)." env:"PARLEY_EXPORT_CERT_FILE"`
	KeyFile   string `help:"Its key, PEM (--auth=cert)." env:"PARLEY_EXPORT_KEY_FILE"`

	OIDCTokenURL   string `name:"oidc-token-url" help:"Where tokens come from (--auth=oidc-client)." env:"PARLEY_EXPORT_OIDC_TOKEN_URL"`
	OIDCClientID   string `name:"oidc-client-id" help:"Client id there (--auth=oidc-client)." env:"PARLEY_EXPORT_OIDC_CLIENT_ID"`
	OIDCSecretFile string `name:"oidc-client-secret-file" help:"File with the client's secret (--auth=oidc-client)." env:"PARLEY_EXPORT_OIDC_CLIENT_SECRET_FILE"`
	Scope          string `help:"Scope of the token, such as api://…/.default (--auth=oidc-client, azure)." env:"PARLEY_EXPORT_SCOPE"`
	Azure          string `name:"azure-credential" help:"workload-identity, managed-identity or cli (--auth=azure)." default:"workload-identity" env:"PARLEY_EXPORT_AZURE_CREDENTIAL"`
}

// access is how the gateway is called: with which token, certificate and name.
type access struct {
	token  func(ctx context.Context, refused string) (string, error) // nil = none
	tls    *tls.Config                                               // nil = plain text
	caller string                                                    // who calls, for the manifest
}

// access checks the flags; the error has a line for each mistake.
func (f authFlags) access(server string) (access, error) {
	a := access{caller: f.Auth}
	var wrong []error
	need := func(flag, value, fix string) {
		if value == "" {
			wrong = append(wrong, fmt.Errorf("%s: %s (--auth=%s)", flag, fix, f.Auth))
		}
	}
	if !f.Plaintext {
		var err error
		a.tls, err = f.tlsConfig()
		wrong = append(wrong, err)
	}
	switch f.Auth {
	case "none":
	case "token-file":
		need("--token-file", f.TokenFile, "name the file with the access token")
		a.token = func(context.Context, string) (string, error) { return readSecret(f.TokenFile) }
	case "cert":
		need("--cert-file", f.CertFile, "name the client certificate")
		need("--key-file", f.KeyFile, "name its key")
		wrong = append(wrong, f.certificate(&a))
	case "oidc-client":
		need("--oidc-token-url", f.OIDCTokenURL, "say where tokens come from")
		need("--oidc-client-id", f.OIDCClientID, "say the client's id there")
		need("--oidc-client-secret-file", f.OIDCSecretFile, "name the file with its secret")
		a.caller += " " + f.OIDCClientID
		a.token = cached(usualTokenRetries.fetch(f.oidcToken))
	case "azure":
		need("--scope", f.Scope, "say the scope of the gateway's application, such as api://3f2c…/.default")
		credential, err := f.azureCredential()
		if err != nil {
			wrong = append(wrong, err)
			break
		}
		a.caller += " " + f.Azure
		a.token = cached(usualTokenRetries.fetch(func(ctx context.Context) (string, time.Time, error) {
			token, err := credential.GetToken(ctx, policy.TokenRequestOptions{Scopes: []string{f.Scope}})
			return token.Token, token.ExpiresOn, err
		}))
	default:
		wrong = append(wrong, fmt.Errorf("--auth=%s: use none, token-file, cert, oidc-client or azure", f.Auth))
	}
	if f.Plaintext && f.Auth != "none" && !loopback(server) {
		wrong = append(wrong, fmt.Errorf("--plaintext: leave it out with --auth=%s: whoever is between could read what proves the caller", f.Auth))
	}
	return a, errors.Join(wrong...)
}

// tlsConfig returns how the gateway's certificate is checked. With an error, the configuration trusts nobody.
func (f authFlags) tlsConfig() (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if f.CAFile == "" {
		return config, nil
	}
	config.RootCAs = x509.NewCertPool()
	pem, err := os.ReadFile(f.CAFile)
	if err == nil && !config.RootCAs.AppendCertsFromPEM(pem) {
		err = errors.New("there is no certificate in it")
	}
	if err != nil {
		return config, fmt.Errorf("--ca-file=%s: %w", f.CAFile, err)
	}
	return config, nil
}

// certificate makes access present the client certificate.
func (f authFlags) certificate(a *access) error {
	if f.CertFile == "" || f.KeyFile == "" {
		return nil
	}
	if a.tls == nil {
		return errors.New("--plaintext: leave it out with --auth=cert: a client certificate needs TLS")
	}
	pair, err := tls.LoadX509KeyPair(f.CertFile, f.KeyFile)
	if err != nil {
		return fmt.Errorf("--cert-file=%s: %w", f.CertFile, err)
	}
	a.caller += " " + pair.Leaf.Subject.String()
	// The files are read at each handshake: certificates are renewed while a night lasts.
	a.tls.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		pair, err := tls.LoadX509KeyPair(f.CertFile, f.KeyFile)
		return &pair, err
	}
	return nil
}

// oidcToken fetches a token by OAuth 2.0 client credentials, and returns when it ends.
func (f authFlags) oidcToken(ctx context.Context) (string, time.Time, error) {
	secret, err := readSecret(f.OIDCSecretFile)
	if err != nil {
		return "", time.Time{}, err
	}
	config := clientcredentials.Config{ClientID: f.OIDCClientID, ClientSecret: secret, TokenURL: f.OIDCTokenURL}
	if f.Scope != "" {
		config.Scopes = strings.Fields(f.Scope)
	}
	token, err := config.Token(ctx)
	if err != nil {
		return "", time.Time{}, err
	}
	return token.AccessToken, token.Expiry, nil
}

func (f authFlags) azureCredential() (credential azcore.TokenCredential, err error) {
	switch f.Azure {
	case "workload-identity":
		credential, err = azidentity.NewWorkloadIdentityCredential(nil)
	case "managed-identity":
		credential, err = azidentity.NewManagedIdentityCredential(nil)
	case "cli":
		credential, err = azidentity.NewAzureCLICredential(nil)
	default:
		err = errors.New("use workload-identity, managed-identity or cli")
	}
	if err != nil {
		return nil, fmt.Errorf("--azure-credential=%s: %w", f.Azure, err)
	}
	return credential, nil
}

// cached returns a function that fetches a token and returns it until a minute before its end, or until the gateway refuses it.
func cached(fetch tokenFunc) func(context.Context, string) (string, error) {
	var mu sync.Mutex
	var token string
	var expiry time.Time
	return func(ctx context.Context, refused string) (string, error) {
		mu.Lock()
		defer mu.Unlock()
		if token != "" && token != refused && (expiry.IsZero() || time.Until(expiry) > time.Minute) {
			return token, nil
		}
		next, until, err := fetch(ctx)
		if err != nil {
			return "", err
		}
		token, expiry = next, until
		return token, nil
	}
}

func readSecret(path string) (string, error) {
	text, err := os.ReadFile(path)
	return strings.TrimSpace(string(text)), err
}

func loopback(server string) bool {
	host, _, err := net.SplitHostPort(server)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// dial opens the channel. Keepalive finds connections that are dead.
func (a access) dial(server string) (*grpc.ClientConn, error) {
	transport := insecure.NewCredentials()
	if a.tls != nil {
		transport = credentials.NewTLS(a.tls)
	}
	return grpc.NewClient(server,
		grpc.WithTransportCredentials(transport),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 30 * time.Second, Timeout: 20 * time.Second}),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(16<<20)),
	)
}
