package parley_test

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/parley-gateway/parley"
	"github.com/parley-gateway/parley/graphsim"
)

// The library of the shared store refreshes its view of a cluster in goroutines that end by themselves within seconds. Toxiproxy leaves the
// goroutines of connections that it has broken.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		goleak.IgnoreAnyFunction("github.com/redis/rueidis.(*call).DelayDo.func1"),
		goleak.IgnoreAnyFunction("github.com/redis/rueidis.(*clusterClient)._refresh.func2"),
		goleak.IgnoreAnyFunction("github.com/Shopify/toxiproxy/v2.(*ToxicLink).read"),
		goleak.IgnoreAnyFunction("github.com/Shopify/toxiproxy/v2.(*ToxicLink).write"),
		goleak.IgnoreAnyFunction("github.com/Shopify/toxiproxy/v2/toxics.(*ToxicStub).Run"))
}

// simulated starts a small simulator that asks for no token.
func simulated(t *testing.T, seed uint64) *graphsim.Sim {
	t.Helper()
	sim, err := graphsim.New(graphsim.Config{Plain: true, Seed: seed, Users: 3, Chats: 4, Messages: 20, Interactions: 20, Calls: 5})
	if err != nil {
		t.Fatal(err)
	}
	if err := sim.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { end(t, sim.Close) })
	return sim
}

// over returns a configuration of a gateway over a simulator.
func over(t *testing.T, sim *graphsim.Sim) parley.Config {
	t.Helper()
	return parley.Config{
		Tenants:   map[string]parley.Tenant{"sim": {BaseURL: sim.URL(), Credential: "none"}},
		AuditFile: filepath.Join(t.TempDir(), "audit"),
	}
}

// started starts a gateway.
func started(t *testing.T, cfg parley.Config) *parley.Gateway {
	t.Helper()
	gateway, err := parley.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := gateway.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { end(t, gateway.Close) })
	return gateway
}

func end(t *testing.T, stop func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	if err := stop(ctx); err != nil {
		t.Error(err)
	}
}

// get returns the body of an answer, which must be 200.
func get(t *testing.T, url string) string {
	t.Helper()
	transport := &http.Transport{DisableKeepAlives: true}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(answer.Body)
	if err := errors.Join(err, answer.Body.Close()); err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("%s: HTTP %d, %v: %.300s", url, answer.StatusCode, err, body)
	}
	return string(body)
}

// TestTwoGatewaysRunInOneProcess runs two gateways in one process, with listeners and a registry of the test's own: each serves its own tenant, ends
// without the other, and takes its metrics with it.
func TestTwoGatewaysRunInOneProcess(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	users, gateways := make([]string, 2), make([]*parley.Gateway, 2)
	for i := range users {
		sim := simulated(t, uint64(i+1))
		cfg := over(t, sim)
		cfg.Registerer = prometheus.WrapRegistererWith(prometheus.Labels{"gateway": string(rune('a' + i))}, registry)
		for _, at := range []*parley.Listener{&cfg.GRPC, &cfg.HTTP, &cfg.Admin} {
			var config net.ListenConfig
			var err error
			if at.Listener, err = config.Listen(t.Context(), "tcp", "127.0.0.1:0"); err != nil {
				t.Fatal(err)
			}
		}
		gateway, err := parley.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		if err := gateway.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		addrs := gateway.Addrs()
		if want := (parley.Addrs{GRPC: cfg.GRPC.Listener.Addr().String(), HTTP: cfg.HTTP.Listener.Addr().String(), Admin: cfg.Admin.Listener.Addr().String()}); addrs != want {
			t.Errorf("serves at %+v, want %+v", addrs, want)
		}
		users[i] = firstUser(t, addrs)
		gateways[i] = gateway
	}
	if users[0] == users[1] {
		t.Errorf("two tenants have the same first user: %s", users[0])
	}
	if have := calls(t, registry); !slices.Equal(have, []string{"a", "b"}) {
		t.Errorf("metrics of gateways %v, want a and b", have)
	}
	end(t, gateways[0].Close)
	if have := firstUser(t, gateways[1].Addrs()); have != users[1] {
		t.Errorf("the second gateway serves %s, want %s", have, users[1])
	}
	if have := calls(t, registry); !slices.Equal(have, []string{"b"}) {
		t.Errorf("metrics of gateways %v, want b", have)
	}
	end(t, gateways[1].Close)
}

// firstUser returns the first user that a gateway lists.
func firstUser(t *testing.T, at parley.Addrs) string {
	t.Helper()
	user, _, _ := strings.Cut(get(t, "http://"+at.HTTP+"/v1/users?pageSize=1"), `,"nextPageToken"`)
	return user
}

// calls returns the gateways that a registry has calls of.
func calls(t *testing.T, registry *prometheus.Registry) []string {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			for _, label := range metric.GetLabel() {
				if family.GetName() == "parley_requests_total" && label.GetName() == "gateway" {
					found = append(found, label.GetValue())
				}
			}
		}
	}
	return found
}

