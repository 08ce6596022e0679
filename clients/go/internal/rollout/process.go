package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Times of a replica that is told to stop: how long it still takes connections, and how long it may take to end.
const (
	shutdownDelay   = "2s"
	shutdownTimeout = "60s"
)

// pollEvery is how often a replica is asked whether it is ready.
const pollEvery = 20 * time.Millisecond

// process is a program that runs until it is told to stop.
type process struct {
	cmd    *exec.Cmd
	output *output
	done   chan struct{} // closed when it has ended
	err    error         // of its end, once done is closed
}

// output collects what a process writes, and finds lines in it.
type output struct {
	mu      sync.Mutex
	text    strings.Builder
	changed chan struct{}
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	close(o.changed)
	o.changed = make(chan struct{})
	return o.text.Write(p)
}

func (o *output) read() (text string, changed <-chan struct{}) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String(), o.changed
}

// run starts a program with an environment that holds nothing of this process's but its path.
func run(ctx context.Context, binary string, env []string, args ...string) (*process, error) {
	cmd := exec.CommandContext(ctx, binary, args...) //nolint:gosec // the binary is the one to be tried
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.TempDir()}, env...)
	p := &process{cmd: cmd, output: &output{changed: make(chan struct{})}, done: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = p.output, p.output
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		defer close(p.done)
		p.err = cmd.Wait()
	}()
	return p, nil
}

// find waits until the process has written something that matches, and returns the groups.
func (p *process) find(ctx context.Context, pattern *regexp.Regexp) ([]string, error) {
	for {
		text, changed := p.output.read()
		if found := pattern.FindStringSubmatch(text); found != nil {
			return found, nil
		}
		select {
		case <-changed:
		case <-p.done:
			return nil, fmt.Errorf("%s ended: %w: %s", p.cmd.Path, p.err, text)
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// terminate sends SIGTERM.
func (p *process) terminate() error { return p.cmd.Process.Signal(syscall.SIGTERM) }

// wait waits for the end, which must be one in order.
func (p *process) wait(ctx context.Context) error {
	select {
	case <-p.done:
	case <-ctx.Done():
		return ctx.Err()
	}
	if p.err != nil {
		text, _ := p.output.read()
		return fmt.Errorf("%s ended: %w: %s", p.cmd.Path, p.err, text)
	}
	return nil
}

// kill ends the process, if it still runs, and waits for it.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.done
}

// replica is a gateway in a process of its own.
type replica struct {
	*process

	addrs [ports]string
	ready atomic.Bool

	stopPolling context.CancelFunc
	polling     sync.WaitGroup
	changes     chan bool // each change of ready
}

var readyLine = regexp.MustCompile(`is ready: gRPC (\S+), REST http://(\S+), admin`)

// newReplica starts a gateway over a Graph and waits until it is ready. Replicas with one folder have their keys of tokens in common.
func newReplica(ctx context.Context, binary, graph, folder string) (*replica, error) {
	p, err := run(ctx, binary, []string{
		"PARLEY_GRAPH_URL=" + graph, "PARLEY_GRAPH_CREDENTIAL=none",
		"PARLEY_GRPC_ADDR=127.0.0.1:0", "PARLEY_HTTP_ADDR=127.0.0.1:0", "PARLEY_ADMIN_ADDR=127.0.0.1:0",
		"PARLEY_SEAL_KEYS_FILE=" + filepath.Join(folder, keysFile), "PARLEY_LOG_LEVEL=warn",
		"PARLEY_SHUTDOWN_DELAY=" + shutdownDelay, "PARLEY_SHUTDOWN_TIMEOUT=" + shutdownTimeout,
	}, "serve")
	if err != nil {
		return nil, err
	}
	at, err := p.find(ctx, readyLine)
	if err != nil {
		p.kill()
		return nil, err
	}
	r := &replica{process: p, addrs: [ports]string{portGRPC: at[1], portREST: at[2]}, changes: make(chan bool, 16)}
	polling, stop := context.WithCancel(ctx)
	r.stopPolling = stop
	r.polling.Go(func() { r.poll(polling) })
	if err := r.awaitReady(ctx); err != nil {
		r.end()
		return nil, err
	}
	return r, nil
}

// poll asks whether the replica is ready until ctx ends.
func (r *replica) poll(ctx context.Context) {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+r.addrs[portREST]+"/readyz", http.NoBody)
		if err != nil {
			return
		}
		ready := false
		if answer, err := client.Do(request); err == nil {
			ready = answer.StatusCode == http.StatusOK
			_ = answer.Body.Close()
		}
		if r.ready.Swap(ready) != ready {
			select {
			case r.changes <- ready:
			case <-ctx.Done():
				return
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// awaitReady waits until the replica says that it is ready.
func (r *replica) awaitReady(ctx context.Context) error {
	for {
		select {
		case ready := <-r.changes:
			if ready {
				return nil
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// end ends the replica and the poll, whatever state they are in.
func (r *replica) end() {
	r.kill()
	r.stopPolling()
	r.polling.Wait()
}

var graphLine = regexp.MustCompile(`Microsoft Graph simulator: (http://\S+)`)

// newGraph starts a simulator of Graph.
func newGraph(ctx context.Context, binary string) (*process, string, error) {
	p, err := run(ctx, binary, nil, "sim", "--plain", "--sim-addr", "127.0.0.1:0", "--seed", "7", "--users", "6", "--messages", "2500")
	if err != nil {
		return nil, "", err
	}
	at, err := p.find(ctx, graphLine)
	if err != nil {
		p.kill()
		return nil, "", err
	}
	return p, at[1], nil
}

// lines reads lines of any length.
func lines(from io.Reader, each func(line []byte) error) error {
	reader := bufio.NewReader(from)
	for {
		line, err := reader.ReadBytes('\n')
		if len(line) > 1 {
			if err := each(line); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
