package auth

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"github.com/parley-gateway/parley/graphclient/graph"
	"github.com/parley-gateway/parley/internal/coalesce"
)

const (
	loginTimeout  = 30 * time.Second // one login, its retries included
	expiryMargin  = 5 * time.Second  // a token this close to its end is not sent
	refreshBefore = 5 * time.Minute  // refresh this early where the login names no time
	refreshPause  = 30 * time.Second // between two early refreshes
	firstPause    = time.Second      // after a failed login or a rejected token; doubles
	maxPause      = time.Minute
	maxAskedPause = 5 * time.Minute // the longest time that an authority holds back the next login
)

// resetter is a credential that can forget the tokens it keeps.
type resetter interface{ Reset() }

// Tokens keeps one token of a credential. Concurrent needs share one login. A valid token is
// served while its successor is fetched or cannot be fetched.
type Tokens struct {
	credential azcore.TokenCredential
	ofUser     bool // the credential exchanges a user's token, and is not the application's
	scope      string
	observer   graph.Observer
	explain    func(err, trouble error) *graph.Error // of a failed login
	logins     *logins

	mu       sync.Mutex
	token    azcore.AccessToken
	claims   string       // claims that the token was requested with
	refresh  time.Time    // no early refresh before
	failure  *graph.Error // failure of the last login; nil after a success
	failures int
	retryAt  time.Time // no login before, after a failure
	rejected int       // tokens that Graph refused in a row
	renewAt  time.Time // no forced renewal before
}

// logins are the logins under way, for one Tokens or for many. A login does not
// end with the context of its caller.
type logins = coalesce.Group[loginKey, string]

// loginKey tells logins apart that cannot share a result.
type loginKey struct {
	tokens *Tokens
	claims string
	renew  bool
}

// NewTokens returns the tokens of a credential; Close them. The observer is told of each login.
func NewTokens(credential azcore.TokenCredential, scope string, observer graph.Observer) *Tokens {
	return &Tokens{credential: credential, scope: scope, observer: observer, explain: loginError, logins: &logins{}}
}

// Close ends logins that are under way and waits for them.
func (s *Tokens) Close() { s.logins.Close() }

// Get returns a valid token, logging in when there is none. After a failed login it returns
// that failure for a while. Errors are *graph.Error.
func (s *Tokens) Get(ctx context.Context) (string, error) {
	s.mu.Lock()
	now := time.Now()
	if s.valid(now) {
		if s.isRefreshDue(now) {
			s.refresh = now.Add(refreshPause)
			s.start(loginKey{tokens: s})
		}
		token := s.token.Token
		s.mu.Unlock()
		return token, nil
	}
	if s.failure != nil && now.Before(s.retryAt) {
		err := s.failure.Clone()
		if err.Kind == graph.KindLoginUnavailable {
			err.RetryAfter = s.retryAt.Sub(now)
		}
		s.mu.Unlock()
		return "", err
	}
	login := s.start(loginKey{tokens: s})
	s.mu.Unlock()
	return tokenOf(ctx, login)
}

// renew returns a token in place of one that Graph rejected, with the claims it asked
// for or with none. A token that another request renewed meanwhile is returned as it is.
// After a renewed token was rejected too, renewals pause, each time longer: the error is
// then of KindCredential, without a status.
func (s *Tokens) renew(ctx context.Context, rejected, claims string) (string, error) {
	s.mu.Lock()
	now := time.Now()
	if s.token.Token != rejected && s.valid(now) && (claims == "" || claims == s.claims) {
		token := s.token.Token
		s.mu.Unlock()
		return token, nil
	}
	if now.Before(s.renewAt) {
		s.mu.Unlock()
		return "", &graph.Error{Kind: graph.KindCredential, Reason: "renewed tokens are rejected"}
	}
	login := s.start(loginKey{tokens: s, claims: claims, renew: true})
	s.mu.Unlock()
	return tokenOf(ctx, login)
}

// noteRenewed notes whether Graph accepted a renewed token.
func (s *Tokens) noteRenewed(ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if ok {
		s.rejected = 0
		return
	}
	s.renewAt = time.Now().Add(min(firstPause<<min(s.rejected, 10), maxPause))
	s.rejected++
}

func (s *Tokens) valid(now time.Time) bool {
	return s.token.Token != "" && now.Before(s.token.ExpiresOn.Add(-expiryMargin))
}

// isRefreshDue reports whether a valid token should be refreshed now.
func (s *Tokens) isRefreshDue(now time.Time) bool {
	at := s.token.RefreshOn
	if at.IsZero() {
		at = s.token.ExpiresOn.Add(-refreshBefore)
	}
	return !now.Before(at) && !now.Before(s.refresh) && !now.Before(s.retryAt)
}

// start joins the login of this key or begins it.
func (s *Tokens) start(key loginKey) *coalesce.Call[loginKey, string] {
	return s.logins.Start(key, func(ctx context.Context) (string, error) { return s.login(ctx, key) })
}

// refused reports whether the authority refused the last login.
func (s *Tokens) refused() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failure != nil && s.failure.Kind == graph.KindCredential
}

// login fetches a token and keeps it, or the failure.
func (s *Tokens) login(ctx context.Context, key loginKey) (string, error) {
	limited, cancel := context.WithTimeout(ctx, loginTimeout)
	defer cancel()
	// A refused login may have used a secret that has been replaced since: the library keeps a workload's token for ten minutes.
	if r, ok := s.credential.(resetter); ok && (key.renew && key.claims == "" || s.refused()) {
		r.Reset()
	}
	trouble := &wireTrouble{}
	token, err := s.credential.GetToken(context.WithValue(limited, troubleKey{}, trouble), policy.TokenRequestOptions{
		Scopes: []string{s.scope}, Claims: key.claims, EnableCAE: true,
	})
	if err == nil && token.Token == "" {
		err = errors.New("empty token")
	}
	if ctx.Err() == nil {
		defer s.observer.CredentialState(err == nil)
	}

	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	if err == nil {
		s.token, s.claims = token, key.claims
		s.failure, s.failures, s.retryAt = nil, 0, time.Time{}
		return token.Token, nil
	}
	failure := s.explain(err, trouble.get())
	pause := min(firstPause<<min(s.failures, 10), maxPause)
	if failure.Kind == graph.KindLoginUnavailable {
		// What the authority asked for, within reason: nobody else of this identity gets a token meanwhile.
		pause = max(pause, min(failure.RetryAfter, maxAskedPause))
		failure.RetryAfter = max(pause, failure.RetryAfter)
	}
	s.failure, s.retryAt = failure, now.Add(pause)
	s.failures++
	return "", failure
}

// tokenOf waits for a login or for the end of the caller's context, whichever comes first.
// Errors are *graph.Error.
func tokenOf(ctx context.Context, login *coalesce.Call[loginKey, string]) (string, error) {
	token, err := login.Wait(ctx)
	if err == nil {
		return token, nil
	}
	if failure, ok := errors.AsType[*graph.Error](err); ok {
		return "", failure.Clone()
	}
	if errors.Is(err, coalesce.ErrClosed) {
		return "", &graph.Error{Kind: graph.KindUnavailable, Reason: "the client is closed", Final: true}
	}
	return "", graph.Canceled(ctx)
}
