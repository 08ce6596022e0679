package callers

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
	"strings"
	"sync"
	"time"

	"github.com/MicahParks/keyfunc/v3"
	"github.com/golang-jwt/jwt/v5"
)

const (
	fetchTime    = 10 * time.Second // of one fetch, discovery included
	fetchAgain   = time.Minute      // least time between two fetches that found keys
	fetchRetry   = 10 * time.Second // least time between two fetches as long as none found keys
	keysFresh    = time.Hour        // after it keys are fetched anew in the background
	keysLast     = 24 * time.Hour   // after it keys are not trusted any more
	maxDocument  = 1 << 20          // bytes of a key set or discovery document
	maxKeys      = 100
	minKeyBits   = 2048
	discoveryDoc = "/.well-known/openid-configuration"
)

// keySet holds the signing keys of one issuer: found by OpenID Connect discovery, fetched when first needed, anew every
// hour, and for a key id that is unknown at most once a minute, whoever asks and however often.
type keySet struct {
	issuer string
	client *http.Client
	now    func() time.Time
	logger *slog.Logger
	ctx    context.Context //nolint:containedctx // ends the fetches when the set is closed
	cancel context.CancelFunc
	tasks  sync.WaitGroup

	mu      sync.Mutex
	keys    map[string]keyfunc.Keyfunc // by kid
	fetched time.Time                  // when keys was fetched
	tried   time.Time                  // when a fetch began last
	flight  chan struct{}              // closed when the fetch under way ends; nil = none is
	closed  bool
}

func newKeySet(issuer string, client *http.Client, now func() time.Time, logger *slog.Logger) *keySet {
	ctx, cancel := context.WithCancel(context.Background())
	return &keySet{issuer: issuer, client: client, now: now, logger: logger, ctx: ctx, cancel: cancel}
}

func (k *keySet) close() {
	k.mu.Lock()
	k.closed = true
	k.mu.Unlock()
	k.cancel()
	k.tasks.Wait()
}

// key returns the RSA key that a token names.
func (k *keySet) key(ctx context.Context, token *jwt.Token) (any, error) {
	kid, ok := token.Header["kid"].(string)
	if !ok || kid == "" {
		return nil, refuse(WhyUnknownKey)
	}
	found, wait := k.find(kid)
	if found == nil && wait != nil {
		select {
		case <-wait:
		case <-ctx.Done():
			return nil, &RefusedError{Why: WhyKeys, RetryAfter: fetchRetry, Err: ctx.Err()}
		}
		found, _ = k.find(kid)
	}
	if found == nil {
		return nil, k.missing()
	}
	key, err := found.Keyfunc(token)
	if err != nil {
		return nil, refuse(WhyAlgorithm)
	}
	public, ok := key.(*rsa.PublicKey)
	if !ok || public.N.BitLen() < minKeyBits {
		return nil, refuse(WhyAlgorithm)
	}
	return public, nil
}

// find looks a key up and begins a fetch where one is due. The channel is closed when a fetch ends that may find the key;
// it is nil when there is none to wait for.
func (k *keySet) find(kid string) (keyfunc.Keyfunc, <-chan struct{}) {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := k.now()
	age := now.Sub(k.fetched)
	if age > keysLast {
		k.keys = nil
	}
	found := k.keys[kid]
	if found != nil && age < keysFresh {
		return found, nil
	}
	pause := fetchAgain
	if k.keys == nil {
		pause = fetchRetry
	}
	if k.flight == nil && !k.closed && (k.tried.IsZero() || now.Sub(k.tried) >= pause) {
		k.tried = now
		k.flight = make(chan struct{})
		k.tasks.Go(k.refresh)
	}
	return found, k.flight
}

// missing is the refusal of a key that is not there.
func (k *keySet) missing() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.keys == nil {
		return &RefusedError{Why: WhyKeys, RetryAfter: fetchRetry}
	}
	return refuse(WhyUnknownKey)
}

// refresh is one fetch.
func (k *keySet) refresh() {
	ctx, cancel := context.WithTimeout(k.ctx, fetchTime)
	defer cancel()
	keys, err := k.fetch(ctx)
	k.mu.Lock()
	defer k.mu.Unlock()
	if err == nil {
		k.keys, k.fetched = keys, k.now()
	} else if k.ctx.Err() == nil {
		k.logger.LogAttrs(ctx, slog.LevelWarn, "signing keys of the token issuer could not be fetched",
			slog.String("issuer", k.issuer), slog.Any("error", err), slog.Bool("have_older_keys", k.keys != nil))
	}
	close(k.flight)
	k.flight = nil
}

func (k *keySet) fetch(ctx context.Context) (map[string]keyfunc.Keyfunc, error) {
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
	return readKeys(set.Keys)
}

// readKeys takes the RSA signing keys of a set; others are left out, also those that cannot be read.
func readKeys(raw []json.RawMessage) (map[string]keyfunc.Keyfunc, error) {
	if len(raw) > maxKeys {
		return nil, fmt.Errorf("key set: more than %d keys", maxKeys)
	}
	keys := make(map[string]keyfunc.Keyfunc, len(raw))
	for _, text := range raw {
		var about struct {
			Type string `json:"kty"`
			Use  string `json:"use"`
			ID   string `json:"kid"`
			Alg  string `json:"alg"`
			N    string `json:"n"`
			E    string `json:"e"`
		}
		if json.Unmarshal(text, &about) != nil || about.Type != "RSA" || about.ID == "" || about.Use != "" && about.Use != "sig" {
			continue
		}
		// Only what makes up the key: certificates and thumbprints beside it prove nothing here.
		public, err := json.Marshal(map[string]string{
			"kty": about.Type, "use": about.Use, "kid": about.ID, "alg": about.Alg, "n": about.N, "e": about.E,
		})
		if err != nil {
			continue
		}
		if key, err := keyfunc.NewJWKJSON(public); err == nil {
			keys[about.ID] = key
		}
	}
	if len(keys) == 0 {
		return nil, errors.New("key set: no RSA signing key in it")
	}
	return keys, nil
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
