package graphsim_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/parley-gateway/parley/graphsim"
)

// testNow is a Thursday afternoon.
var testNow = time.Date(2026, 11, 19, 15, 30, 0, 0, time.UTC)

// signingKey is the key of all simulators that a test gives none of its own.
var signingKey = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

// start runs a plain simulator with a standing clock. Its tenant is smaller than the default one, and holds the same kinds of records.
func start(t *testing.T, change func(*graphsim.Config)) *graphsim.Sim {
	t.Helper()
	cfg := graphsim.Config{Seed: 7, Plain: true, Now: func() time.Time { return testNow }, Messages: 4000, Interactions: 1000, Calls: 200}
	if change != nil {
		change(&cfg)
	}
	if cfg.SigningKey == nil {
		key, err := signingKey()
		if err != nil {
			t.Fatal(err)
		}
		cfg.SigningKey = key
	}
	s, err := graphsim.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
		defer cancel()
		if err := s.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	return s
}

// client speaks to a simulator without following redirects.
type client struct {
	t      *testing.T
	sim    *graphsim.Sim
	http   *http.Client
	header http.Header
}

func newClient(t *testing.T, s *graphsim.Sim) *client {
	t.Helper()
	tr := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: s.CertPool(), MinVersion: tls.VersionTLS12}, ForceAttemptHTTP2: true}
	t.Cleanup(tr.CloseIdleConnections)
	return &client{t: t, sim: s, header: http.Header{}, http: &http.Client{
		Transport:     tr,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

func (c *client) with(name, value string) *client {
	d := *c
	d.header = c.header.Clone()
	d.header.Set(name, value)
	return &d
}

type answer struct {
	status int
	header http.Header
	body   []byte
	err    error // of reading the body
}

func (c *client) do(method, target, body string) answer {
	c.t.Helper()
	if !strings.HasPrefix(target, "http") {
		target = c.sim.URL() + target
	}
	req, err := http.NewRequestWithContext(c.t.Context(), method, target, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	req.Header = c.header.Clone()
	resp, err := c.http.Do(req)
	if err != nil {
		return answer{err: err}
	}
	got, err := io.ReadAll(resp.Body)
	if closeErr := resp.Body.Close(); err == nil {
		err = closeErr
	}
	return answer{status: resp.StatusCode, header: resp.Header, body: got, err: err}
}

func (c *client) get(target string) answer { c.t.Helper(); return c.do(http.MethodGet, target, "") }

func (c *client) post(target, body string) answer {
	c.t.Helper()
	return c.do(http.MethodPost, target, body)
}

// signIn sends a form to the token endpoint of tenant A and reads the JSON of the answer into into.
func (c *client) signIn(form url.Values, into any) answer {
	c.t.Helper()
	a := c.with("Content-Type", "application/x-www-form-urlencoded").post("/"+tenantA+"/oauth2/v2.0/token", form.Encode())
	if err := json.Unmarshal(a.body, into); a.err != nil || err != nil {
		c.t.Fatal(a.err, err)
	}
	return a
}

type row = map[string]any

type page struct {
	Context string `json:"@odata.context"`
	Count   int    `json:"@odata.count"`
	Next    string `json:"@odata.nextLink"`
	Value   []row  `json:"value"`
}

func (c *client) page(target string) page {
	c.t.Helper()
	p, _ := c.pageText(target)
	return p
}

// pageText is page with the text of the answer.
func (c *client) pageText(target string) (p page, body string) {
	c.t.Helper()
	a := c.get(target)
	if a.status != http.StatusOK {
		c.t.Fatalf("GET %s: %d %s", target, a.status, a.body)
	}
	if err := json.Unmarshal(a.body, &p); err != nil {
		c.t.Fatalf("GET %s: %v", target, err)
	}
	return p, string(a.body)
}

func (c *client) entity(target string) row {
	c.t.Helper()
	a := c.get(target)
	if a.status != http.StatusOK {
		c.t.Fatalf("GET %s: %d %s", target, a.status, a.body)
	}
	var r row
	if err := json.Unmarshal(a.body, &r); err != nil {
		c.t.Fatalf("GET %s: %v", target, err)
	}
	return r
}

// all follows the links to the end.
func (c *client) all(target string) (rows []row, pages int) {
	c.t.Helper()
	for target != "" {
		p := c.page(target)
		rows = append(rows, p.Value...)
		target = p.Next
		if pages++; pages > 3000 {
			c.t.Fatal("the walk does not end")
		}
	}
	return rows, pages
}

// refusal is the error body of an answer.
func refusal(t *testing.T, a answer) (code, message string) {
	t.Helper()
	var e struct {
		Error struct {
			Code       string            `json:"code"`
			Message    string            `json:"message"`
			InnerError map[string]string `json:"innerError"`
		} `json:"error"`
	}
	if err := json.Unmarshal(a.body, &e); err != nil {
		t.Fatalf("error body %q: %v", a.body, err)
	}
	for _, k := range []string{"date", "request-id", "client-request-id"} {
		if e.Error.InnerError[k] == "" {
			t.Errorf("innerError has no %s", k)
		}
	}
	return e.Error.Code, e.Error.Message
}

func filter(f string, args ...any) string {
	return "$filter=" + url.QueryEscape(fmt.Sprintf(f, args...))
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

// text is a string member, by path.
func text(r row, path ...string) string {
	for _, p := range path[:len(path)-1] {
		r, _ = r[p].(row)
	}
	s, _ := r[path[len(path)-1]].(string)
	return s
}
