package graphsim_test

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/parley-gateway/parley/graphsim"
	"github.com/parley-gateway/parley/graphsim/faults"
)

// TestFaultForms covers the faults whose form matters beyond a status.
func TestFaultForms(t *testing.T) {
	t.Parallel()
	for name, q := range map[string]struct {
		fault faults.Fault
		check func(*bed)
	}{
		"error in 200": {faults.Fault{Kind: faults.ErrorIn200, Status: 429}, func(b *bed) {
			b.a.status = 429 // the helper below looks at errors
			b.error(429, "TooManyRequests", "retry")
		}},
		"nested": {faults.Fault{Kind: faults.NestedError, Status: 500, Code: "UnknownError"}, func(b *bed) {
			var body struct {
				Error struct {
					Code  string `json:"code"`
					Inner struct {
						Inner struct {
							Code string `json:"code"`
						} `json:"innererror"`
					} `json:"innererror"`
				} `json:"error"`
			}
			if err := json.Unmarshal(b.a.body, &body); err != nil || body.Error.Code != "UnknownError" || body.Error.Inner.Inner.Code != "UnknownErrorCause" {
				b.t.Errorf("%v %s", err, b.a.body)
			}
		}},
		"date": {faults.Fault{Kind: faults.Status, Status: 429, RetryAfter: "+90"}, func(b *bed) {
			at, err := http.ParseTime(b.a.header.Get("Retry-After"))
			date, err2 := http.ParseTime(b.a.header.Get("Date"))
			if err != nil || err2 != nil || at.Sub(date) != 90*time.Second {
				b.t.Errorf("%v", b.a.header)
			}
		}},
		"absurd": {faults.Fault{Kind: faults.Status, Status: 429, RetryAfter: "soon"}, func(b *bed) { b.prefix(b.a.header.Get("Retry-After"), "soon") }},
		"pair": {faults.Fault{Kind: faults.LoopPair}, func(b *bed) {
			b.rows(10, b.good.Next)
			second := b.c.page(b.p.Next)
			first := b.c.page(second.Next)
			if u, err := url.Parse(second.Next); err != nil || u.Query().Has("$skiptoken") || first.Next != b.good.Next {
				b.t.Errorf("%v: page 2 leads to %q, that to %q", err, second.Next, first.Next)
			}
		}},
		"hang":      {faults.Fault{Kind: faults.Hang, DelayMS: 1}, func(b *bed) { b.then("0 0 0") }},
		"stall":     {faults.Fault{Kind: faults.Stall, DelayMS: 1}, func(b *bed) { b.broken(true) }},
		"drip":      {faults.Fault{Kind: faults.Drip, DelayMS: 1, Chunk: 512}, func(b *bed) { b.rows(10, b.good.Next) }},
		"this user": {faults.Fault{Kind: faults.Status, User: "{upn}"}, func(b *bed) { b.error(503, "ServiceUnavailable", "") }},
		"other user": {faults.Fault{Kind: faults.Status, User: "6f1b2c3d-0000-4000-8000-000000000000"}, func(b *bed) {
			b.rows(10, b.good.Next)
		}},
		"later": {faults.Fault{Kind: faults.Status, FromMS: 1}, func(b *bed) { b.rows(10, b.good.Next) }},
		"until": {faults.Fault{Kind: faults.Status, UntilMS: 1}, func(b *bed) { b.error(503, "ServiceUnavailable", "") }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if q.fault.User == "{upn}" {
				s := start(t, nil)
				q.fault.User = s.DemoUser().UPN
			}
			q.check(faultBed(t, q.fault))
		})
	}
}

// TestFaultsFollowTheirSchedule moves the clock through a schedule.
func TestFaultsFollowTheirSchedule(t *testing.T) {
	t.Parallel()
	var passed atomic.Int64
	s := start(t, func(c *graphsim.Config) {
		c.Now = func() time.Time { return testNow.Add(time.Duration(passed.Load())) }
		c.Faults = []faults.Fault{{Kind: faults.Status, FromMS: 1000, UntilMS: 3000}}
	})
	c := newClient(t, s)
	for at, want := range map[time.Duration]int{0: 200, 999 * time.Millisecond: 200, time.Second: 503, 2999 * time.Millisecond: 503, 3 * time.Second: 200} {
		passed.Store(int64(at))
		if got := c.get("/v1.0/users").status; got != want {
			t.Errorf("at %v: %d, want %d", at, got, want)
		}
	}
}

