package graphclient_test

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/parley-gateway/parley/graphclient"
	"github.com/parley-gateway/parley/graphclient/graph"
	"github.com/parley-gateway/parley/graphclient/ratelimit"
)

// refuseFirst refuses the first of [tokens] with the answer told; others find nothing.
func refuseFirst(status int, body string, headers ...string) roundTripper {
	return func(r *http.Request) (*http.Response, error) {
		if r.Header.Get("Authorization") == "Bearer token-1" {
			return answer(status, body, headers...), nil
		}
		return findNothing(r)
	}
}

func TestOneRenewalAfter401(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		credential := &tokens{}
		client := fakeClient(t, refuseFirst(401, `{"error":{"code":"InvalidAuthenticationToken"}}`), withCredential(credential))
		for _, requests := range []int{2, 1} {
			page, err := client.Page(t.Context(), chats())
			if err != nil || page.Requests != requests {
				t.Fatalf("page %+v, error %v", page, err)
			}
		}
		if credential.count() != 2 {
			t.Errorf("%d logins", credential.count())
		}
	})
}

func TestRejectedTwiceIsACredentialError(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		credential := &tokens{}
		client := fakeClient(t, func(*http.Request) (*http.Response, error) {
			return answer(401, `{"error":{"code":"InvalidAuthenticationToken"}}`, "request-id", "r1"), nil
		}, withCredential(credential))
		ask := func(requests, logins int) {
			t.Helper()
			_, err := client.Page(t.Context(), chats())
			e := wantError(t, err, graph.KindCredential)
			if e.Status != 401 || e.Code != "InvalidAuthenticationToken" || e.RequestID != "r1" || e.Requests != requests || e.RetryAfter != 0 {
				t.Errorf("%#v, %d requests", e, e.Requests)
			}
			if credential.count() != logins {
				t.Errorf("%d logins, want %d", credential.count(), logins)
			}
		}
		ask(2, 2)
		ask(1, 2) // renewals pause: no login per request
		time.Sleep(time.Second)
		ask(2, 3)
		time.Sleep(time.Second)
		ask(1, 3) // twice as long now
	})
}

func TestManyRejectedCallersRenewOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		credential, refuse := &tokens{}, refuseFirst(401, "")
		client := fakeClient(t, func(r *http.Request) (*http.Response, error) {
			time.Sleep(time.Millisecond)
			return refuse(r)
		}, withCredential(credential))
		crowd(t, client)
		if credential.count() != 2 {
			t.Errorf("%d logins, want 2", credential.count())
		}
	})
}

func TestAClaimsChallengeIsAnsweredByOneLogin(t *testing.T) {
	t.Parallel()
	const claims = `{"access_token":{"nbf":{"essential":true,"value":"1726077595"},"x":"??>>"}}`
	for name, c := range map[string]struct {
		status int
		header string
		claims string // that the second login must carry
		logins int
	}{
		"standard":       {401, `Bearer realm="", authorization_uri="https://login.example/common/oauth2/authorize", error="insufficient_claims", claims="` + base64.StdEncoding.EncodeToString([]byte(claims)) + `"`, claims, 2},
		"URL alphabet":   {401, `Bearer error="insufficient_claims", claims="` + base64.RawURLEncoding.EncodeToString([]byte(claims)) + `"`, claims, 2},
		"with a 403":     {403, `Bearer error="insufficient_claims", claims="` + base64.StdEncoding.EncodeToString([]byte(claims)) + `"`, claims, 2},
		"unquoted error": {401, `Bearer error=insufficient_claims, claims="` + base64.StdEncoding.EncodeToString([]byte(claims)) + `"`, claims, 2},
		"broken claims":  {401, `Bearer error="insufficient_claims", claims="%%%"`, "", 2},
		"claims no JSON": {401, `Bearer error="insufficient_claims", claims="aGVsbG8="`, "", 2},
		"other error":    {401, `Bearer error="invalid_token", claims="` + base64.StdEncoding.EncodeToString([]byte(claims)) + `"`, "", 2},
		"403, no claims": {403, `Bearer error="insufficient_claims"`, "", 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			credential := &tokens{}
			client := fakeClient(t, refuseFirst(c.status, "", "WWW-Authenticate", c.header), withCredential(credential))
			_, err := client.Page(t.Context(), chats())
			if c.logins == 1 {
				_ = wantError(t, err, graph.KindCredential)
			} else if err != nil {
				t.Fatal(err)
			}
			if credential.count() != c.logins {
				t.Fatalf("%d logins, want %d", credential.count(), c.logins)
			}
			for i, o := range credential.options {
				want := ""
				if i == 1 {
					want = c.claims
				}
				if o.Claims != want || !o.EnableCAE || len(o.Scopes) != 1 || o.Scopes[0] != "https://graph.microsoft.com/.default" {
					t.Errorf("login %d: %+v", i, o)
				}
			}
		})
	}
}

