package cli_test

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/parley-gateway/parley/internal/cli"
)

// asParley makes the test binary behave as parley: its arguments are a command line.
const asParley = "TEST_BINARY_IS_PARLEY"

func TestMain(m *testing.M) {
	if os.Getenv(asParley) != "" {
		ctx, stop := context.WithCancel(context.Background())
		go func() { // the parent ends this process by closing its standard input
			_, _ = io.Copy(io.Discard, os.Stdin)
			stop()
		}()
		os.Exit(cli.Run(ctx, os.Args[1:], os.Stdout, os.Stderr))
	}
	goleak.VerifyTestMain(m)
}

// process is a gateway in a process of its own, whose memory is nobody else's.
type process struct {
	http, grpc, admin string
	pid               int
	log               *lines
	client            *http.Client
}

// lines collects what a process writes.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

var readyLine = regexp.MustCompile(`is ready: gRPC (\S+), REST http://(\S+), admin http://(\S+)`)

// spawn starts `parley serve` over a Graph at a loopback URL, and waits until it is ready.
func spawn(t *testing.T, graph string, env []string, args ...string) *process {
	t.Helper()
	args = append([]string{
		"serve", "--graph-credential=none", "--graph-url=" + graph,
		"--grpc-addr=127.0.0.1:0", "--http-addr=127.0.0.1:0", "--admin-addr=127.0.0.1:0", "--log-level=warn",
		"--audit-file=" + filepath.Join(t.TempDir(), "audit"),
	}, args...)
	cmd := exec.CommandContext(context.Background(), os.Args[0], args...) // the test binary itself; the cleanup ends it
	cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "GOMEMLIMIT=") })
	cmd.Env = append(append(cmd.Env, env...), asParley+"=1")
	log := &lines{}
	cmd.Stderr = log
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ready, rest := "", bufio.NewReader(out)
	for !strings.Contains(ready, "\n") {
		line, err := rest.ReadString('\n')
		if ready += line; err != nil {
			t.Fatalf("the gateway ended: %v: %s", cmd.Wait(), log)
		}
	}
	at := readyLine.FindStringSubmatch(ready)
	if at == nil {
		t.Fatalf("ready line %q", ready)
	}
	p := &process{grpc: at[1], http: at[2], admin: at[3], pid: cmd.Process.Pid, log: log, client: &http.Client{Transport: &http.Transport{}}}
	t.Cleanup(func() {
		p.client.CloseIdleConnections()
		if err := in.Close(); err != nil {
			t.Error(err)
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("the gateway was killed or failed: %v: %s", err, log)
		}
	})
	return p
}

// metric is the value of a metric without labels.
func (p *process) metric(t *testing.T, name string) float64 {
	t.Helper()
	resp, err := p.client.Get("http://" + p.admin + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	_, after, found := strings.Cut(string(text), "\n"+name+" ")
	value, _, _ := strings.Cut(after, "\n")
	n, err := strconv.ParseFloat(value, 64)
	if !found || err != nil {
		t.Fatalf("metric %s is %q: %v", name, value, err)
	}
	return n
}
