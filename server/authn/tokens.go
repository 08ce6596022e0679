package authn

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/parley-gateway/parley/internal/fielderror"
)

const (
	// TenantPlaceholder stands for a tenant id in an issuer.
	TenantPlaceholder = "{tid}"
	// leeway is how far the clocks of issuer and gateway may differ.
	leeway = time.Minute

	// Entra's issuers of the global cloud: v2 tokens come from the first, v1 tokens of the same tenant from the second.
	entraV2Prefix, entraV2Suffix = "https://login.microsoftonline.com/", "/v2.0"
	entraV1Prefix                = "https://sts.windows.net/"
)

var (
	uuidForm  = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)
	tokenForm = regexp.MustCompile(`^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$`)
)

// TokensConfig describes whose access tokens are accepted.
type TokensConfig struct {
	// Issuer is the `iss` of accepted tokens, an https URL; {tid} in it stands for each of Tenants. For an issuer of
	// Entra's global cloud the same tenants' v1 tokens are accepted too.
	Issuer string
	// Audiences are the accepted values of `aud`, at least one.
	Audiences []string
	// Tenants are the Entra tenant ids that {tid} stands for; not used without it.
	Tenants []string
	// Programs says how the issuer tells programs from people; ProgramsUnknown = as its URL tells (ProgramsOf).
	Programs Programs
	// MaxLifetime is the longest time from `iat` to `exp` of an accepted token; 0 = no bound.
	MaxLifetime time.Duration
	// HTTP lends its Transport for keys and discovery; nil = a transport of our own, with RootCAs and Proxy.
	HTTP *http.Client
	// RootCAs replaces the system's roots in our own transport.
	RootCAs *x509.CertPool
	// Proxy chooses a proxy in our own transport; nil = none.
	Proxy func(*http.Request) (*url.URL, error)
	// Now is the clock; nil = time.Now.
	Now func() time.Time
	// Logger is told when keys cannot be fetched; nil = nobody.
	Logger *slog.Logger
}

// ConfigError is a field of TokensConfig that cannot be used.
type ConfigError = fielderror.Error

// acceptedIssuer is an issuer whose tokens are accepted.
type acceptedIssuer struct {
	tenant   string // in lower case; empty where the issuer names none
	programs Programs
	keys     *keySet
}

// Tokens reads access tokens: RS256 alone, signed by a key that the issuer publishes now, for one of our audiences, in
// its time, of a delegated or an application kind. Make it with NewTokens, end it with Close.
type Tokens struct {
	parser      *jwt.Parser
	validator   *jwt.Validator // the parser's own checks of claims
	verified    *verifiedTokens
	accepted    map[string]*acceptedIssuer // by issuer
	sets        []*keySet
	maxLifetime time.Duration
}

var _ Verifier = (*Tokens)(nil)

