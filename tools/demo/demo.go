// Package demo runs `parley demo` as a process of its own, for tools that ask a gateway as its users do.
package demo

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
)

// Gateway is a running demo.
type Gateway struct {
	// REST is the base URL, without a slash at its end; GRPC is host:port, in plaintext; Sim is the simulator's base URL; User is the
	// object id of the demo user.
	REST, GRPC, Sim, User string

	stop func()
}

// lines are what the demo prints of itself, each with what is taken from it.
var (
	restLine = regexp.MustCompile(`^\s*REST\s+(http://[^/\s]+)`)
	grpcLine = regexp.MustCompile(`^\s*gRPC\s+(\S+)`)
	simLine  = regexp.MustCompile(`^\s*simulator\s+(https://[^\s,]+)`)
	userLine = regexp.MustCompile(`^\s*demo user\s.*\s(\S+)$`)
)

// onFreePorts returns a command of the binary that listens on free ports.
func onFreePorts(ctx context.Context, binary string, args ...string) *exec.Cmd {
	command := exec.CommandContext(ctx, binary, args...)
	command.Stderr = os.Stderr
	command.Env = append(os.Environ(), "PARLEY_GRPC_ADDR=127.0.0.1:0", "PARLEY_HTTP_ADDR=127.0.0.1:0",
		"PARLEY_ADMIN_ADDR=127.0.0.1:0", "PARLEY_SIM_ADDR=127.0.0.1:0", "PARLEY_LOG_LEVEL=error", "PARLEY_AUDIT_FILE="+os.DevNull)
	return command
}

// Try runs the binary in a folder and on free ports until it prints where it serves, and ends it then. It is an error if it ends before.
func Try(ctx context.Context, binary, folder string, args ...string) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	command := onFreePorts(ctx, binary, args...)
	command.Dir = folder
	printed, err := command.StdoutPipe()
	if err == nil {
		err = command.Start()
	}
	if err != nil {
		return err
	}
	serves := false
	for lines := bufio.NewScanner(printed); !serves && lines.Scan(); {
		serves = strings.Contains(lines.Text(), "://127.0.0.1:")
	}
	cancel()
	ended := command.Wait()
	if !serves {
		return fmt.Errorf("it did not say where it serves: %w", ended)
	}
	return nil
}

// Start starts the demo of the binary on free ports and waits until it has printed where it serves. Stop ends it.
func Start(ctx context.Context, binary string, flags ...string) (*Gateway, error) {
	ctx, cancel := context.WithCancel(ctx)
	command := onFreePorts(ctx, binary, append([]string{"demo"}, flags...)...)
	printed, err := command.StdoutPipe()
	if err == nil {
		err = command.Start()
	}
	if err != nil {
		cancel()
		return nil, err
	}
	g := &Gateway{stop: func() {
		cancel()
		_ = command.Wait() // it was killed
	}}
	for lines := bufio.NewScanner(printed); lines.Scan(); {
		for expression, into := range map[*regexp.Regexp]*string{restLine: &g.REST, grpcLine: &g.GRPC, simLine: &g.Sim, userLine: &g.User} {
			if match := expression.FindStringSubmatch(lines.Text()); match != nil {
				*into = match[1]
			}
		}
		if g.REST != "" && g.GRPC != "" && g.User != "" {
			return g, nil
		}
	}
	g.Stop()
	return nil, fmt.Errorf("%s demo did not say where it serves", binary)
}

// Stop ends the demo and waits for it.
func (g *Gateway) Stop() { g.stop() }

// Get asks a path of the REST API, with its query, and returns the body of the answer; anything but 200 is an error.
func (g *Gateway) Get(ctx context.Context, target string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, g.REST+target, http.NoBody)
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s: %s", target, response.Status, body)
	}
	return body, err
}
