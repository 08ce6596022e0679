package auth

import (
	"crypto/x509"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"

	"github.com/parley-gateway/parley/graphclient/graph"
	"github.com/parley-gateway/parley/graphclient/internal/ascii"
	"github.com/parley-gateway/parley/internal/fielderror"
)

// The kinds of credential, by the names that configurations have for them.
const (
	CredentialClientSecret      = "client-secret"
	CredentialClientCertificate = "client-certificate"
	CredentialWorkloadIdentity  = "workload-identity"
	CredentialManagedIdentity   = "managed-identity"
	CredentialAzureCLI          = "azure-cli"
	CredentialNone              = "none"
)

// CredentialKinds lists the kinds in the order of the documentation.
func CredentialKinds() []string {
	return []string{
		CredentialClientSecret, CredentialClientCertificate, CredentialWorkloadIdentity,
		CredentialManagedIdentity, CredentialAzureCLI, CredentialNone,
	}
}

// CredentialConfig says how an application logs in to Entra ID.
type CredentialConfig struct {
	// Kind is one of CredentialKinds.
	Kind string
	// TenantID is the directory. A managed identity always gets tokens of its
	// own tenant, whatever stands here; the library does not say so.
	TenantID string
	// ClientID is the application; for a managed identity the user-assigned
	// one, empty = the system-assigned one.
	ClientID string
	// ClientSecretFile holds the secret and nothing else; white space at its
	// ends is dropped. It is read again for each login.
	ClientSecretFile string
	// CertificateFile holds certificate and private key, PEM or PKCS#12
	// without a password. It is read again for each login.
	CertificateFile string
	// FederatedTokenFile is a workload identity's token; empty = what the
	// environment names (AZURE_FEDERATED_TOKEN_FILE). The library reads it
	// again as it rotates.
	FederatedTokenFile string
	// Cloud chooses the authority; zero is the global cloud.
	Cloud graph.Cloud
	// AuthorityHost replaces Cloud.Authority. Microsoft's list of authorities
	// is not consulted then, so it must be trustworthy. https only.
	AuthorityHost string
	// HTTP lends its Transport to logins, nothing else; nil = a transport of
	// our own.
	HTTP *http.Client
	// RootCAs replaces the system's roots in our own transport, and Proxy chooses a proxy there. A managed
	// identity's service is beside the machine: it is never asked through a proxy.
	RootCAs *x509.CertPool
	Proxy   func(*http.Request) (*url.URL, error)

	wire policy.Transporter // of Delegates; nil = HTTP's Transport
}

// NewCredential makes the credential of a Client. It sends nothing. The kind
// none gives nil and no error. Errors are a *ConfigError: of a field that is missing, that
// does not belong to the kind, or whose file cannot be used.
func NewCredential(cfg CredentialConfig) (azcore.TokenCredential, error) {
	if cfg.Kind == CredentialNone {
		return nil, cfg.onlyFor("")
	}
	if cfg.TenantID == "" && knownKind(cfg.Kind) {
		return nil, cfg.missing("TenantID")
	}
	if strings.ContainsFunc(cfg.TenantID, func(r rune) bool { return r >= 0x80 || !ascii.Alphanumeric(byte(r)) && r != '-' && r != '.' }) {
		return nil, fielderror.New("TenantID", "not a tenant id or domain name")
	}
	if cfg.AuthorityHost != "" && !strings.HasPrefix(strings.ToLower(cfg.AuthorityHost), "https://") {
		return nil, fielderror.New("AuthorityHost", "must be an https URL")
	}
	if cfg.HTTP == nil || cfg.HTTP.Transport == nil {
		if cfg.Kind == CredentialManagedIdentity {
			cfg.Proxy = nil
		}
		pool := graph.NewTransport(cfg.RootCAs, cfg.Proxy)
		pool.DisableKeepAlives = true // a login an hour: a connection that is kept would outlive the client
		cfg.HTTP = &http.Client{Transport: pool}
	}
	switch cfg.Kind {
	case CredentialClientSecret:
		return cfg.clientSecret()
	case CredentialClientCertificate:
		return cfg.clientCertificate()
	case CredentialWorkloadIdentity:
		return cfg.workloadIdentity()
	case CredentialManagedIdentity:
		return cfg.managedIdentity()
	case CredentialAzureCLI:
		return cfg.azureCLI()
	default:
		return nil, fielderror.New("Kind", "unknown kind %q; valid are %s", cfg.Kind, strings.Join(CredentialKinds(), ", "))
	}
}

func knownKind(kind string) bool {
	return slices.Contains(CredentialKinds(), kind)
}

func (cfg CredentialConfig) clientSecret() (azcore.TokenCredential, error) {
	if err := cfg.onlyFor("ClientSecretFile"); err != nil {
		return nil, err
	}
	if cfg.ClientID == "" {
		return nil, cfg.missing("ClientID")
	}
	return newFileCredential("ClientSecretFile", cfg.ClientSecretFile, func(content []byte) (azcore.TokenCredential, error) {
		secret := strings.TrimSpace(string(content))
		if secret == "" {
			return nil, errors.New("file is empty")
		}
		options := &azidentity.ClientSecretCredentialOptions{
			ClientOptions: cfg.options(), DisableInstanceDiscovery: cfg.AuthorityHost != "",
		}
		return azidentity.NewClientSecretCredential(cfg.TenantID, cfg.ClientID, secret, options)
	})
}