func TestUnendingChallengeIsACredentialError(t *testing.T) {
	t.Parallel()
	requests := 0
	client := fakeClient(t, func(*http.Request) (*http.Response, error) {
		requests++
		return answer(401, "", "WWW-Authenticate", `Bearer error="insufficient_claims", claims="e30="`), nil
	}, withCredential(&tokens{}))
	_, err := client.Page(t.Context(), chats())
	_ = wantError(t, err, graph.KindCredential)
	if requests != 2 {
		t.Errorf("%d requests, want 2", requests)
	}
}

func TestColdCallersShareOneLogin(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		credential := &tokens{before: func(context.Context) error {
			time.Sleep(time.Second)
			return nil
		}}
		client := fakeClient(t, findNothing, withCredential(credential))
		// One of them cannot wait, and does not.
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		start := time.Now()
		_, err := client.Page(ctx, chats())
		_ = wantError(t, err, graph.KindCanceled)
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != 100*time.Millisecond {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		crowd(t, client)
		if credential.count() != 1 || time.Since(start) != time.Second {
			t.Errorf("%d logins after %v", credential.count(), time.Since(start))
		}
	})
}

func TestValidTokenIsServedWhileRefreshFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		credential := &tokens{}
		client := fakeClient(t, findNothing, withCredential(credential))
		page := func() error { _, err := client.Page(t.Context(), chats()); return err }
		if err := page(); err != nil {
			t.Fatal(err)
		}
		credential.setFail(errors.New("login service is down"))
		time.Sleep(56 * time.Minute)
		for range 10 {
			if err := page(); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		if credential.count() != 2 {
			t.Errorf("%d logins, want 1 early refresh", credential.count())
		}
		time.Sleep(5 * time.Minute) // expired now
		e := wantError(t, page(), graph.KindLoginUnavailable)
		if e.RetryAfter <= 0 {
			t.Errorf("no RetryAfter: %v", e)
		}
		credential.setFail(nil)
		time.Sleep(time.Minute)
		if err := page(); err != nil {
			t.Error(err)
		}
	})
}

func TestATokenIsRefreshedBeforeItEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var seen []string
		client := fakeClient(t, func(r *http.Request) (*http.Response, error) {
			seen = append(seen, r.Header.Get("Authorization"))
			return findNothing(r)
		}, withCredential(&tokens{}))
		for _, pause := range []time.Duration{0, 54 * time.Minute, 2 * time.Minute, time.Second} {
			time.Sleep(pause)
			if _, err := client.Page(t.Context(), chats()); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		want := []string{"Bearer token-1", "Bearer token-1", "Bearer token-1", "Bearer token-2"}
		if diff := cmp.Diff(want, seen); diff != "" {
			t.Errorf("tokens (-want +got):\n%s", diff)
		}
	})
}

func TestFailedLoginsPause(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		credential := &tokens{}
		credential.setFail(errors.New("down"))
		client := fakeClient(t, func(*http.Request) (*http.Response, error) {
			t.Error("something was sent")
			return answer(200, emptyPage), nil
		}, withCredential(credential), func(cfg *graphclient.Config) { cfg.Retry.Tries = 1 })
		for range 50 {
			_, err := client.Page(t.Context(), chats())
			e := wantError(t, err, graph.KindLoginUnavailable)
			if e.RetryAfter <= 0 || e.RetryAfter > time.Second || e.Requests != 0 {
				t.Errorf("%#v", e)
			}
		}
		if credential.count() != 1 {
			t.Errorf("%d logins, want 1", credential.count())
		}
	})
}

func TestLoginRecoversWithinACall(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		credential := &tokens{}
		credential.setFail(errors.New("down"))
		client := fakeClient(t, findNothing, withCredential(credential))
		time.AfterFunc(500*time.Millisecond, func() { credential.setFail(nil) })
		page, err := client.Page(t.Context(), chats())
		if err != nil || page.Requests != 1 || credential.count() != 2 {
			t.Errorf("page %+v, error %v, %d logins", page, err, credential.count())
		}
	})
}