// TestMetricsOfTheProcess checks that an embedder's registry gets the gateway's metrics, and the admin listener those of the process
// too.
func TestMetricsOfTheProcess(t *testing.T) {
	t.Parallel()
	cfg := over(t, simulated(t, 1))
	registry := prometheus.NewRegistry()
	cfg.Registerer, cfg.Version = registry, "v1.2.3"
	gateway := started(t, cfg)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if !strings.HasPrefix(family.GetName(), "parley_") {
			t.Errorf("the embedder's registry has %s", family.GetName())
		}
	}
	page := get(t, "http://"+gateway.Addrs().Admin+"/metrics")
	for _, line := range []string{`parley_build_info{go_version=`, `version="v1.2.3"`, "go_goroutines ", "process_open_fds "} {
		if !strings.Contains(page, line) {
			t.Errorf("/metrics lacks %s", line)
		}
	}
	// One registry holds one gateway's metrics; what New made for a second one is closed.
	second := over(t, simulated(t, 2))
	second.Registerer = registry
	if _, err := parley.New(second); err == nil {
		t.Error("two gateways have the same metrics in one registry")
	}
}

// TestAllMistakesOfAConfigAreReported checks that all mistakes are reported at once, each with the path of its field, and that nothing is left running.
func TestAllMistakesOfAConfigAreReported(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	absent := filepath.Join(folder, "absent")
	const id = "8a6d5c1e-0f1b-4e7a-b1a5-6a2f3c4d5e6f"
	for name, c := range map[string]struct {
		cfg  parley.Config
		want []string
	}{
		"nothing": {parley.Config{}, []string{"Tenants"}},
		"many": {parley.Config{
			SealKeysFile: absent, PolicyFile: write("policy.yaml", "rules: 1\n"), CORSOrigins: []string{"*"}, MemoryLimit: 100, Cache: parley.Cache{Bytes: 51},
			OIDC: &parley.OIDC{Issuer: "http://plain.example", Programs: "x"},
			TLS:  parley.TLS{CertFile: absent, KeyFile: absent},
			Tenants: map[string]parley.Tenant{
				"Big": {ID: id, Credential: "client-secret"},
				"one": {ID: strings.ToUpper(id), Version: "v2", Credential: "none", BaseURL: "http://127.0.0.1:1/v1.0"},
				"two": {ID: "two", Cloud: "mars", Model: "C"},
			},
		}, []string{
			"Tenants[Big]", "Tenants[one].ID", "Tenants[one].Version", "Tenants[two].ID", "Tenants[two].Model", "TLS.CertFile", "TLS.KeyFile",
			"PolicyFile", "OIDC.Audiences", "CORSOrigins", "Cache.Bytes", "SealKeysFile", "Tenants[Big].ClientSecretFile", "Tenants[one].BaseURL", "Tenants[two].Cloud",
		}},
		"open doors": {parley.Config{
			HTTP:    parley.Listener{Addr: "0.0.0.0:0"},
			Tenants: map[string]parley.Tenant{"a": {BaseURL: "http://127.0.0.1:1", Credential: "none"}},
		}, []string{"HTTP.Addr"}},
		"no policy": {parley.Config{
			OIDC:    &parley.OIDC{Issuer: "https://id.example", Audiences: []string{"api://parley"}},
			Tenants: map[string]parley.Tenant{"a": {BaseURL: "http://127.0.0.1:1", Credential: "none"}},
		}, []string{"PolicyFile"}},
	} {
		for how, err := range map[string]error{"Check": parley.Check(c.cfg), "New": errorOf(parley.New(c.cfg))} {
			var have []string
			for _, wrong := range parley.ConfigErrors(err) {
				have = append(have, wrong.Field)
				if wrong.Problem == "" || wrong.Error() != wrong.Field+": "+wrong.Problem {
					t.Errorf("%s, %s: %q", name, how, wrong)
				}
			}
			if diff := cmp.Diff(c.want, have); diff != "" {
				t.Errorf("%s, %s (-want +have):\n%s%v", name, how, diff, err)
			}
		}
	}
	_, err := parley.New(parley.Config{SealKeysFile: absent, Tenants: map[string]parley.Tenant{"a": {BaseURL: "http://127.0.0.1:1", Credential: "none"}}})
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v does not lead to its cause", err)
	}
}

func errorOf(_ *parley.Gateway, err error) error { return err }

// TestATakenAddressIsNamed checks that Start names the listener that could not be opened and closes the gateway.
func TestATakenAddressIsNamed(t *testing.T) {
	t.Parallel()
	var config net.ListenConfig
	taken, err := config.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	cfg := over(t, simulated(t, 1))
	cfg.Admin.Addr = taken.Addr().String()
	gateway, err := parley.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	found := parley.ConfigErrors(gateway.Start(t.Context()))
	if len(found) != 1 || found[0].Field != "Admin.Addr" {
		t.Errorf("%v, want the error of Admin.Addr", found)
	}
}

// TestRESTIsServedOnAUnixSocket serves REST on a socket that no other machine can reach.
func TestRESTIsServedOnAUnixSocket(t *testing.T) {
	t.Parallel()
	cfg := over(t, simulated(t, 1))
	var config net.ListenConfig
	var err error
	if cfg.HTTP.Listener, err = config.Listen(t.Context(), "unix", filepath.Join(t.TempDir(), "http")); err != nil {
		t.Fatal(err)
	}
	at := started(t, cfg).Addrs().HTTP
	var dialer net.Dialer
	transport := &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return dialer.DialContext(ctx, "unix", at)
	}}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://localhost/readyz", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		t.Errorf("HTTP %d", answer.StatusCode)
	}
}
