package e2e_test

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/parley-gateway/parley/graphsim"
	"github.com/parley-gateway/parley/internal/config"
)

const proxyPassword = "proxy-pass-word"

// tunnel is a forward proxy that asks for a sign-in, opens tunnels and fetches what is asked in clear text. It dials other addresses
// in place of some, which nobody else can.
type tunnel struct {
	*httptest.Server

	mu      sync.Mutex
	instead map[string]string
	asked   map[string]int // by target
}

func newTunnel(t *testing.T) *tunnel {
	t.Helper()
	p := &tunnel{instead: map[string]string{}, asked: map[string]int{}}
	p.Server = httptest.NewServer(p)
	t.Cleanup(p.Close)
	return p
}

// url names the proxy, with the sign-in.
func (p *tunnel) url() string {
	return strings.Replace(p.URL, "://", "://parley:"+proxyPassword+"@", 1)
}

// to has requests for a free port of this machine go to an address.
func (p *tunnel) to(t *testing.T, address string) (target string) {
	t.Helper()
	target = unserved(t)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.instead[target] = address
	return target
}

// unserved returns an address of this machine that refuses connections until the test ends: its port is taken, and nobody listens.
func unserved(t *testing.T) string {
	t.Helper()
	syscall.ForkLock.RLock() // no program that another test starts inherits the socket
	socket, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err == nil {
		syscall.CloseOnExec(socket)
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Close(socket); err != nil {
			t.Error(err)
		}
	})
	if err := syscall.Bind(socket, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	bound, err := syscall.Getsockname(socket)
	if err != nil {
		t.Fatal(err)
	}
	at, ok := bound.(*syscall.SockaddrInet4)
	if !ok {
		t.Fatalf("bound to %v", bound)
	}
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(at.Port))
}

func (p *tunnel) count(target string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.asked[target]
}

