package graphclient_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-gateway/parley/graphclient"
	"github.com/parley-gateway/parley/graphclient/graph"
)

// script answers with one response after the other, the last one again and again.
type script struct {
	mu    sync.Mutex
	steps []func() (*http.Response, error)
	times []time.Time
}

func (s *script) roundTrip(*http.Request) (*http.Response, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	step := s.steps[min(len(s.times), len(s.steps)-1)]
	s.times = append(s.times, time.Now())
	return step()
}

func (s *script) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.times)
}

func say(status int, body string, headers ...string) func() (*http.Response, error) {
	return func() (*http.Response, error) { return answer(status, body, headers...), nil }
}

func breaks(err error) func() (*http.Response, error) {
	return func() (*http.Response, error) { return nil, err }
}

func TestTemporaryFailuresAreRepeated(t *testing.T) {
	t.Parallel()
	cut := func() (*http.Response, error) {
		r := answer(200, "")
		r.Body = io.NopCloser(io.MultiReader(strings.NewReader(`{"value":[{"id":`), failingReader{io.ErrUnexpectedEOF}))
		r.ContentLength = 100
		return r, nil
	}
	goAway := errors.New("http2: server sent GOAWAY and closed the connection; LastStreamID=1, ErrCode=NO_ERROR")
	for name, c := range map[string]struct {
		step  func() (*http.Response, error)
		kind  graph.Kind
		again bool
	}{
		"429":                {say(429, ""), graph.KindThrottled, true},
		"500":                {say(500, ""), graph.KindUnavailable, true},
		"501":                {say(501, ""), graph.KindUnavailable, true},
		"502":                {say(502, "<html>"), graph.KindUnavailable, true},
		"503":                {say(503, ""), graph.KindUnavailable, true},
		"503, Retry-After":   {say(503, "", "Retry-After", "2"), graph.KindUnavailable, true},
		"504":                {say(504, ""), graph.KindUnavailable, true},
		"reset":              {breaks(&net.OpError{Op: "read", Err: syscall.ECONNRESET}), graph.KindUnavailable, true},
		"GOAWAY":             {breaks(goAway), graph.KindUnavailable, true},
		"EOF":                {breaks(io.EOF), graph.KindUnavailable, true},
		"DNS":                {breaks(&net.DNSError{Err: "no such host", IsNotFound: true}), graph.KindUnavailable, true},
		"cut body":           {cut, graph.KindUnavailable, true},
		"malformed body":     {say(200, `{"value":[{]}`), graph.KindMalformed, true},
		"200, throttled":     {say(200, `{"error":{"code":"TooManyRequests"}}`), graph.KindThrottled, true},
		"200, busy":          {say(200, `{"error":{"code":"serviceUnavailable"}}`), graph.KindUnavailable, true},
		"200, unknown error": {say(200, `{"error":{"code":"x","message":"y"}}`), graph.KindUnavailable, true},
		"200, forbidden":     {say(200, `{"error":{"code":"Authorization_RequestDenied"}}`), graph.KindForbidden, false},
		"400":                {say(400, `{"error":{"code":"BadRequest","message":"x"}}`), graph.KindBadRequest, false},
		"400, empty":         {say(400, ""), graph.KindUnavailable, true},
		"400, blanks":        {say(400, "\r\n "), graph.KindUnavailable, true},
		"400, {}":            {say(400, `{}`), graph.KindUnavailable, true},
		"400, says nothing":  {say(400, `{"error":{"code":"","message":"","innerError":{"date":"2026-11-30T10:00:00"}}}`), graph.KindUnavailable, true},
		"400, busy":          {say(400, `{"error":{"code":"ServiceUnavailable","message":"x"}}`), graph.KindUnavailable, true},
		"400, busy inside":   {say(400, `{"error":{"code":"BadRequest","innererror":{"code":"serviceunavailable"}}}`), graph.KindUnavailable, true},
		"400, web page":      {say(400, "<html>"), graph.KindBadRequest, false},
		"403, busy":          {say(403, `{"error":{"code":"serviceNotAvailable"}}`), graph.KindUnavailable, true},
		"401":                {say(401, ""), graph.KindCredential, false},
		"402":                {say(402, ""), graph.KindPaymentRequired, false},
		"403":                {say(403, ""), graph.KindRefused, false},
		"404":                {say(404, ""), graph.KindNotFound, false},
		"410":                {say(410, ""), graph.KindGone, false},
		"302":                {say(302, "", "Location", "https://127.0.0.1:8443/x"), graph.KindUnexpected, false},
		"bad certificate":    {breaks(&tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}), graph.KindUnavailable, false},
		"402 inside a 200":   {say(200, `{"error":{"code":"PaymentRequired"}}`), graph.KindPaymentRequired, false},
		"403 with a message": {say(403, `{"error":{"code":"Forbidden","message":"UnknownError"}}`), graph.KindRefused, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				// It heals: three failures, then a page.
				s := &script{steps: []func() (*http.Response, error){c.step, c.step, c.step, say(200, emptyPage)}}
				page, err := fakeClient(t, s.roundTrip).Page(t.Context(), chats())
				if c.again {
					if err != nil || page.Requests != 4 {
						t.Fatalf("page %+v, error %v", page, err)
					}
				} else if e := wantError(t, err, c.kind); e.Requests != 1 || s.count() != 1 {
					t.Fatalf("%d requests", s.count())
				}
				// It does not heal: four requests, no more.
				s = &script{steps: []func() (*http.Response, error){c.step}}
				_, err = fakeClient(t, s.roundTrip).Page(t.Context(), chats())
				want := 1
				if c.again {
					want = graphclient.DefaultTries
				}
				if e := wantError(t, err, c.kind); s.count() != want || e.Requests != want {
					t.Fatalf("%d requests (%d), want %d", s.count(), e.Requests, want)
				}
			})
		})
	}
}

