package authn_test

import (
	"crypto/rand"
	"crypto/rsa"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/parley-gateway/parley/server/authn"
)

// TestATokenIsVerifiedOnce: a token is verified once, and stands for the same caller afterwards. Callers do not share what is added to them.
func TestATokenIsVerifiedOnce(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	token := sign(t, b.delegated(nil))
	first, err := b.tokens.Verify(t.Context(), token)
	if err != nil || !b.tokens.Remembers(token) {
		t.Fatalf("%v, remembered: %v", err, b.tokens.Remembers(token))
	}
	again, err := b.tokens.Verify(t.Context(), token)
	if err != nil || again == first {
		t.Fatalf("%v, the same value: %v", err, again == first)
	}
	if diff := cmp.Diff(first, again, cmpopts.IgnoreUnexported(authn.Caller{})); diff != "" {
		t.Error(diff)
	}
	if !first.MayHaveName("ada@contoso.example") || !again.MayHaveName("ada@contoso.example") || again.Recheck(b.clock()) != nil {
		t.Error("the remembered caller knows less")
	}
	first.Roles, first.Expires = nil, time.Time{}
	if third, err := b.tokens.Verify(t.Context(), token); err != nil || len(third.Roles) == 0 || third.Expires.IsZero() {
		t.Errorf("a caller changed what is remembered: %+v, %v", third, err)
	}
}

// TestRefusedTokensAreNotRemembered: whatever is wrong with a token, it is verified each time.
func TestRefusedTokensAreNotRemembered(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(cfg *authn.TokensConfig) { cfg.MaxLifetime = 2 * time.Hour })
	good := sign(t, b.delegated(nil))
	if _, err := b.tokens.Verify(t.Context(), good); err != nil {
		t.Fatal(err)
	}
	now := b.clock()
	head, signature := good[:strings.LastIndexByte(good, '.')], good[strings.LastIndexByte(good, '.'):]
	foreign := sign(t, b.delegated(jwt.MapClaims{"sub": "another"}))
	for name, token := range map[string]string{
		"not a token":                 "x",
		"another's key":               signWith(t, jwt.SigningMethodRS256, testKeys()[1], map[string]any{"kid": "key-1"}, b.delegated(nil)),
		"unknown key":                 signWith(t, jwt.SigningMethodRS256, testKeys()[0], map[string]any{"kid": "x"}, b.delegated(nil)),
		"no signature":                head + ".",
		"the signature of another":    head + foreign[strings.LastIndexByte(foreign, '.'):],
		"other claims, its signature": foreign[:strings.LastIndexByte(foreign, '.')] + signature,
		"another audience":            sign(t, b.delegated(jwt.MapClaims{"aud": "other"})),
		"another issuer":              sign(t, b.delegated(jwt.MapClaims{"iss": "https://issuer.example"})),
		"another tenant":              sign(t, b.delegated(jwt.MapClaims{"tid": other})),
		"expired":                     sign(t, b.delegated(jwt.MapClaims{"exp": now.Add(-2 * time.Minute).Unix()})),
		"early":                       sign(t, b.delegated(jwt.MapClaims{"nbf": now.Add(5 * time.Minute).Unix()})),
		"too long":                    sign(t, b.delegated(jwt.MapClaims{"exp": now.Add(3 * time.Hour).Unix()})),
		"an id token":                 sign(t, b.delegated(jwt.MapClaims{"nonce": "n", "scp": nil, "roles": nil})),
	} {
		for range 2 {
			if _, err := b.tokens.Verify(t.Context(), token); err == nil {
				t.Errorf("%s: accepted", name)
			}
		}
		if b.tokens.Remembers(token) {
			t.Errorf("%s: remembered", name)
		}
	}
	if n := b.tokens.Remembered(); n != 1 {
		t.Errorf("%d tokens are remembered, want the good one", n)
	}
}

// TestRememberedTokensExpire: the times of a remembered token are checked at each use, with the leeway of every token.
func TestRememberedTokensExpire(t *testing.T) {
	t.Parallel()
	issuer := newIssuer()
	synctest.Test(t, func(t *testing.T) {
		tokens, err := authn.NewTokens(authn.TokensConfig{
			Issuer: issuerV2, Audiences: []string{app}, HTTP: &http.Client{Transport: issuer},
		})
		if err != nil {
			t.Fatal(err)
		}
		defer tokens.Close()
		b := &bench{now: time.Now()}
		token := sign(t, b.delegated(jwt.MapClaims{"exp": time.Now().Add(4 * time.Minute).Unix()}))
		for _, step := range []struct {
			wait time.Duration
			want authn.Why
		}{{0, ""}, {4 * time.Minute, ""}, {59 * time.Second, ""}, {2 * time.Second, authn.WhyExpired}, {time.Hour, authn.WhyExpired}} {
			time.Sleep(step.wait) // of the bubble's clock
			if _, err := tokens.Verify(t.Context(), token); authn.WhyOf(err) != step.want {
				t.Errorf("after %v: %v, want %q", step.wait, err, step.want)
			}
		}
		if n := tokens.Remembered(); n != 0 {
			t.Errorf("%d expired tokens are remembered", n)
		}
	})
}

