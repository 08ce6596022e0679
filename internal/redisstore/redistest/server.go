// Package redistest runs servers of Redis and Valkey in processes of their own for tests: alone or as a cluster, in clear text or over TLS.
// Ports are free ones, and nothing listens outside loopback.
package redistest

import (
	"bufio"
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/rueidis"
)

// Programs, as the PATH has them.
const (
	Redis  = "redis-server"
	Valkey = "valkey-server"
)

// Options describe a server.
type Options struct {
	// Program is its name; "" = Redis.
	Program string
	// Args are more of its settings.
	Args []string
	// Authority signs its certificate; nil = clear text.
	Authority *Authority
}

// Server is a server in a process of its own. It ends with the test.
type Server struct {
	// Addr is its host and port.
	Addr string

	options Options
	bus     string // port of a cluster's own connections; "" = it is alone
	process *os.Process
	kill    func()
}

// Start starts a server, and returns when it takes connections.
func Start(t *testing.T, options Options) *Server {
	t.Helper()
	return start(t, options, false)
}

const host = "127.0.0.1"

// start tries again while somebody else takes the port that was free: a server ends then.
func start(t *testing.T, options Options, cluster bool) *Server {
	t.Helper()
	if options.Program == "" {
		options.Program = Redis
	}
	for t.Context().Err() == nil {
		s := &Server{options: options}
		port := freePort(t)
		s.Addr = net.JoinHostPort(host, port)
		args := []string{"--bind", host, "--save", "", "--appendonly", "no", "--dir", t.TempDir()}
		if options.Authority == nil {
			args = append(args, "--port", port)
		} else {
			args = append(args, "--port", "0", "--tls-port", port, "--tls-replication", "yes", "--tls-cluster", "yes", "--tls-auth-clients", "no",
				"--tls-ca-cert-file", options.Authority.File, "--tls-cert-file", options.Authority.certificate, "--tls-key-file", options.Authority.key)
		}
		if cluster {
			s.bus = freePort(t)
			args = append(args, "--cluster-enabled", "yes", "--cluster-port", s.bus)
		}
		if s.run(t, append(args, options.Args...)) {
			t.Cleanup(s.Kill)
			return s
		}
	}
	t.Fatal("no server has started")
	return nil
}

// run starts the process, and reports whether it takes connections.
func (s *Server) run(t *testing.T, args []string) bool {
	t.Helper()
	// What uses the server in the test is closed before it.
	process := exec.CommandContext(context.WithoutCancel(t.Context()), s.options.Program, args...) //nolint:gosec // a test says which program
	output, err := process.StdoutPipe()
	if err := errors.Join(err, process.Start()); err != nil {
		t.Fatal(err)
	}
	s.process = process.Process
	ready := make(chan bool, 1)
	var reader sync.WaitGroup
	reader.Go(func() {
		begun := false
		for lines := bufio.NewScanner(output); lines.Scan(); {
			if !begun && strings.Contains(lines.Text(), "Ready to accept connections") {
				begun = true
				ready <- true
			}
		}
		close(ready)
	})
	s.kill = sync.OnceFunc(func() {
		_ = process.Process.Kill() // it may have ended
		reader.Wait()
		_ = process.Wait() // it was killed
	})
	if !<-ready {
		s.kill()
		return false
	}
	return true
}

// Kill ends the server at once.
func (s *Server) Kill() { s.kill() }

// Signal sends a signal to the server. One that is stopped is ended with the test all the same.
func (s *Server) Signal(t *testing.T, signal os.Signal) {
	t.Helper()
	if err := s.process.Signal(signal); err != nil {
		t.Fatal(err)
	}
}

// URL is how a store names the server.
func (s *Server) URL() string {
	if s.options.Authority != nil {
		return "rediss://" + s.Addr
	}
	return "redis://" + s.Addr
}

// Do sends a command to this server, whatever cluster it is of.
func (s *Server) Do(t *testing.T, command ...string) rueidis.RedisResult {
	t.Helper()
	client, err := rueidis.NewClient(rueidis.ClientOption{
		InitAddress: []string{s.Addr}, TLSConfig: s.options.Authority.trusted(), ForceSingleClient: true, DisableCache: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	result := client.Do(t.Context(), client.B().Arbitrary(command...).Build())
	if err := result.Error(); err != nil && !rueidis.IsRedisNil(err) {
		t.Fatalf("%s: %v", strings.Join(command, " "), err)
	}
	return result
}

// text is the answer to a command.
func (s *Server) text(t *testing.T, command ...string) string {
	t.Helper()
	text, err := s.Do(t, command...).ToString()
	if err != nil {
		t.Fatalf("%s: %v", strings.Join(command, " "), err)
	}
	return text
}

// await waits until something holds.
func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for !holds() {
		select {
		case <-t.Context().Done():
			t.Fatalf("still waiting for %s", what)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// freePort returns a port that nobody listens at.
func freePort(t *testing.T) string {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		t.Fatal(err)
	}
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err := errors.Join(err, listener.Close()); err != nil {
		t.Fatal(err)
	}
	return port
}