// TestLoginRecoversAfterThrottling has the token end while Graph asks to wait: the failed login is tried again, as one before the first request is.
func TestLoginRecoversAfterThrottling(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		credential := &tokens{life: 10 * time.Second}
		requests := 0
		client := fakeClient(t, func(*http.Request) (*http.Response, error) {
			switch requests++; requests {
			case 1:
				credential.setFail(errors.New("down"))
				time.AfterFunc(6500*time.Millisecond, func() { credential.setFail(nil) })
				return answer(429, "", "Retry-After", "6"), nil
			case 2: // with the token of the first request, which ends meanwhile
				return answer(429, "", "Retry-After", "6"), nil
			default:
				return answer(200, emptyPage), nil
			}
		}, withCredential(credential))
		page, err := client.Page(t.Context(), chats())
		if err != nil || page.Requests != 3 {
			t.Errorf("page %+v, error %v, %d logins", page, err, credential.count())
		}
	})
}

func TestCloseEndsLogins(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		credential := &tokens{before: func(ctx context.Context) error {
			<-ctx.Done()
			return ctx.Err()
		}}
		client := fakeClient(t, findNothing, withCredential(credential))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := client.Login(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		start := time.Now()
		client.Close()
		if time.Since(start) != 0 {
			t.Errorf("Close took %v", time.Since(start))
		}
	})
}

func TestNoCredentialSendsNoAuthorization(t *testing.T) {
	t.Parallel()
	client := fakeClient(t, func(r *http.Request) (*http.Response, error) {
		if _, found := r.Header["Authorization"]; found {
			t.Error("Authorization was sent")
		}
		return answer(401, ""), nil
	})
	_, err := client.Page(t.Context(), chats())
	_ = wantError(t, err, graph.KindCredential)
	if err := client.Login(t.Context()); err != nil {
		t.Error(err)
	}
}

// The repetition after a 401 queues like any request, and queueing is not
// counted as part of the try.
func TestARepetitionAfter401Queues(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &script{steps: []func() (*http.Response, error){say(401, ""), say(200, emptyPage)}}
		client := fakeClient(t, s.roundTrip, withCredential(&tokens{}), func(cfg *graphclient.Config) {
			cfg.Limits = ratelimit.LimitTable{{API: "chat", Limits: []ratelimit.Limit{{Scope: ratelimit.PerTenant, Requests: 1, Per: 30 * time.Second}}}}
			cfg.Retry.TryTimeout = 5 * time.Second
		})
		request := chats()
		request.Priority = graph.Background
		page, err := client.Page(t.Context(), request)
		if err != nil || page.Requests != 2 {
			t.Fatalf("page %+v, error %v", page, err)
		}
		if pause := s.times[1].Sub(s.times[0]); pause < 30*time.Second {
			t.Errorf("repeated after %v", pause)
		}
	})
}

func TestARequestHasTheHeadersOfAClient(t *testing.T) {
	t.Parallel()
	ids := map[string]bool{}
	client := fakeClient(t, func(r *http.Request) (*http.Response, error) {
		h := r.Header
		if h.Get("User-Agent") != "parley/1.2.3" || h.Get("Accept") != "application/json" || h.Get("Accept-Encoding") != "gzip" {
			t.Errorf("headers %v", h)
		}
		if got := h.Values("Prefer"); len(got) != 1 || got[0] != "odata.maxpagesize=60, include-unknown-enum-members" {
			t.Errorf("Prefer %q", got)
		}
		if id := h.Get("client-request-id"); len(id) != 36 || ids[id] {
			t.Errorf("client-request-id %q", id)
		} else {
			ids[id] = true
		}
		if r.Host != "" && r.Host != "127.0.0.1:8443" {
			t.Errorf("Host %q", r.Host)
		}
		return answer(500, ""), nil
	}, quick, func(cfg *graphclient.Config) { cfg.UserAgent = "parley/1.2.3" })
	_, err := client.Page(t.Context(), graph.Request{
		API: "call", Path: "/communications/callRecords", User: "u", Resource: "r",
		Prefer: []string{"odata.maxpagesize=60", "include-unknown-enum-members"},
	})
	_ = wantError(t, err, graph.KindUnavailable)
	if len(ids) != 2 {
		t.Errorf("%d ids for two requests", len(ids))
	}
}