// TestRememberedTokensFollowTheirKeys: a token is verified again after each reading of the key set, and refused where its key was
// withdrawn, replaced or is too old.
func TestRememberedTokensFollowTheirKeys(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(served map[string]*rsa.PublicKey)
		want   authn.Why
	}{
		"the same keys": {func(map[string]*rsa.PublicKey) {}, ""},
		"a further key": {func(served map[string]*rsa.PublicKey) { served["key-2"] = &testKeys()[1].PublicKey }, ""},
		"withdrawn": {func(served map[string]*rsa.PublicKey) {
			delete(served, "key-1")
			served["key-2"] = &testKeys()[1].PublicKey
		}, authn.WhyUnknownKey},
		"another one": {func(served map[string]*rsa.PublicKey) { served["key-1"] = &testKeys()[1].PublicKey }, authn.WhySignature},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, nil)
			token := sign(t, b.delegated(nil))
			if _, err := b.tokens.Verify(t.Context(), token); err != nil {
				t.Fatal(err)
			}
			b.issuer.set(func() { c.change(b.issuer.served) })
			b.pass(5 * time.Minute)
			// A remembered token begins the fetch that is due, and an unknown key waits for it.
			if _, err := b.tokens.Verify(t.Context(), token); err != nil {
				t.Fatalf("before the fetch: %v", err)
			}
			_, _ = b.tokens.Verify(t.Context(), signWith(t, jwt.SigningMethodRS256, testKeys()[1], map[string]any{"kid": rand.Text()}, b.delegated(nil)))
			if fetches := b.issuer.count("keys"); fetches != 2 {
				t.Errorf("%d fetches, want 2", fetches)
			}
			if b.tokens.Remembers(token) {
				t.Error("remembered after the key set was read again")
			}
			if _, err := b.tokens.Verify(t.Context(), token); authn.WhyOf(err) != c.want || b.tokens.Remembers(token) != (c.want == "") {
				t.Errorf("%v, remembered: %v; want %q", err, b.tokens.Remembers(token), c.want)
			}
		})
	}
}

// TestRememberedTokensAreForgottenWithOldKeys: keys that cannot be fetched any more are trusted for a day, for remembered tokens too.
func TestRememberedTokensAreForgottenWithOldKeys(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	token := sign(t, b.delegated(jwt.MapClaims{"exp": b.clock().Add(72 * time.Hour).Unix()}))
	if _, err := b.tokens.Verify(t.Context(), token); err != nil {
		t.Fatal(err)
	}
	b.issuer.set(func() {
		b.issuer.change = func(string) (int, string, bool) { return http.StatusServiceUnavailable, "", true }
	})
	b.pass(23 * time.Hour)
	if _, err := b.tokens.Verify(t.Context(), token); err != nil {
		t.Errorf("within a day: %v", err)
	}
	b.pass(2 * time.Hour)
	if _, err := b.tokens.Verify(t.Context(), token); authn.WhyOf(err) != authn.WhyKeys {
		t.Errorf("after a day: %v, want %q", err, authn.WhyKeys)
	}
}

// TestRememberedTokensAreBounded: the tokens used least recently are forgotten; they are accepted all the same.
func TestRememberedTokensAreBounded(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	b.tokens.RememberAtMost(16 << 10)
	var first string
	for i := range 40 {
		token := sign(t, b.delegated(jwt.MapClaims{"sub": rand.Text()}))
		if i == 0 {
			first = token
		}
		if _, err := b.tokens.Verify(t.Context(), token); err != nil {
			t.Fatal(err)
		}
	}
	if n := b.tokens.Remembered(); n < 2 || n > 15 || b.tokens.Remembers(first) {
		t.Errorf("%d tokens are remembered, the first: %v", n, b.tokens.Remembers(first))
	}
	if _, err := b.tokens.Verify(t.Context(), first); err != nil {
		t.Error(err)
	}
}

// TestRememberedTokensConcurrently: many callers use the same tokens at once, while the key set is read again.
func TestRememberedTokensConcurrently(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	b.tokens.RememberAtMost(8 << 10)
	tokens := make([]string, 8)
	for i := range tokens {
		tokens[i] = sign(t, b.delegated(jwt.MapClaims{"sub": string(rune('a' + i))}))
	}
	var all sync.WaitGroup
	for worker := range 8 {
		all.Go(func() {
			for n := range 50 {
				i := (worker + n) % len(tokens)
				caller, err := b.tokens.Verify(t.Context(), tokens[i])
				if err != nil || caller.Subject != string(rune('a'+i)) {
					t.Errorf("%+v, %v", caller, err)
				}
				if n%20 == 0 {
					b.pass(2 * time.Minute) // now and then the key set is read again
				}
			}
		})
	}
	all.Wait()
}