// NewTokens checks the configuration. Keys are fetched when the first token comes. A bad field is a *ConfigError.
func NewTokens(cfg TokensConfig) (*Tokens, error) {
	if len(cfg.Audiences) == 0 || slices.Contains(cfg.Audiences, "") {
		return nil, fielderror.New("Audiences", "is mandatory: without it a token for any other service would open this one")
	}
	issuers, err := cfg.issuers()
	if err != nil {
		return nil, err
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	client := &http.Client{
		Transport:     cfg.transport(),
		CheckRedirect: func(*http.Request, []*http.Request) error { return errors.New("redirects are not followed") },
		Timeout:       fetchTime,
	}
	rules := []jwt.ParserOption{
		jwt.WithValidMethods([]string{jwt.SigningMethodRS256.Alg()}), jwt.WithStrictDecoding(), jwt.WithTimeFunc(cfg.Now),
		jwt.WithLeeway(leeway), jwt.WithIssuedAt(), jwt.WithExpirationRequired(), jwt.WithAudience(cfg.Audiences...),
	}
	t := &Tokens{
		parser: jwt.NewParser(rules...), validator: jwt.NewValidator(rules...), verified: newVerifiedTokens(verifiedBytes),
		accepted: make(map[string]*acceptedIssuer), maxLifetime: cfg.MaxLifetime,
	}
	for _, issuer := range issuers {
		keys := newKeySet(issuer, client, cfg.Now, cfg.Logger)
		t.sets = append(t.sets, keys)
		entry := &acceptedIssuer{tenant: tenantOf(issuer), programs: cfg.Programs, keys: keys}
		if entry.programs == ProgramsUnknown {
			entry.programs = ProgramsOf(issuer)
		}
		t.accepted[issuer] = entry
		if rest, found := strings.CutPrefix(issuer, entraV2Prefix); found && entry.tenant != "" && strings.HasSuffix(rest, entraV2Suffix) {
			t.accepted[entraV1Prefix+strings.TrimSuffix(rest, entraV2Suffix)+"/"] = entry
		}
	}
	return t, nil
}

// Close ends fetches that are under way and waits for them.
func (t *Tokens) Close() {
	for _, set := range t.sets {
		set.close()
	}
}

// issuers expands {tid}.
func (c *TokensConfig) issuers() ([]string, error) {
	parsed, err := url.Parse(c.Issuer)
	if err != nil || parsed.Scheme != "https" || parsed.Host == "" || parsed.RawQuery != "" || parsed.Fragment != "" || parsed.User != nil {
		return nil, fielderror.New("Issuer", "is mandatory and an https URL without query, such as https://login.microsoftonline.com/{tid}/v2.0")
	}
	for _, shared := range []string{"common", "organizations", "consumers"} {
		if slices.Contains(strings.Split(parsed.Path, "/"), shared) {
			return nil, fielderror.New("Issuer", "no token is issued by `%s`; write {tid} in its place", shared)
		}
	}
	if !strings.Contains(c.Issuer, TenantPlaceholder) {
		return []string{c.Issuer}, nil
	}
	if len(c.Tenants) == 0 {
		return nil, fielderror.New("Tenants", "none is known that {tid} could stand for; name the tenant in the issuer")
	}
	var issuers []string
	for _, tenant := range c.Tenants {
		if !uuidForm.MatchString(tenant) {
			return nil, fielderror.New("Tenants", "%q is not a tenant id", tenant)
		}
		issuer := strings.ReplaceAll(c.Issuer, TenantPlaceholder, strings.ToLower(tenant))
		if !slices.Contains(issuers, issuer) {
			issuers = append(issuers, issuer)
		}
	}
	return issuers, nil
}

func (c *TokensConfig) transport() http.RoundTripper {
	if c.HTTP != nil && c.HTTP.Transport != nil {
		return c.HTTP.Transport
	}
	return &http.Transport{
		Proxy:             c.Proxy,
		TLSClientConfig:   &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: c.RootCAs},
		ForceAttemptHTTP2: true, TLSHandshakeTimeout: fetchTime, MaxIdleConns: 2, IdleConnTimeout: time.Minute,
		MaxResponseHeaderBytes: 64 << 10,
	}
}

// Verify implements Verifier. The only texts of a token that leave it are those in the Caller.
func (t *Tokens) Verify(ctx context.Context, token string) (*Caller, error) {
	if len(token) > maxToken {
		return nil, refuse(WhyMalformed)
	}
	digest := tokenDigest(sha256.Sum256([]byte(token)))
	if caller := t.remembered(digest); caller != nil {
		return caller, nil
	}
	known, err := t.verify(ctx, token)
	if err != nil {
		return nil, err
	}
	t.verified.put(digest, len(token), known)
	caller := known.caller
	return &caller, nil
}

