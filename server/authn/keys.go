package authn

import (
	"context"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/MicahParks/keyfunc/v3"
	"github.com/golang-jwt/jwt/v5"

	"github.com/parley-gateway/parley/internal/coalesce"
)

const (
	fetchTime    = 10 * time.Second // of one fetch, discovery included
	fetchAgain   = time.Minute      // least time between two fetches once there are keys
	fetchRetry   = 10 * time.Second // least time between two fetches as long as there are none
	keysFresh    = 5 * time.Minute  // after it keys are fetched anew in the background
	keysLast     = 24 * time.Hour   // after it keys are not trusted any more
	maxDocument  = 1 << 20          // bytes of a key set or discovery document
	maxKeys      = 100
	minKeyBits   = 2048
	discoveryDoc = "/.well-known/openid-configuration"
)

// keySet holds the signing keys of one issuer: found by OpenID Connect discovery, fetched when first needed, anew every
// five minutes while they are used, and for a key id that is unknown at most once a minute, whoever asks and however often.
type keySet struct {
	issuer string
	client *http.Client
	now    func() time.Time
	logger *slog.Logger
	// fetches is the fetch under way, if there is one.
	fetches coalesce.Group[struct{}, map[string]*signingKey]

	mu      sync.Mutex
	keys    map[string]*signingKey // by kid
	fetched time.Time              // when keys was fetched
	tried   time.Time              // when a fetch began last
}

func newKeySet(issuer string, client *http.Client, now func() time.Time, logger *slog.Logger) *keySet {
	return &keySet{issuer: issuer, client: client, now: now, logger: logger}
}

func (k *keySet) close() { k.fetches.Close() }

// tokenKey is the key that signed a token.
type tokenKey struct {
	set    *keySet
	id     string
	public *rsa.PublicKey
	key    *signingKey // of the reading of the set that the token was verified with
}

// recheck returns an error unless the issuer still publishes the key under its id.
func (k *tokenKey) recheck(time.Time) error {
	found := k.set.find(k.id)
	switch {
	case found == nil:
		return k.set.keyMissing()
	case !k.public.Equal(found.public):
		return refuse(WhyUnknownKey)
	default:
		return nil
	}
}

// key returns the RSA key that a token names.
func (k *keySet) key(ctx context.Context, token *jwt.Token) (tokenKey, error) {
	kid, ok := token.Header["kid"].(string)
	if !ok || kid == "" {
		return tokenKey{}, refuse(WhyUnknownKey)
	}
	found := k.find(kid)
	if found == nil {
		// The fetch under way may find it.
		if _, err := k.fetches.Join(ctx, struct{}{}, coalesce.Options{}); ctx.Err() != nil && errors.Is(err, ctx.Err()) {
			return tokenKey{}, &RefusedError{Why: WhyKeys, RetryAfter: fetchRetry, Err: err}
		}
		found = k.find(kid)
	}
	if found == nil {
		return tokenKey{}, k.keyMissing()
	}
	// The library refuses a key that is for another algorithm.
	if _, err := found.read.Keyfunc(token); err != nil || found.public.N.BitLen() < minKeyBits {
		return tokenKey{}, refuse(WhyAlgorithm)
	}
	return tokenKey{k, kid, found.public, found}, nil
}

// find looks a key up, and begins a fetch where one is due.
func (k *keySet) find(kid string) *signingKey {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := k.now()
	age := now.Sub(k.fetched)
	if age > keysLast {
		k.keys = nil
	}
	found := k.keys[kid]
	if found != nil && age < keysFresh {
		return found
	}
	pause := fetchAgain
	if k.keys == nil {
		pause = fetchRetry
	}
	if due := k.tried.IsZero() || now.Sub(k.tried) >= pause; due && !k.fetches.UnderWay(struct{}{}, time.Time{}) {
		k.tried = now
		k.fetches.Start(struct{}{}, k.refresh)
	}
	return found
}

// keyMissing returns the refusal of a token whose key is not in the set, or of any token while there is no set.
func (k *keySet) keyMissing() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.keys == nil {
		return &RefusedError{Why: WhyKeys, RetryAfter: fetchRetry}
	}
	return refuse(WhyUnknownKey)
}

// refresh fetches the keys and puts them into force. When the fetch fails, the older keys stay in force.
func (k *keySet) refresh(ctx context.Context) (map[string]*signingKey, error) {
	limited, cancel := context.WithTimeout(ctx, fetchTime)
	defer cancel()
	keys, err := k.fetch(limited)
	k.mu.Lock()
	defer k.mu.Unlock()
	if errors.Is(err, errNoKeys) && k.keys != nil {
		// The issuer answers, and has withdrawn what it published: that is no outage, through which older keys serve.
		keys = map[string]*signingKey{}
	}
	if keys != nil {
		k.keys, k.fetched = keys, k.now()
	}
	if err != nil && ctx.Err() == nil {
		k.logger.LogAttrs(ctx, slog.LevelWarn, "signing keys of the token issuer could not be fetched",
			slog.String("issuer", k.issuer), slog.Any("error", err), slog.Bool("have_older_keys", k.keys != nil))
	}
	return keys, err
}

