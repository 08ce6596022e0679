package graphclient

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
)

const (
	loginTimeout  = 30 * time.Second // one login, its retries included
	expiryMargin  = 5 * time.Second  // a token this close to its end is not sent
	refreshBefore = 5 * time.Minute  // refresh this early where the login names no time
	refreshPause  = 30 * time.Second // between two early refreshes
	firstPause    = time.Second      // after a failed login or a rejected token; doubles
	maxPause      = time.Minute
	mostAsked     = 5 * time.Minute // the longest time that an authority holds back the next login
)

// resetter is a credential that can forget the tokens it keeps.
type resetter interface{ Reset() }

// tokenSource keeps one token. Concurrent needs share one login, which runs
// on its own time: a caller whose context ends leaves, the login goes on. A
// valid token is served while its successor is fetched or cannot be fetched.
type tokenSource struct {
	credential azcore.TokenCredential
	scope      string
	observer   Observer
	life       *lifetime
	explain    func(err, trouble error) *Error // of a failed login

	mu       sync.Mutex
	token    azcore.AccessToken
	claims   string // that the token was asked with
	logins   map[loginKey]*login
	refresh  time.Time // no early refresh before
	failure  *Error    // of the last login, nil after a success
	failures int
	retryAt  time.Time // no login before, after a failure
	rejected int       // tokens that Graph refused in a row
	renewAt  time.Time // no forced renewal before
}

// loginKey tells logins apart that cannot share a result.
type loginKey struct {
	claims string
	renew  bool
}

// login is one exchange that any number of callers wait for.
type login struct {
	done  chan struct{}
	token string
	err   *Error
}

func newTokenSource(credential azcore.TokenCredential, scope string, observer Observer) *tokenSource {
	return &tokenSource{
		credential: credential, scope: scope, observer: observer, explain: loginError,
		life: newLifetime(), logins: make(map[loginKey]*login),
	}
}

// lifetime bounds and owns the logins of one or many token sources.
type lifetime struct {
	ctx context.Context //nolint:containedctx // bounds the logins, ended by close
	end context.CancelFunc

	mu     sync.Mutex
	closed bool
	wg     sync.WaitGroup
}

func newLifetime() *lifetime {
	l := &lifetime{}
	l.ctx, l.end = context.WithCancel(context.Background())
	return l
}

// run starts a login, unless the lifetime is over.
func (l *lifetime) run(do func()) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.closed {
		l.wg.Go(do)
	}
	return !l.closed
}

// close ends running logins and waits for them.
func (l *lifetime) close() {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	l.end()
	l.wg.Wait()
}

// get returns a valid token, logging in when there is none.
func (s *tokenSource) get(ctx context.Context) (string, error) {
	s.mu.Lock()
	now := time.Now()
	if s.valid(now) {
		if s.due(now) {
			s.refresh = now.Add(refreshPause)
			s.start(loginKey{})
		}
		token := s.token.Token
		s.mu.Unlock()
		return token, nil
	}
	if s.failure != nil && now.Before(s.retryAt) {
		err := s.failure.clone()
		if err.Kind == KindLoginUnavailable {
			err.RetryAfter = s.retryAt.Sub(now)
		}
		s.mu.Unlock()
		return "", err
	}
	l := s.start(loginKey{})
	s.mu.Unlock()
	return l.wait(ctx)
}

// renew replaces a token that Graph rejected, with the claims it asked for or
// with none. A token that somebody else renewed meanwhile is returned as it
// is; after a renewed token was rejected too, renewals pause, each time longer.
func (s *tokenSource) renew(ctx context.Context, rejected, claims string) (string, error) {
	s.mu.Lock()
	now := time.Now()
	if s.token.Token != rejected && s.valid(now) && (claims == "" || claims == s.claims) {
		token := s.token.Token
		s.mu.Unlock()
		return token, nil
	}
	if now.Before(s.renewAt) {
		s.mu.Unlock()
		return "", &Error{Kind: KindCredential, reason: "renewed tokens are rejected"}
	}
	l := s.start(loginKey{claims: claims, renew: true})
	s.mu.Unlock()
	return l.wait(ctx)
}

// accepted notes whether Graph took a renewed token.
func (s *tokenSource) accepted(ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if ok {
		s.rejected = 0
		return
	}
	s.renewAt = time.Now().Add(min(firstPause<<min(s.rejected, 10), maxPause))
	s.rejected++
}

func (s *tokenSource) valid(now time.Time) bool {
	return s.token.Token != "" && now.Before(s.token.ExpiresOn.Add(-expiryMargin))
}

func (s *tokenSource) due(now time.Time) bool {
	at := s.token.RefreshOn
	if at.IsZero() {
		at = s.token.ExpiresOn.Add(-refreshBefore)
	}
	return !now.Before(at) && !now.Before(s.refresh) && !now.Before(s.retryAt)
}

// start joins the login of this key or begins it. The lock is held.
func (s *tokenSource) start(key loginKey) *login {
	if l := s.logins[key]; l != nil {
		return l
	}
	l := &login{done: make(chan struct{})}
	s.logins[key] = l
	if !s.life.run(func() { s.run(key, l) }) {
		delete(s.logins, key)
		l.err = &Error{Kind: KindUnavailable, reason: "the client is closed", final: true}
		close(l.done)
	}
	return l
}

// refused says whether the authority refused the last login.
func (s *tokenSource) refused() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failure != nil && s.failure.Kind == KindCredential
}

func (s *tokenSource) run(key loginKey, l *login) {
	ctx, cancel := context.WithTimeout(s.life.ctx, loginTimeout)
	defer cancel()
	// A refused login may have used what has been replaced since: the library keeps a workload's token for ten minutes.
	if r, ok := s.credential.(resetter); ok && (key.renew && key.claims == "" || s.refused()) {
		r.Reset()
	}
	trouble := &wireTrouble{}
	token, err := s.credential.GetToken(context.WithValue(ctx, troubleKey{}, trouble), policy.TokenRequestOptions{
		Scopes: []string{s.scope}, Claims: key.claims, EnableCAE: true,
	})
	if err == nil && token.Token == "" {
		err = errors.New("empty token")
	}

	s.mu.Lock()
	delete(s.logins, key)
	now := time.Now()
	if err == nil {
		s.token, s.claims = token, key.claims
		s.failure, s.failures, s.retryAt = nil, 0, time.Time{}
		l.token = token.Token
	} else {
		l.err = s.explain(err, trouble.get())
		pause := min(firstPause<<min(s.failures, 10), maxPause)
		if l.err.Kind == KindLoginUnavailable {
			// What the authority asked for, within reason: nobody else of this identity gets a token meanwhile.
			pause = max(pause, min(l.err.RetryAfter, mostAsked))
			l.err.RetryAfter = max(pause, l.err.RetryAfter)
		}
		s.failure, s.retryAt = l.err, now.Add(pause)
		s.failures++
	}
	s.mu.Unlock()
	if s.life.ctx.Err() == nil {
		s.observer.CredentialState(err == nil)
	}
	close(l.done)
}

// wait waits for the login or for the caller's end, whichever comes first.
func (l *login) wait(ctx context.Context) (string, error) {
	select {
	case <-l.done:
	case <-ctx.Done():
		return "", canceled(ctx)
	}
	if l.err != nil {
		return "", l.err.clone()
	}
	return l.token, nil
}
