package e2e_test

import (
	"bufio"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/parley-gateway/parley"
	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/graphsim"
	"github.com/parley-gateway/parley/internal/config"
)

// waiting is how many tests run at a time unless -parallel says otherwise. Most of their time they wait for the budgets of requests to
// Graph, so there may be more of them than processors.
const waiting = 6

func TestMain(m *testing.M) {
	flag.Parse()
	if flag.Lookup("test.parallel").Value.String() == strconv.Itoa(runtime.GOMAXPROCS(0)) {
		if err := flag.Set("test.parallel", strconv.Itoa(waiting)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	goleak.VerifyTestMain(m)
}

// tenantUnderTest is a gateway over a simulator, both on free ports.
type tenantUnderTest struct {
	sim   *graphsim.Sim
	base  string // of REST
	admin string // of metrics
	conn  *grpc.ClientConn
	http  *http.Client
}

// serve starts a simulator and a gateway that signs in to it by client secret.
func serve(t *testing.T, simulator graphsim.Config, change func(*config.Settings)) *tenantUnderTest {
	t.Helper()
	sim := simulated(t, simulator)
	settings := settingsFor(t, sim.URL(), sim.CACertPEM())
	if change != nil {
		change(&settings)
	}
	return over(t, sim, settings)
}

// over starts a gateway with the given settings.
func over(t *testing.T, sim *graphsim.Sim, settings config.Settings) *tenantUnderTest {
	t.Helper()
	return overLogging(t, sim, settings, slog.DiscardHandler)
}

// overLogging is over with the gateway's log.
func overLogging(t *testing.T, sim *graphsim.Sim, settings config.Settings, log slog.Handler) *tenantUnderTest {
	t.Helper()
	running := started(t, settings, log)
	return &tenantUnderTest{
		sim: sim, base: "http://" + running.Addrs().HTTP, admin: "http://" + running.Addrs().Admin, conn: dialGRPC(t, running.Addrs().GRPC), http: webClient(t),
	}
}

// signingKey is the key of all simulators that a test gives none of its own.
var signingKey = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

// present is the clock of the records of all simulators: no record appears between two readings of a test.
var present = time.Now()

// simulated starts a simulator.
func simulated(t *testing.T, cfg graphsim.Config) *graphsim.Sim {
	t.Helper()
	if cfg.SigningKey == nil {
		key, err := signingKey()
		if err != nil {
			t.Fatal(err)
		}
		cfg.SigningKey = key
	}
	if cfg.Now == nil {
		cfg.StandsAt = present
	}
	sim, err := graphsim.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := sim.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closed(t, sim.Close) })
	return sim
}

// started starts a gateway.
func started(t *testing.T, settings config.Settings, log slog.Handler) *parley.Gateway {
	t.Helper()
	if err := settings.Check(); err != nil {
		t.Fatal(err)
	}
	running, err := settings.NewGateway(parley.Config{Logger: slog.New(log), Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	if err := running.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closed(t, running.Close) })
	return running
}

// defaults are the settings of a gateway on free ports, which grants far deadlines.
func defaults(t *testing.T) config.Settings {
	t.Helper()
	settings, err := config.Defaults()
	if err != nil {
		t.Fatal(err)
	}
	settings.GRPCAddr, settings.HTTPAddr, settings.AdminAddr = "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0"
	settings.MaxDeadline = farDeadline
	settings.AuditFile = os.DevNull // Of a test that fails, no audit records hide the reason.
	return settings
}

// settingsFor are what an operator would set for the first tenant of the simulator at this address, with its CA's certificate.
func settingsFor(t *testing.T, graph string, ca []byte) config.Settings {
	t.Helper()
	settings := defaults(t)
	settings.GraphURL, settings.GraphAuthorityURL = graph, graph
	settings.GraphCAFile = file(t, "ca.pem", ca)
	settings.GraphCredential, settings.GraphClientSecretFile = "client-secret", file(t, "secret", []byte(graphsim.DemoClientSecret))
	settings.GraphTenantID, settings.GraphClientID = graphsim.DemoTenantID, graphsim.DemoClientID
	return settings
}

func file(t *testing.T, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func closed(t *testing.T, stop func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := stop(ctx); err != nil {
		t.Error(err)
	}
}

// get asks REST and decodes a JSON answer into into, which may be nil. It returns the HTTP status and the body.
func (g *tenantUnderTest) get(t *testing.T, path string, into proto.Message) (int, []byte) {
	t.Helper()
	answer := g.open(t, path)
	body, err := io.ReadAll(answer.Body)
	if err := errors.Join(err, answer.Body.Close()); err != nil {
		t.Fatal(err)
	}
	if into != nil && answer.StatusCode == http.StatusOK {
		if err := protojson.Unmarshal(body, into); err != nil {
			t.Fatalf("%s: %v in %.300s", path, err, body)
		}
	}
	return answer.StatusCode, body
}

func (g *tenantUnderTest) open(t *testing.T, path string) *http.Response {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, g.base+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := g.http.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

// metric is the value of one line of /metrics, "" when there is none.
func (g *tenantUnderTest) metric(t *testing.T, line string) string {
	t.Helper()
	metrics := *g
	metrics.base = g.admin
	status, body := metrics.get(t, "/metrics", nil)
	if status != http.StatusOK {
		t.Fatalf("metrics: HTTP %d", status)
	}
	for have := range strings.Lines(string(body)) {
		if value, ok := strings.CutPrefix(have, line+" "); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// read asks REST for a form of an answer, which must be 200, and returns the body.
func (g *tenantUnderTest) read(t *testing.T, path, accept string) []byte {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, g.base+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Accept", accept)
	answer, err := g.http.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(answer.Body)
	if err := errors.Join(err, answer.Body.Close()); err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("%s: HTTP %d %v %.600s", path, answer.StatusCode, err, body)
	}
	return body
}

// reason is the ErrorInfo reason of an error body.
func reason(t *testing.T, body []byte) string {
	t.Helper()
	var status struct {
		Details []struct {
			Reason string `json:"reason"`
		} `json:"details"`
	}
	if err := json.Unmarshal(body, &status); err != nil {
		t.Fatalf("not an error body: %.300s", body)
	}
	for _, detail := range status.Details {
		if detail.Reason != "" {
			return detail.Reason
		}
	}
	return ""
}

// stream reads an NDJSON stream to its end.
func (g *tenantUnderTest) stream(t *testing.T, path string) (events []*parleyv1.Event, summary *parleyv1.Summary) {
	t.Helper()
	answer := g.open(t, path)
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		body, err := io.ReadAll(answer.Body)
		t.Fatalf("%s: HTTP %d %s %v", path, answer.StatusCode, body, err)
	}
	lines := bufio.NewScanner(answer.Body)
	lines.Buffer(nil, 8<<20)
	for lines.Scan() {
		var frame parleyv1.StreamEventsResponse
		if err := protojson.Unmarshal(lines.Bytes(), &frame); err != nil {
			t.Fatalf("%v in %.300s", err, lines.Bytes())
		}
		events = append(events, frame.GetBatch().GetEvents()...)
		if frame.GetSummary() != nil {
			summary = frame.GetSummary()
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return events, summary
}

// day is midnight UTC that many days ago, as a query value.
func day(ago int) string {
	return url.QueryEscape(time.Now().UTC().AddDate(0, 0, -ago).Format("2006-01-02T00:00:00Z"))
}
