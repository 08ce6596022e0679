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
)

// Gateway is a running demo.
type Gateway struct {
	// REST is the base URL, without a slash at its end; GRPC is host:port, in plaintext; User is the object id of the demo user.
	REST, GRPC, User string

	stop func()
}

// lines are what the demo prints of itself, each with what is taken from it.
var (
	restLine = regexp.MustCompile(`^\s*REST\s+(http://[^/\s]+)`)
	grpcLine = regexp.MustCompile(`^\s*gRPC\s+(\S+)`)
	userLine = regexp.MustCompile(`^\s*demo user\s.*\s(\S+)$`)
)

// Start starts the binary on free ports and waits until it has printed where it serves. Stop ends it.
func Start(ctx context.Context, binary string) (*Gateway, error) {
	ctx, cancel := context.WithCancel(ctx)
	command := exec.CommandContext(ctx, binary, "demo")
	command.Stderr = os.Stderr
	command.Env = append(os.Environ(), "PARLEY_GRPC_ADDR=127.0.0.1:0", "PARLEY_HTTP_ADDR=127.0.0.1:0",
		"PARLEY_ADMIN_ADDR=127.0.0.1:0", "PARLEY_SIM_ADDR=127.0.0.1:0", "PARLEY_LOG_LEVEL=error")
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
		for expression, into := range map[*regexp.Regexp]*string{restLine: &g.REST, grpcLine: &g.GRPC, userLine: &g.User} {
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