type failingReader struct{ err error }

func (r failingReader) Read([]byte) (int, error) { return 0, r.err }

func TestRetryAfterIsWaitedFor(t *testing.T) {
	t.Parallel()
	const date = "Sun, 22 Nov 2026 10:00:00 GMT"
	for name, c := range map[string]struct {
		headers  []string
		min, max time.Duration // until the second request
		patience time.Duration
	}{
		"seconds":           {[]string{"Retry-After", "10"}, 10 * time.Second, 10 * time.Second, 0},
		"fraction":          {[]string{"Retry-After", "0.25"}, 250 * time.Millisecond, 250 * time.Millisecond, 0},
		"spaces":            {[]string{"Retry-After", " 3 "}, 3 * time.Second, 3 * time.Second, 0},
		"date":              {[]string{"Retry-After", "Sun, 22 Nov 2026 10:00:07 GMT", "Date", date}, 7 * time.Second, 7 * time.Second, 0},
		"date that is past": {[]string{"Retry-After", "Sun, 22 Nov 2026 09:00:00 GMT", "Date", date}, time.Second, time.Second, 0},
		"absent":            {nil, time.Second, time.Second, 0},
		"zero":              {[]string{"Retry-After", "0"}, time.Second, time.Second, 0},
		"negative":          {[]string{"Retry-After", "-5"}, time.Second, time.Second, 0},
		"garbage":           {[]string{"Retry-After", "soon"}, time.Second, time.Second, 0},
		"not a number":      {[]string{"Retry-After", "NaN"}, time.Second, time.Second, 0},
		"longest waited":    {[]string{"Retry-After", "60"}, time.Minute, time.Minute, 0},
		"more patience":     {[]string{"Retry-After", "500"}, 500 * time.Second, 500 * time.Second, 10 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := &script{steps: []func() (*http.Response, error){say(429, "", c.headers...), say(200, emptyPage)}}
				request := chats()
				request.Priority, request.Patience = graph.Background, c.patience
				page, err := fakeClient(t, s.roundTrip).Page(t.Context(), request)
				if err != nil || page.Requests != 2 {
					t.Fatalf("page %+v, error %v", page, err)
				}
				if waited := s.times[1].Sub(s.times[0]); waited < c.min || waited > c.max {
					t.Errorf("waited %v, want %v to %v", waited, c.min, c.max)
				}
			})
		})
	}
}

