package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/parley-gateway/parley/graphsim"
)

// gateway is one in a process of its own.
type gateway struct {
	http string
	cmd  *exec.Cmd

	mu    sync.Mutex
	peak  int    // MiB
	ended string // why it was ended early
}

var readyLine = regexp.MustCompile(`is ready: gRPC \S+, REST http://(\S+), admin`)

func startGateway(ctx context.Context, o options, graph *graph) (*gateway, error) {
	args := append([]string{
		"serve", "--graph-credential=none", "--graph-url=" + graph.mail.URL, "--graph-tenant-id=" + graph.issuer.TenantID(),
		"--auth-mode=oidc", "--oidc-issuer=" + graph.issuer.CallerIssuer(), "--oidc-audience=" + graphsim.DemoAudience, "--oidc-ca-file=" + graph.file("ca"),
		"--policy-file=" + graph.file("policy"), "--audit-file=" + graph.file("audit"), "--log-level=error",
		"--grpc-addr=127.0.0.1:0", "--http-addr=127.0.0.1:0", "--admin-addr=127.0.0.1:0",
	}, strings.Fields(o.flags)...)
	cmd := exec.CommandContext(ctx, o.parley, args...) //nolint:gosec // whoever runs this says which binary
	cmd.Env = append(os.Environ(), "GOMEMLIMIT="+o.limit)
	cmd.Stderr = os.Stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = time.Minute
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if at := readyLine.FindStringSubmatch(lines.Text()); at != nil {
			return &gateway{http: at[1], cmd: cmd}, nil
		}
	}
	return nil, errors.Join(errors.New("the gateway did not start"), cmd.Wait())
}

// close stops the gateway.
func (g *gateway) close() error {
	if err := g.cmd.Process.Signal(os.Interrupt); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	err := g.cmd.Wait()
	if g.ended != "" {
		return nil
	}
	return err
}

// look reads what the kernel counts as resident, and at most so far, in MiB.
func (g *gateway) look() (now int) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", g.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	read := func(name string) int {
		_, after, _ := strings.Cut(string(status), "\n"+name+":")
		kib, err := strconv.Atoi(strings.TrimSpace(strings.SplitN(strings.TrimSpace(after), " ", 2)[0]))
		if err != nil {
			return 0
		}
		return kib >> 10
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.peak = max(g.peak, read("VmHWM"))
	return read("VmRSS")
}

// watch ends the gateway when it takes more than the machine is to give.
func (g *gateway) watch(ctx context.Context, most int) {
	for tick := time.NewTicker(100 * time.Millisecond); ; {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if g.look() > most {
			g.mu.Lock()
			g.ended = ", ended there"
			g.mu.Unlock()
			_ = g.cmd.Process.Kill()
			return
		}
	}
}