// verify reads a token whole.
func (t *Tokens) verify(ctx context.Context, token string) (*verifiedToken, error) {
	if !tokenForm.MatchString(token) {
		return nil, refuse(WhyMalformed)
	}
	var have claims
	var from *acceptedIssuer
	var signer tokenKey
	parsed, err := t.parser.ParseWithClaims(token, &have, func(parsed *jwt.Token) (any, error) {
		// An extension that must be understood (RFC 7515, 4.1.11): none is.
		if _, critical := parsed.Header["crit"]; critical {
			return nil, refuse(WhyMalformed)
		}
		known, ok := t.accepted[have.issuer]
		if !ok {
			return nil, refuse(WhyIssuer)
		}
		from = known
		found, err := known.keys.key(ctx, parsed)
		signer = found
		return found.public, err
	})
	if err != nil {
		return nil, refusalOf(err)
	}
	kind := headerTypeOf(parsed.Header)
	if kind == typeOther {
		return nil, refuse(WhyNotAccess)
	}
	caller, err := have.caller(from, kind)
	if err != nil {
		return nil, err
	}
	if t.maxLifetime > 0 && have.expires.Sub(have.issuedAt) > t.maxLifetime {
		return nil, refuse(WhyLifetime)
	}
	caller.acceptedBy[0] = &signer
	return &verifiedToken{claims: have, caller: *caller, signer: signer}, nil
}

// headerType is what the header of a token says of its type, by the parameter `typ`.
type headerType int

const (
	// typeOther: the token is something else than an access token. Services make other tokens with the same key: id tokens that say so,
	// logout tokens, security events, proofs.
	typeOther headerType = iota
	// typeUnstated: the token is a JWT and does not say of which type; its claims tell.
	typeUnstated
	// typeAccess: the token is an access token (RFC 9068).
	typeAccess
)

// headerTypeOf reads `typ`. Media types have no case, and application/ may be left out (RFC 7515, 4.1.9).
func headerTypeOf(header map[string]any) headerType {
	stated, there := header["typ"]
	if !there {
		return typeUnstated
	}
	text, _ := stated.(string)
	switch strings.TrimPrefix(strings.ToLower(text), "application/") {
	case "at+jwt":
		return typeAccess
	case "jwt":
		return typeUnstated
	default:
		return typeOther
	}
}

// refusalOf makes a refusal of the parser's error, whose text may quote the token.
func refusalOf(err error) error {
	var own *RefusedError
	switch {
	case errors.As(err, &own):
		return own
	case errors.Is(err, jwt.ErrTokenMalformed):
		return refuse(WhyMalformed)
	case errors.Is(err, jwt.ErrTokenUnverifiable):
		return refuse(WhyAlgorithm)
	case errors.Is(err, jwt.ErrTokenSignatureInvalid):
		// The parser says so of methods that are not on its list, too.
		if strings.Contains(err.Error(), "signing method") {
			return refuse(WhyAlgorithm)
		}
		return refuse(WhySignature)
	case errors.Is(err, jwt.ErrTokenExpired):
		return refuse(WhyExpired)
	case errors.Is(err, jwt.ErrTokenNotValidYet), errors.Is(err, jwt.ErrTokenUsedBeforeIssued):
		return refuse(WhyNotYet)
	case errors.Is(err, jwt.ErrTokenInvalidAudience):
		return refuse(WhyAudience)
	default:
		return refuse(WhyClaims)
	}
}

// caller makes the caller of verified claims.
func (c *claims) caller(from *acceptedIssuer, header headerType) (*Caller, error) {
	if c.issuedAt.IsZero() || c.subject == "" {
		return nil, refuse(WhyClaims)
	}
	if c.bound.unknown {
		return nil, refuse(WhyBound)
	}
	caller := &Caller{
		Subject: c.subject, AppID: c.app, Issuer: c.issuer,
		Roles: c.roles, Scopes: c.scopes, Groups: c.groups, Expires: c.expires, thumbprint: c.bound.thumbprint,
	}
	if from.tenant != "" {
		// Entra sends nbf, tid and oid in every access token.
		switch {
		case !strings.EqualFold(c.tenant, from.tenant):
			return nil, refuse(WhyTenant)
		case c.notBefore.IsZero(), !uuidForm.MatchString(c.object), c.app == "":
			return nil, refuse(WhyClaims)
		}
		caller.TenantID, caller.ObjectID, caller.AppID = from.tenant, strings.ToLower(c.object), strings.ToLower(c.app)
	}
	kind, ok := c.kind(from, header)
	if !ok {
		return nil, refuse(WhyNotAccess)
	}
	if caller.Kind = kind; kind == KindUser {
		caller.upn = c.upn
	}
	return caller, nil
}