func TestARetryAfterBeyondTheDeadlineIsReturned(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		status   int
		header   string
		deadline time.Duration
		want     time.Duration
	}{
		"longer than the deadline":    {429, "10", 5 * time.Second, 10 * time.Second},
		"600 seconds, no deadline":    {429, "600", 0, 600 * time.Second},
		"absurd":                      {429, "99999999999999999999", 0, time.Hour},
		"infinite":                    {429, "Inf", 0, time.Hour},
		"absurd date":                 {429, "Fri, 31 Dec 9999 23:59:59 GMT", 0, time.Hour},
		"503 longer than a deadline":  {503, "30", 20 * time.Second, 30 * time.Second},
		"503 over a minute, no limit": {503, "61", 0, 61 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := &script{steps: []func() (*http.Response, error){say(c.status, `{"error":{"code":"x"}}`, "Retry-After", c.header, "request-id", "r1")}}
				client := fakeClient(t, s.roundTrip)
				ctx := t.Context()
				if c.deadline > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, c.deadline)
					defer cancel()
				}
				start := time.Now()
				_, err := client.Page(ctx, chats())
				e := asError(t, err)
				if e.Status != c.status || e.RequestID != "r1" || e.Code != "x" || e.RetryAfter != c.want || !e.Kind.Temporary() {
					t.Errorf("error %#v", e)
				}
				if time.Since(start) != 0 || s.count() != 1 {
					t.Errorf("%v, %d requests", time.Since(start), s.count())
				}
				// The next caller is told at once, and nothing is sent.
				_, err = client.Page(ctx, chats())
				if e := wantError(t, err, graph.KindThrottled); e.RetryAfter != c.want || e.Status != 0 || e.Requests != 0 || s.count() != 1 {
					t.Errorf("second caller: %#v, %d requests", e, s.count())
				}
			})
		})
	}
}

func TestBackoffStaysWithinTheDeadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &script{steps: []func() (*http.Response, error){say(504, "")}}
		client := fakeClient(t, s.roundTrip, func(cfg *graphclient.Config) {
			cfg.Retry = graphclient.RetryConfig{Tries: 10, Base: time.Second, Max: 30 * time.Second}
		})
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		start := time.Now()
		_, err := client.Page(ctx, chats())
		e := wantError(t, err, graph.KindUnavailable)
		if time.Since(start) >= 10*time.Second || e.RetryAfter <= 0 || e.Status != 504 {
			t.Errorf("after %v: %#v", time.Since(start), e)
		}
		for i := 1; i < len(s.times); i++ {
			step := time.Second << (i - 1)
			if pause := s.times[i].Sub(s.times[i-1]); pause < step/2 || pause > step {
				t.Errorf("pause %d is %v, want %v to %v", i, pause, step/2, step)
			}
		}
	})
}

func TestACanceledCallStopsWaiting(t *testing.T) {
	t.Parallel()
	for name, step := range map[string]func() (*http.Response, error){
		"gate":     say(429, "", "Retry-After", "30"),
		"back-off": say(500, ""),
		"answer": func() (*http.Response, error) {
			return nil, context.Canceled
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				s := &script{steps: []func() (*http.Response, error){step}}
				client := fakeClient(t, s.roundTrip, func(cfg *graphclient.Config) {
					cfg.Retry = graphclient.RetryConfig{Base: time.Minute, Max: time.Minute}
				})
				time.AfterFunc(3*time.Second, cancel)
				start := time.Now()
				_, err := client.Page(ctx, chats())
				e := wantError(t, err, graph.KindCanceled)
				if !errors.Is(err, context.Canceled) || time.Since(start) != 3*time.Second || e.Requests != 1 {
					t.Errorf("after %v: %v (%d requests)", time.Since(start), err, e.Requests)
				}
			})
		})
	}
}

func TestOneTryIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		requests := 0
		client := fakeClient(t, func(r *http.Request) (*http.Response, error) {
			requests++
			if requests == 1 {
				<-r.Context().Done()
				return nil, r.Context().Err()
			}
			return answer(200, emptyPage), nil
		}, func(cfg *graphclient.Config) { cfg.Retry.TryTimeout = 5 * time.Second })
		start := time.Now()
		page, err := client.Page(t.Context(), chats())
		if err != nil || page.Requests != 2 {
			t.Fatalf("page %+v, error %v", page, err)
		}
		if took := time.Since(start); took < 5*time.Second || took > 6*time.Second {
			t.Errorf("took %v", took)
		}
	})
}

func TestTheCallersDeadlineEndsACall(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client := fakeClient(t, func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := client.Page(ctx, chats())
		_ = wantError(t, err, graph.KindCanceled)
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v", err)
		}
	})
}