// fetch finds the key set by discovery and reads its keys. It returns errNoKeys for a set that holds no key of the issuer.
func (k *keySet) fetch(ctx context.Context) (map[string]*signingKey, error) {
	var found struct {
		Issuer string `json:"issuer"`
		Keys   string `json:"jwks_uri"`
	}
	if err := k.get(ctx, strings.TrimSuffix(k.issuer, "/")+discoveryDoc, &found); err != nil {
		return nil, fmt.Errorf("discovery: %w", err)
	}
	if found.Issuer != k.issuer {
		return nil, errors.New("discovery: the document is of another issuer")
	}
	at, err := url.Parse(found.Keys)
	if err != nil || at.Scheme != "https" || at.Host == "" {
		return nil, errors.New("discovery: jwks_uri is not an https URL")
	}
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := k.get(ctx, at.String(), &set); err != nil {
		return nil, fmt.Errorf("key set: %w", err)
	}
	if set.Keys == nil {
		return nil, errors.New("key set: the document holds none")
	}
	return readKeys(set.Keys, k.issuer)
}

// signingKey is one key of a set.
type signingKey struct {
	read   keyfunc.Keyfunc
	public *rsa.PublicKey
}

// errNoKeys is the error of a key set that was read and holds no key that counts.
var errNoKeys = errors.New("key set: no RSA signing key of this issuer in it")

// readKeys takes the RSA signing keys of a set that are the issuer's; others are left out, also those that cannot be read.
func readKeys(raw []json.RawMessage, issuer string) (map[string]*signingKey, error) {
	if len(raw) > maxKeys {
		return nil, fmt.Errorf("key set: more than %d keys", maxKeys)
	}
	keys := make(map[string]*signingKey, len(raw))
	for _, text := range raw {
		if id, key := readKey(text, issuer); key != nil {
			keys[id] = key
		}
	}
	if len(keys) == 0 {
		return nil, errNoKeys
	}
	return keys, nil
}

// readKey reads one key; nil when it is none that may sign this issuer's tokens. Only what makes up the key counts:
// certificates and thumbprints beside it prove nothing here.
func readKey(text json.RawMessage, issuer string) (string, *signingKey) {
	var about struct {
		Type   string   `json:"kty"`
		Use    string   `json:"use"`
		Ops    []string `json:"key_ops"`
		ID     string   `json:"kid"`
		Alg    string   `json:"alg"`
		Issuer string   `json:"issuer"`
		N      string   `json:"n"`
		E      string   `json:"e"`
	}
	if json.Unmarshal(text, &about) != nil || about.Type != "RSA" || about.ID == "" {
		return "", nil
	}
	if about.Use != "" && about.Use != "sig" || about.Ops != nil && !slices.Contains(about.Ops, "verify") || !belongsToIssuer(about.Issuer, issuer) {
		return "", nil
	}
	bare, err := json.Marshal(map[string]string{"kty": about.Type, "use": about.Use, "kid": about.ID, "alg": about.Alg, "n": about.N, "e": about.E})
	if err != nil {
		return "", nil
	}
	read, err := keyfunc.NewJWKJSON(bare)
	if err != nil {
		return "", nil
	}
	jwk, err := read.Storage().KeyRead(context.Background(), about.ID)
	if err != nil {
		return "", nil
	}
	public, ok := jwk.Key().(*rsa.PublicKey)
	if !ok {
		return "", nil
	}
	return about.ID, &signingKey{read, public}
}

// entraHosts issue for the same tenants: each cloud's v2 and v1 authorities.
var entraHosts = []string{
	"login.microsoftonline.com", "sts.windows.net", "login.microsoftonline.us", "login.partner.microsoftonline.cn", "sts.chinacloudapi.cn",
}

// belongsToIssuer reports whether a key may sign an issuer's tokens: Entra writes into each key of a set that many tenants share whose it
// is, with a placeholder for any tenant. A key that says nothing is the issuer's whose set it is in.
func belongsToIssuer(owner, issuer string) bool {
	tenant := tenantOf(issuer)
	if owner == "" || owner == issuer {
		return true
	}
	if tenant == "" {
		return false
	}
	owner = strings.ReplaceAll(owner, "{tenantid}", tenant)
	at, errOwner := url.Parse(owner)
	own, errIssuer := url.Parse(issuer)
	return errOwner == nil && errIssuer == nil && at.Scheme == "https" && tenantOf(owner) == tenant &&
		(at.Host == own.Host || slices.Contains(entraHosts, at.Host) && slices.Contains(entraHosts, own.Host))
}

// get reads one JSON document.
func (k *keySet) get(ctx context.Context, address string, into any) (err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return errors.New("not a URL")
	}
	req.Header.Set("Accept", "application/json")
	answer, err := k.client.Do(req)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, answer.Body.Close()) }()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("status %d", answer.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxDocument+1))
	if err != nil {
		return err
	}
	if len(body) > maxDocument {
		return fmt.Errorf("larger than %d bytes", maxDocument)
	}
	if err := json.Unmarshal(body, into); err != nil {
		return errors.New("not the JSON that was expected")
	}
	return nil
}