func (p *tunnel) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Proxy-Authorization") != "Basic "+base64.StdEncoding.EncodeToString([]byte("parley:"+proxyPassword)) {
		w.WriteHeader(http.StatusProxyAuthRequired)
		return
	}
	p.mu.Lock()
	p.asked[r.Host]++
	address := r.Host
	if other, ok := p.instead[r.Host]; ok {
		address = other
	}
	p.mu.Unlock()
	if r.Method != http.MethodConnect {
		if r.URL.Scheme != "http" { // a proxy is told the whole target
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		out := r.Clone(r.Context())
		out.RequestURI, out.URL.Host = "", address
		out.Header.Del("Proxy-Authorization")
		resp, err := http.DefaultTransport.RoundTrip(out)
		if err != nil {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		defer resp.Body.Close()
		w.WriteHeader(resp.StatusCode)
		_, _ = io.Copy(w, resp.Body) // the client is gone if this fails
		return
	}
	var dialer net.Dialer
	far, err := dialer.DialContext(r.Context(), "tcp", address)
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	defer far.Close()
	w.WriteHeader(http.StatusOK)
	near, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer near.Close()
	var both sync.WaitGroup
	carry := func(to, from net.Conn) {
		_, _ = io.Copy(to, from) // the end of either side ends both
		_, _ = to.Close(), from.Close()
	}
	both.Go(func() { carry(far, near) })
	both.Go(func() { carry(near, far) })
	both.Wait()
}

// TestEverythingLeavesThroughTheProxy: Graph is at an address that only the proxy can reach, so that every answer came through it;
// so did the tokens and the keys of the token issuer.
func TestEverythingLeavesThroughTheProxy(t *testing.T) {
	t.Parallel()
	p := newTunnel(t)
	sim := simulated(t, graphsim.Config{Messages: 300, Interactions: 100, Calls: 5})
	own, err := rsa.GenerateKey(rand.Reader, 2048) // the issuer's keys are not those of Graph's tenant
	if err != nil {
		t.Fatal(err)
	}
	issuer := simulated(t, graphsim.Config{Messages: 10, Interactions: 10, Calls: 1, SigningKey: own})
	target := p.to(t, strings.TrimPrefix(sim.URL(), "https://"))
	settings := settingsFor(t, sim.URL(), sim.CACertPEM())
	settings.GraphURL = "https://" + target
	settings.ProxyURL, settings.GraphVersionUsage = p.url(), "beta"
	settings.AuthMode, settings.OIDCIssuer, settings.OIDCAudience, settings.OIDCCAFile = "oidc", issuer.CallerIssuer(), graphsim.DemoAudience, file(t, "issuer.pem", issuer.CACertPEM())
	settings.PolicyFile = filepath.Join("..", "..", "docs", "policies", "entra-app-roles.yaml")
	settings.AuditFile = filepath.Join(t.TempDir(), "audit")
	g := &guarded{sim: issuer, log: &shared{}, records: settings.AuditFile}
	running := started(t, settings, slog.NewTextHandler(g.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	g.base, g.admin, g.http = "http://"+running.Addrs().HTTP, "http://"+running.Addrs().Admin, webClient(t)

	token := g.token(t, graphsim.CallerToken{Roles: []string{"Conversations.Export.All", "Usage.Read.All", "Conversations.Read.All"}})
	for _, path := range []string{
		"/v1/users/" + demo(sim) + "/events?sources=SOURCE_CHAT&startTime=" + day(2), "/v1/users/" + demo(sim) + "/events?sources=SOURCE_COPILOT&startTime=" + day(2),
	} {
		if status, reason, body := g.ask(t, token, path); status != http.StatusOK {
			t.Errorf("%s: HTTP %d %s %.400s", path, status, reason, body)
		}
	}
	if p.count(target) == 0 {
		t.Error("Graph was not asked through the proxy")
	}
	for what, address := range map[string]string{"the login service": sim.URL(), "the issuer's keys": issuer.URL()} {
		if p.count(strings.TrimPrefix(address, "https://")) == 0 {
			t.Errorf("%s were not asked for through the proxy", what)
		}
	}
	for where, text := range g.written(t) {
		if strings.Contains(text, proxyPassword) {
			t.Errorf("the proxy's password is in the %s", where)
		}
	}
}

// TestReportsLeaveThroughTheProxy: the redirected report is fetched through the proxy too.
func TestReportsLeaveThroughTheProxy(t *testing.T) {
	t.Parallel()
	p := newTunnel(t)
	g := serve(t, graphsim.Config{}, func(s *config.Settings) { s.GraphVersionUsage, s.ProxyURL = "beta", p.url() })
	if status, body := g.get(t, "/v1/copilotUsage:download?period=D7", nil); status != http.StatusOK {
		t.Fatalf("HTTP %d %s", status, body)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.asked) < 2 { // Graph and the host of reports
		t.Errorf("asked through the proxy: %v", p.asked)
	}
}

// TestClearTextThroughTheProxy: a Graph in clear text, on this machine, is asked through the proxy by its whole address, unless
// NO_PROXY names it, which is read when the gateway starts.
func TestClearTextThroughTheProxy(t *testing.T) {
	p := newTunnel(t)
	graph := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"value":[]}`) // the gateway is gone if this fails
	}))
	t.Cleanup(graph.Close)
	t.Cleanup(http.DefaultTransport.(*http.Transport).CloseIdleConnections)
	host := strings.TrimPrefix(graph.URL, "http://")
	for list, want := range map[string]bool{"": true, "graph.microsoft.com": true, host: false, "127.0.0.0/8": false} {
		t.Setenv("NO_PROXY", list)
		settings := defaults(t)
		settings.GraphURL, settings.GraphCredential, settings.ProxyURL = graph.URL, "none", p.url()
		g := over(t, nil, settings)
		before := p.count(host)
		if status, body := g.get(t, "/v1/users?pageSize=1", nil); status != http.StatusOK {
			t.Errorf("NO_PROXY=%s: HTTP %d %s", list, status, body)
		}
		if through := p.count(host) > before; through != want {
			t.Errorf("NO_PROXY=%s: through the proxy: %t, want %t", list, through, want)
		}
	}
}

// TestProxyTroubleIsNamedAsTheCause: a proxy that is not reached, or that refuses, is named as the cause.
func TestProxyTroubleIsNamedAsTheCause(t *testing.T) {
	t.Parallel()
	p := newTunnel(t)
	nobody := p.to(t, "")
	for name, proxy := range map[string]string{"not reached": "http://" + nobody, "refuses the sign-in": p.URL} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := serve(t, graphsim.Config{Messages: 10, Interactions: 10, Calls: 1}, func(s *config.Settings) { s.ProxyURL = proxy })
			status, body := g.get(t, "/v1/users/"+demo(g.sim)+"/events?sources=SOURCE_CHAT&startTime="+day(2), nil)
			if status != http.StatusServiceUnavailable || reason(t, body) != "GRAPH_UNAVAILABLE" ||
				!strings.Contains(string(body), `"cause":"proxy"`) || !strings.Contains(string(body), "login service") {
				t.Errorf("HTTP %d %s", status, body)
			}
		})
	}
}