func (cfg CredentialConfig) clientCertificate() (azcore.TokenCredential, error) {
	if err := cfg.onlyFor("CertificateFile"); err != nil {
		return nil, err
	}
	if cfg.ClientID == "" {
		return nil, cfg.missing("ClientID")
	}
	return newFileCredential("CertificateFile", cfg.CertificateFile, func(content []byte) (azcore.TokenCredential, error) {
		certificates, key, err := azidentity.ParseCertificates(content, nil)
		if err != nil {
			return nil, errors.New("file holds no certificate with its private key, in PEM or PKCS#12 without a password")
		}
		options := &azidentity.ClientCertificateCredentialOptions{
			ClientOptions: cfg.options(), DisableInstanceDiscovery: cfg.AuthorityHost != "",
		}
		credential, err := azidentity.NewClientCertificateCredential(cfg.TenantID, cfg.ClientID, certificates, key, options)
		if err != nil {
			return nil, err
		}
		return &certified{credential, certificates[0].NotAfter}, nil
	})
}

func (cfg CredentialConfig) workloadIdentity() (azcore.TokenCredential, error) {
	if err := cfg.onlyFor(""); err != nil {
		return nil, err
	}
	return newRenewable(func() (azcore.TokenCredential, error) {
		credential, err := azidentity.NewWorkloadIdentityCredential(&azidentity.WorkloadIdentityCredentialOptions{
			ClientOptions: cfg.options(), ClientID: cfg.ClientID, TenantID: cfg.TenantID,
			TokenFilePath: cfg.FederatedTokenFile, DisableInstanceDiscovery: cfg.AuthorityHost != "",
		})
		if err != nil {
			return nil, fielderror.New("Kind", "workload-identity needs a client id (or AZURE_CLIENT_ID) "+
				"and the token file that AZURE_FEDERATED_TOKEN_FILE names")
		}
		return credential, nil
	})
}

func (cfg CredentialConfig) managedIdentity() (azcore.TokenCredential, error) {
	if err := cfg.onlyFor(""); err != nil {
		return nil, err
	}
	return newRenewable(func() (azcore.TokenCredential, error) {
		options := &azidentity.ManagedIdentityCredentialOptions{ClientOptions: cfg.options()}
		options.Retry = policy.RetryOptions{} // the metadata service has its own schedule
		if cfg.ClientID != "" {
			options.ID = azidentity.ClientID(cfg.ClientID)
		}
		credential, err := azidentity.NewManagedIdentityCredential(options)
		if err != nil {
			return nil, fielderror.New("ClientID", "is not accepted by managed-identity here")
		}
		return credential, nil
	})
}

func (cfg CredentialConfig) azureCLI() (azcore.TokenCredential, error) {
	if err := cfg.onlyFor(""); err != nil {
		return nil, err
	}
	if cfg.ClientID != "" {
		return nil, cfg.excess("ClientID")
	}
	if cfg.AuthorityHost != "" {
		return nil, cfg.excess("AuthorityHost")
	}
	return newRenewable(func() (azcore.TokenCredential, error) {
		credential, err := azidentity.NewAzureCLICredential(&azidentity.AzureCLICredentialOptions{TenantID: cfg.TenantID})
		if err != nil {
			return nil, fielderror.New("TenantID", "not a tenant id that azure-cli accepts")
		}
		return credential, nil
	})
}

// onlyFor checks that of the file settings exactly the given one is there.
func (cfg CredentialConfig) onlyFor(field string) error {
	for _, s := range []struct{ name, value string }{
		{"ClientSecretFile", cfg.ClientSecretFile},
		{"CertificateFile", cfg.CertificateFile},
	} {
		if s.name == field && s.value == "" {
			return cfg.missing(s.name)
		}
		if s.name != field && s.value != "" {
			return cfg.excess(s.name)
		}
	}
	if cfg.FederatedTokenFile != "" && cfg.Kind != CredentialWorkloadIdentity {
		return cfg.excess("FederatedTokenFile")
	}
	return nil
}

func (cfg CredentialConfig) missing(field string) error {
	return fielderror.New(field, "required by a credential of kind %s", cfg.Kind)
}

func (cfg CredentialConfig) excess(field string) error {
	return fielderror.New(field, "does not belong to a credential of kind %s; remove one of the two", cfg.Kind)
}

// options are the library's client options: our authority, a bounded
// transport that follows no redirect, and short retries, since logins repeat
// on our own schedule.
func (cfg CredentialConfig) options() policy.ClientOptions {
	if cfg.wire == nil {
		cfg.wire = &loginWire{transport: cfg.HTTP.Transport}
	}
	authority := cfg.AuthorityHost
	if authority == "" {
		authority = cfg.Cloud.Authority
	}
	if authority == "" {
		authority = graph.Clouds()[0].Authority
	}
	return policy.ClientOptions{
		Cloud:     cloud.Configuration{ActiveDirectoryAuthorityHost: authority},
		Retry:     policy.RetryOptions{MaxRetries: 2, RetryDelay: 200 * time.Millisecond, MaxRetryDelay: 2 * time.Second, TryTimeout: loginTry},
		Telemetry: policy.TelemetryOptions{Disabled: true},
		Transport: cfg.wire,
	}
}

// loginTry bounds one request of a login, so that three of them end before a call of the usual 20 seconds does, and the
// caller learns that the login service did not answer.
const loginTry = 6 * time.Second

// maxLogin bounds a login's answer, which the library reads without a limit.
const maxLogin = 1 << 20

// loginWire sends logins. A redirect is an answer like any other: following
// one could carry the secret elsewhere.
type loginWire struct{ transport http.RoundTripper }

var _ policy.Transporter = (*loginWire)(nil)

// Do sends one request of a login.
func (w *loginWire) Do(req *http.Request) (*http.Response, error) {
	resp, err := w.transport.RoundTrip(req)
	noteTrouble(req.Context(), err)
	if err != nil {
		return nil, err
	}
	resp.Body = struct {
		io.Reader
		io.Closer
	}{io.LimitReader(resp.Body, maxLogin), resp.Body}
	return resp, nil
}
