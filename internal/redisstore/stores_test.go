//go:build stores

package redisstore_test

import (
	"bufio"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/parley-gateway/parley/internal/redisstore"
)

// TestRedis holds the store to its contract over redis-server, with a password and without. `make test-stores` runs it.
func TestRedis(t *testing.T) {
	t.Parallel()
	for name, password := range map[string]string{"open": "", "with a password": "a test's own"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			socket := serveRedis(t, password)
			file := ""
			if password != "" {
				file = filepath.Join(t.TempDir(), "password")
				if err := os.WriteFile(file, []byte(password+"\n"), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			conformance(t, func(cfg *redisstore.Config) { cfg.URL, cfg.PasswordFile = socket, file })
		})
	}
}

// serveRedis starts a server and returns its URL. Somebody may take the port that was free: the server ends then, and another one is started.
func serveRedis(t *testing.T, password string) string {
	t.Helper()
	for t.Context().Err() == nil {
		port := freePort(t)
		args := []string{"--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", t.TempDir()}
		if password != "" {
			args = append(args, "--requirepass", password)
		}
		server := exec.CommandContext(t.Context(), "redis-server", args...)
		output, err := server.StdoutPipe()
		if err := errors.Join(err, server.Start()); err != nil {
			t.Fatal(err)
		}
		ready := make(chan bool, 8)
		var reader sync.WaitGroup
		reader.Go(func() {
			lines := bufio.NewScanner(output)
			for lines.Scan() {
				if strings.Contains(lines.Text(), "Ready to accept connections") {
					ready <- true
				}
			}
			close(ready)
		})
		stop := func() {
			_ = server.Process.Kill()
			reader.Wait()
			_ = server.Wait() // it was killed
		}
		if <-ready {
			t.Cleanup(stop)
			return "redis://127.0.0.1:" + port
		}
		stop()
	}
	t.Fatal("no server has started")
	return ""
}

// freePort returns a port that nobody listens at.
func freePort(t *testing.T) string {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err := errors.Join(err, listener.Close()); err != nil {
		t.Fatal(err)
	}
	return port
}
