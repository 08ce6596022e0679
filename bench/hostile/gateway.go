package main

import (
	"context"
	"errors"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/parley-gateway/parley/bench/process"
	"github.com/parley-gateway/parley/graphsim"
)

// gateway is one in a process of its own.
type gateway struct {
	*process.Gateway

	mu    sync.Mutex
	peak  int    // MiB
	ended string // why it was ended early
}

func startGateway(ctx context.Context, o options, graph *graph) (*gateway, error) {
	flags := append([]string{
		"--graph-credential=none", "--graph-url=" + graph.mail.URL, "--graph-tenant-id=" + graph.issuer.TenantID(),
		"--auth-mode=oidc", "--oidc-issuer=" + graph.issuer.CallerIssuer(), "--oidc-audience=" + graphsim.DemoAudience, "--oidc-ca-file=" + graph.file("ca"),
		"--policy-file=" + graph.file("policy"), "--audit-file=" + graph.file("audit"), "--log-level=error",
	}, strings.Fields(o.flags)...)
	at, err := process.Serve(ctx, o.parley, flags, "GOMEMLIMIT="+o.limit)
	if err != nil {
		return nil, err
	}
	return &gateway{Gateway: at}, nil
}

// close stops the gateway.
func (g *gateway) close() error {
	if err := g.Process.Signal(os.Interrupt); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	err := g.Wait()
	if g.ended != "" {
		return nil
	}
	return err
}

// look reads what the kernel counts as resident, and at most so far, in MiB.
func (g *gateway) look() (now int) {
	resident, peak := g.Resident()
	g.mu.Lock()
	defer g.mu.Unlock()
	g.peak = max(g.peak, int(peak))
	return int(resident)
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
			_ = g.Process.Kill()
			return
		}
	}
}
