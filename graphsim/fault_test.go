package graphsim_test

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/parley-gateway/parley/graphsim"
	"github.com/parley-gateway/parley/graphsim/faults"
)

// bed is one simulator with one fault, and the answers with and without it.
type bed struct {
	t            *testing.T
	c            *client
	path         string
	good, second page   // without the fault
	a            answer // the first page with it
	p            page
}

func faultBed(t *testing.T, f faults.Fault) *bed {
	t.Helper()
	s := start(t, func(c *graphsim.Config) { c.Steady = true })
	b := &bed{t: t, c: newClient(t, s), path: s.URL() + "/v1.0/users/" + s.DemoUser().ID + "/chats/getAllMessages?$top=10"}
	b.good = b.c.page(b.path)
	b.second = b.c.page(b.good.Next)
	if err := s.SetFaults([]faults.Fault{f}); err != nil {
		t.Fatal(err)
	}
	b.a = b.c.get(b.path)
	if b.a.err == nil && b.a.status == http.StatusOK && f.Kind != faults.MalformedJSON {
		if err := json.Unmarshal(b.a.body, &b.p); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

func (b *bed) broken(cut bool) {
	b.t.Helper()
	if (b.a.err != nil) != cut || json.Valid(b.a.body) {
		b.t.Errorf("error %v, valid %t", b.a.err, json.Valid(b.a.body))
	}
}

func (b *bed) prefix(s, prefix string) {
	b.t.Helper()
	if !strings.HasPrefix(s, prefix) {
		b.t.Errorf("%q does not begin with %q", s, prefix)
	}
}

func (b *bed) rows(n int, next string) {
	b.t.Helper()
	if len(b.p.Value) != n || b.p.Next != next {
		b.t.Errorf("%d rows, link %q", len(b.p.Value), b.p.Next)
	}
}

// then asks three times more.
func (b *bed) then(want string) {
	b.t.Helper()
	got := make([]string, 0, 3)
	for range 3 {
		got = append(got, strconv.Itoa(b.c.get(b.path).status))
	}
	if s := strings.Join(got, " "); s != want {
		b.t.Errorf("%s, want %s", s, want)
	}
}

func (b *bed) error(status int, code, message string) {
	b.t.Helper()
	if c, m := refusal(b.t, b.a); b.a.status != status || c != code || !strings.Contains(m, message) {
		b.t.Errorf("%d %s %s", b.a.status, c, m)
	}
}

func TestFaults(t *testing.T) {
	t.Parallel()
	for name, q := range map[string]struct {
		fault faults.Fault
		check func(*bed)
	}{
		"status":   {faults.Fault{Kind: faults.Status, RetryAfter: "7"}, func(b *bed) { b.error(503, "ServiceUnavailable", ""); b.prefix(b.a.header.Get("Retry-After"), "7") }},
		"payment":  {faults.Fault{Kind: faults.Status, Status: 402, Match: "chat"}, func(b *bed) { b.error(402, "PaymentRequired", "Evaluation capacity") }},
		"no match": {faults.Fault{Kind: faults.Status, Match: graphsim.SourceCopilot}, func(b *bed) { b.rows(10, b.good.Next) }},
		"loop":     {faults.Fault{Kind: faults.LoopLink}, func(b *bed) { b.rows(10, b.path) }},
		"foreign": {faults.Fault{Kind: faults.ForeignLink}, func(b *bed) {
			b.rows(10, strings.Replace(b.good.Next, b.c.sim.URL(), "https://graph.attacker.example", 1))
		}},
		"http":     {faults.Fault{Kind: faults.HTTPLink}, func(b *bed) { b.prefix(b.p.Next, "http://127.0.0.1:") }},
		"cut":      {faults.Fault{Kind: faults.CutBody}, func(b *bed) { b.broken(true) }},
		"json":     {faults.Fault{Kind: faults.MalformedJSON}, func(b *bed) { b.broken(false) }},
		"html":     {faults.Fault{Kind: faults.HTMLError}, func(b *bed) { b.prefix(string(b.a.body), "<html>") }},
		"empty":    {faults.Fault{Kind: faults.EmptyPage}, func(b *bed) { b.rows(0, b.good.Next) }},
		"end":      {faults.Fault{Kind: faults.EmptyEnd}, func(b *bed) { b.rows(0, "") }},
		"slow":     {faults.Fault{Kind: faults.Slow, DelayMS: 1}, func(b *bed) { b.rows(10, b.good.Next) }},
		"one of 2": {faults.Fault{Kind: faults.OneOfN, Every: 2}, func(b *bed) { b.then("503 200 503") }},
		"twice":    {faults.Fault{Kind: faults.Status, Times: 2}, func(b *bed) { b.then("503 200 200") }},
		"later":    {faults.Fault{Kind: faults.Reset, After: 1}, func(b *bed) { b.rows(10, b.good.Next); b.then("0 0 0") }},
		"page 2": {faults.Fault{Kind: faults.RefusePage, Page: 2}, func(b *bed) {
			b.rows(10, b.good.Next)
			b.a = b.c.get(b.p.Next)
			b.error(400, "BadRequest", "Invalid continuation token")
		}},
		"outside": {faults.Fault{Kind: faults.OutOfWindow}, func(b *bed) {
			was, err := time.Parse(time.RFC3339Nano, text(b.good.Value[0], "lastModifiedDateTime"))
			is, err2 := time.Parse(time.RFC3339Nano, text(b.p.Value[0], "lastModifiedDateTime"))
			if err != nil || err2 != nil || was.Sub(is) != 40*24*time.Hour {
				b.t.Errorf("%s, was %s", is, was)
			}
		}},
		"repeat": {faults.Fault{Kind: faults.RepeatPage, Page: 2}, func(b *bed) {
			if next := b.c.page(b.p.Next); !cmp.Equal(next.Value, b.good.Value) || next.Next != b.second.Next {
				b.t.Error("not the page before with the link of this one")
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			q.check(faultBed(t, q.fault))
		})
	}
}

func TestFaultRate(t *testing.T) {
	t.Parallel()
	run := func() string {
		s := start(t, func(c *graphsim.Config) {
			c.Faults = []faults.Fault{{Kind: faults.Status, Rate: 0.3, Match: graphsim.SourceUsers}}
		})
		c := newClient(t, s)
		var b strings.Builder
		for range 60 {
			b.WriteByte("x."[map[bool]int{true: 0, false: 1}[c.get("/v1.0/users?$top=1").status == 503]])
		}
		return b.String()
	}
	first := run()
	if n := strings.Count(first, "x"); n < 8 || n > 30 || first != run() {
		t.Errorf("%d of 60 struck: %s", n, first)
	}
}

func TestLoadFaults(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	want := []faults.Fault{{Match: "chat", Kind: "refuse_page", Page: 2, Status: 500}, {Kind: "slow", DelayMS: 5, Rate: 0.5}}
	for name, content := range map[string]string{
		"list.yaml": "- match: chat\n  kind: refuse_page\n  page: 2\n  status: 500\n- {kind: slow, delayMs: 5, rate: 0.5}\n",
		"map.yaml":  "faults:\n  - {match: chat, kind: refuse_page, page: 2, status: 500}\n  - {kind: slow, delayMs: 5, rate: 0.5}\n",
		"list.json": `[{"match":"chat","kind":"refuse_page","page":2,"status":500},{"kind":"slow","delayMs":5,"rate":0.5}]`,
	} {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := faults.Load(file)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%s: %v %s", name, err, diff)
		}
	}
	for name, content := range map[string]string{
		"kind": "- kind: earthquake\n", "typo": "- kind: slow\n  dellay: 3\n", "rate": "- {kind: slow, rate: 2}\n", "status": "- {kind: status, status: 200}\n", "page": "- {kind: slow, page: -1}\n", "yaml": "{",
	} {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := faults.Load(file); err == nil {
			t.Errorf("%s: %v", name, got)
		}
	}
	if _, err := faults.Load(filepath.Join(dir, "absent")); err == nil {
		t.Error("an absent file was read")
	}
}

func TestAdmin(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	c := newClient(t, s)
	if a := c.post("/_sim/faults", `[{"kind":"status","match":"users","status":500}]`); a.err != nil || a.status != 200 {
		t.Errorf("POST: %d, %v", a.status, a.err)
	}
	if a := c.post("/_sim/faults", `[{"kind":"earthquake"}]`); a.err != nil || a.status != 400 {
		t.Errorf("bad POST: %d, %v", a.status, a.err)
	}
	if a := c.get("/v1.0/users"); a.status != 500 {
		t.Errorf("not in force: %d", a.status)
	}
	if a := c.get("/_sim/faults"); !strings.Contains(string(a.body), `"status":500`) {
		t.Errorf("%s", a.body)
	}
	if a := c.do(http.MethodDelete, "/_sim/faults", ""); a.status != 200 || c.get("/v1.0/users").status != 200 {
		t.Errorf("DELETE: %d", a.status)
	}
	var log struct {
		Counts   map[string]int     `json:"counts"`
		Requests []graphsim.Request `json:"requests"`
	}
	if err := json.Unmarshal(c.get("/_sim/requests").body, &log); err != nil || log.Counts["users"] != 2 || len(log.Requests) != 2 || log.Requests[0].Status != 500 {
		t.Errorf("%v %+v", err, log)
	}
	s.ResetRequests()
	if len(s.Requests()) != 0 || c.get("/_sim/other").status != 404 {
		t.Error("not reset")
	}
}

func TestThrottle(t *testing.T) {
	t.Parallel()
	s := start(t, func(c *graphsim.Config) { c.Throttle = true })
	c := newClient(t, s)
	path := "/v1.0/users/" + s.DemoUser().ID + "/chats"
	if a := c.get(path); a.status != 200 {
		t.Errorf("first: %d", a.status)
	}
	a := c.get(path)
	if code, _ := refusal(t, a); a.status != 429 || code != "TooManyRequests" || a.header.Get("Retry-After") != "1" {
		t.Errorf("second: %d %v", a.status, a.header)
	}
}

func TestTokenFault(t *testing.T) {
	t.Parallel()
	s := secure(t, func(c *graphsim.Config) {
		c.Faults = []faults.Fault{{Match: "token", Kind: faults.Status, Times: 1}}
	})
	cred := secretCredential(t, s, tenantA, "app-a", "secret-a")
	if _, err := bearer(t, cred, s.URL()+"/.default"); err == nil {
		t.Error("a token from a dead endpoint")
	}
	if _, err := bearer(t, cred, s.URL()+"/.default"); err != nil {
		t.Error(err)
	}
}
