package parley

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"
)

// answer gives a body in place of Graph's.
func answer(body string) trouble {
	return func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, body)
	}
}

// late has an answer come after a time, or not at all if the client has left.
func late(after time.Duration, then trouble) trouble {
	return func(w http.ResponseWriter, r *http.Request, graph http.Handler) {
		select {
		case <-time.After(after):
			then(w, r, graph)
		case <-r.Context().Done():
		}
	}
}

// cut ends the connection in the middle of Graph's answer.
func cut(w http.ResponseWriter, r *http.Request, graph http.Handler) {
	whole := httptest.NewRecorder()
	graph.ServeHTTP(whole, r)
	maps.Copy(w.Header(), whole.Header())
	_, _ = w.Write(whole.Body.Bytes()[:whole.Body.Len()/2])
	panic(http.ErrAbortHandler) // as net/http has it
}

// changed changes the members of Graph's answer.
func changed(change func(r *http.Request, members map[string]any)) trouble {
	return func(w http.ResponseWriter, r *http.Request, graph http.Handler) {
		whole := httptest.NewRecorder()
		graph.ServeHTTP(whole, r)
		var members map[string]any
		if err := json.Unmarshal(whole.Body.Bytes(), &members); err != nil || whole.Code != http.StatusOK {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		change(r, members)
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(members)
	}
}

// TestNightMeetsOddAnswers has Graph answer in a night as it may, or as what stands before it may. The stream ends, and says exactly what it
// could not read; when the trouble is over, a second run reads that.
func TestNightMeetsOddAnswers(t *testing.T) {
	t.Parallel()
	const apis = "chat copilot"
	for name, test := range map[string]struct {
		trouble func(o *outage) trouble
		wait    time.Duration // after the trouble
		users   int           // who are not whole; -1 = all with a licence
		reason  string
		ends    string // reason of an error that ends the stream before its summary
	}{
		"one API asks to wait for seconds": {trouble: func(*outage) trouble {
			return refusal(http.StatusServiceUnavailable, "Retry-After", "20").of("copilot").until(40 * time.Second)
		}},
		"one API asks to wait for minutes": {trouble: func(*outage) trouble {
			return refusal(http.StatusServiceUnavailable, "Retry-After", "200").of("copilot").until(5 * time.Minute)
		}},
		"one API throttles for minutes": {trouble: func(*outage) trouble {
			return refusal(http.StatusTooManyRequests, "Retry-After", "30").of("copilot").until(9 * time.Minute)
		}},
		"one API throttles without end": {
			trouble: func(*outage) trouble { return refusal(http.StatusTooManyRequests, "Retry-After", "50").of("copilot") },
			wait:    time.Minute, users: -1, reason: "GRAPH_THROTTLED",
		},
		"all APIs throttle without end": {
			trouble: func(*outage) trouble {
				return refusal(http.StatusTooManyRequests, "Retry-After", "50").of("copilot chat calls participants")
			},
			wait: time.Minute, users: 24, reason: "GRAPH_THROTTLED",
		},
		"one API asks to wait for too long": {
			trouble: func(*outage) trouble {
				return refusal(http.StatusTooManyRequests, "Retry-After", "1200").of("copilot")
			},
			wait: 20 * time.Minute, users: -1, reason: "GRAPH_THROTTLED",
		},
		"504 after a minute": {
			trouble: func(o *outage) trouble {
				return late(time.Minute, refusal(http.StatusGatewayTimeout)).of("chat", o.licensed(3)...)
			},
			users: 3, reason: "GRAPH_UNAVAILABLE",
		},
		"no answer": {
			trouble: func(o *outage) trouble {
				return late(24*time.Hour, refusal(http.StatusGatewayTimeout)).of(apis, o.licensed(3)...)
			},
			users: 3, reason: "GRAPH_UNAVAILABLE",
		},
		"cut in the body": {
			trouble: func(o *outage) trouble { return trouble(cut).of("copilot", o.licensed(2)...) }, users: 2, reason: "GRAPH_UNAVAILABLE",
		},
		"no body": {trouble: func(o *outage) trouble { return answer("").of("chat", o.licensed(2)...) }, users: 2, reason: "GRAPH_UNAVAILABLE"},
		"no rows": {trouble: func(o *outage) trouble { return answer("{}").of("copilot", o.licensed(2)...) }, users: 2, reason: "GRAPH_UNAVAILABLE"},
		"null":    {trouble: func(o *outage) trouble { return answer("null").of(apis, o.licensed(2)...) }, users: 2, reason: "GRAPH_UNAVAILABLE"},
		"a page of HTML": {
			trouble: func(o *outage) trouble { return answer("<html><body>Sign in</body></html>").of(apis, o.licensed(1)...) },
			users:   1, reason: "GRAPH_UNAVAILABLE",
		},
		"a link to the page itself": {
			trouble: func(o *outage) trouble {
				return changed(func(r *http.Request, members map[string]any) {
					members["@odata.nextLink"] = "http://127.0.0.1:8090" + r.URL.RequestURI()
				}).of("chat", o.licensed(2)...)
			},
			users: 2, reason: "PAGING_LOOP",
		},
		"a redirect": {
			trouble: func(o *outage) trouble {
				return refusal(http.StatusFound, "Location", "http://127.0.0.1:8090/login").of(apis, o.licensed(1)...)
			},
			users: 1, reason: "SOURCE_FAILED",
		},
		"the credential is refused to one API": {
			trouble: func(o *outage) trouble { return refusal(http.StatusUnauthorized).of("copilot") }, users: -1, reason: "GRAPH_CREDENTIAL_REJECTED",
		},
		"the credential is refused": {
			trouble: func(*outage) trouble { return refusal(http.StatusUnauthorized).of("chat copilot calls participants") },
			ends:    "GRAPH_CREDENTIAL_REJECTED",
		},
		"the directory is away": {trouble: func(*outage) trouble { return refusal(http.StatusBadGateway).of("users") }, ends: "GRAPH_UNAVAILABLE"},
		"users are renamed": {trouble: func(*outage) trouble {
			return changed(func(_ *http.Request, members map[string]any) {
				rows, _ := members["value"].([]any)
				for _, row := range rows {
					if user, ok := row.(map[string]any); ok {
						user["userPrincipalName"] = fmt.Sprint("renamed-", user["userPrincipalName"])
					}
				}
			}).of("users")
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				o := newOutage(t, 24)
				n, request, began := o.reading(), o.request(), time.Now()
				o.graph.have(test.trouble(o))
				reason := n.read(t.Context(), t, o.client, request)
				if reason != test.ends {
					t.Fatalf("the stream ends: %s, %v", reason, n.summary)
				}
				if reason != "" { // the call is made again, or goes on
					o.graph.have(nil)
					time.Sleep(time.Minute)
					request.ResumeToken = n.token
					if reason = n.read(t.Context(), t, o.client, request); reason != "" {
						t.Fatal(reason)
					}
				}
				if took := time.Since(began); took > 15*time.Minute {
					t.Errorf("the night took %v", took)
				}
				o.check(t, n)
				want := test.users
				if want < 0 {
					want = len(o.licensed(24))
				}
				failed := n.incomplete()
				for _, id := range failed {
					if user := n.users["users/"+id]; user.GetReason() != test.reason {
						t.Errorf("%v", user)
					}
				}
				if len(failed) != want || (want == 0) != n.summary.GetComplete() {
					t.Fatalf("%d users are not whole, want %d: %v", len(failed), want, n.summary)
				}
				if want > 0 {
					time.Sleep(test.wait)
					o.again(t, n)
				}
			})
		})
	}
}