// TestFaultsAreDrawnWhateverTheOrderOfRequests asks the same in another order: each request meets the same fate.
func TestFaultsAreDrawnWhateverTheOrderOfRequests(t *testing.T) {
	t.Parallel()
	paths := make([]string, 0, 20)
	for top := range strings.FieldsSeq("1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20") {
		paths = append(paths, "/v1.0/users?$top="+top)
	}
	fate := func(order []string) map[string]int {
		s := start(t, func(c *graphsim.Config) { c.Faults = []faults.Fault{{Kind: faults.Status, Rate: 0.5}} })
		c, fates := newClient(t, s), map[string]int{}
		for _, path := range order {
			fates[path] = c.get(path).status
		}
		return fates
	}
	forward := fate(paths)
	back := slices.Clone(paths)
	slices.Reverse(back)
	struck := 0
	for path, status := range fate(back) {
		if status != forward[path] {
			t.Errorf("%s: %d, before %d", path, status, forward[path])
		}
		if status != http.StatusOK {
			struck++
		}
	}
	if struck < 4 || struck > 16 {
		t.Errorf("%d of 20 struck", struck)
	}
}

// TestGoAway sees HTTP/2 connections end after an answer, and streams be reset.
func TestGoAway(t *testing.T) {
	t.Parallel()
	s := secure(t, nil)
	h, err := s.HandlerWithFaults([]faults.Fault{{Kind: faults.GoAway, Times: 1, Match: "token"}, {Kind: faults.Reset, After: 1, Times: 1, Match: "token"}}, 1)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(h)
	server.EnableHTTP2 = true
	var connections atomic.Int32
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	server.StartTLS()
	defer server.Close()
	tr, ok := server.Client().Transport.(*http.Transport)
	if !ok {
		t.Fatal("no transport")
	}
	tr.TLSClientConfig.MinVersion = tls.VersionTLS12
	ask := func() error {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+"/"+tenantA+"/oauth2/v2.0/token", strings.NewReader("grant_type=none"))
		if err != nil {
			return err
		}
		resp, err := server.Client().Do(req)
		if err != nil {
			return err
		}
		if resp.ProtoMajor != 2 {
			t.Errorf("HTTP/%d", resp.ProtoMajor)
		}
		return resp.Body.Close()
	}
	if err := ask(); err != nil {
		t.Error(err)
	}
	if err := ask(); err == nil || !strings.Contains(err.Error(), "INTERNAL_ERROR") {
		t.Errorf("no reset: %v", err)
	}
	if err := ask(); err != nil {
		t.Error(err)
	}
	if n := connections.Load(); n != 2 {
		t.Errorf("%d connections, want a second one after GOAWAY", n)
	}
}

// TestHangEndsWithTheClient checks that silence does not outlive those who wait.
func TestHangEndsWithTheClient(t *testing.T) {
	t.Parallel()
	s := start(t, func(c *graphsim.Config) { c.Faults = []faults.Fault{{Kind: faults.Hang}} })
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL()+"/v1.0/users", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	if resp, err := newClient(t, s).http.Do(req); err == nil {
		t.Errorf("an answer: %d", resp.StatusCode)
		_ = resp.Body.Close()
	}
}

// TestFaultsOfTheHandbookLoad loads every example of the handbook, which shows each kind.
func TestFaultsOfTheHandbookLoad(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../docs/graphsim.md")
	if err != nil {
		t.Fatal(err)
	}
	shown := map[string]bool{}
	for i, block := range regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllSubmatch(page, -1) {
		file := filepath.Join(t.TempDir(), "faults.yaml")
		if err := os.WriteFile(file, block[1], 0o600); err != nil {
			t.Fatal(err)
		}
		planned, err := faults.Load(file)
		if err != nil || len(planned) == 0 {
			t.Errorf("example %d: %d faults, %v\n%s", i+1, len(planned), err, block[1])
		}
		for _, f := range planned {
			shown[f.Kind] = true
		}
	}
	for _, kind := range faults.Kinds() {
		if !shown[kind] {
			t.Errorf("no example of %s", kind)
		}
	}
}

// TestBrokenJSON breaks many answers: none may be valid, or it would be another truth.
func TestBrokenJSON(t *testing.T) {
	t.Parallel()
	s := start(t, func(c *graphsim.Config) { c.Faults = []faults.Fault{{Kind: faults.MalformedJSON}} })
	c := newClient(t, s)
	for top := range 60 {
		a := c.get("/v1.0/users/" + s.DemoUser().ID + "/chats/getAllMessages?$top=" + strconv.Itoa(top+1))
		if a.err != nil || json.Valid(a.body) {
			t.Errorf("%d rows: %v, valid %t", top+1, a.err, json.Valid(a.body))
		}
	}
}
