package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/parley-gateway/parley/graphsim"
	"github.com/parley-gateway/parley/graphsim/faults"
)

// tenant is what the simulator holds.
func tenant() graphsim.Config {
	return graphsim.Config{Seed: 21, Users: 30, Chats: 120, Messages: 9000, Interactions: 2400, Calls: 300, Days: 60}
}

// trouble returns the faults of a Graph that misbehaves and still answers: every kind that a client can see, each at a small rate.
func trouble() []faults.Fault {
	planned := []faults.Fault{ //nolint:prealloc // a table first, more of it computed after
		{Kind: faults.Status, Status: http.StatusServiceUnavailable, Rate: 0.02},
		{Kind: faults.Status, Status: http.StatusTooManyRequests, RetryAfter: "1", Rate: 0.003},
		{Kind: faults.Status, Status: http.StatusTooManyRequests, RetryAfter: "+2", Rate: 0.001},
		{Kind: faults.Slow, DelayMS: 60, Rate: 0.1},
		{Kind: faults.Reset, Rate: 0.01},
		{Kind: faults.CutBody, Rate: 0.01},
		{Kind: faults.MalformedJSON, Rate: 0.005},
		{Kind: faults.HTMLError, Status: http.StatusBadGateway, Rate: 0.005},
		{Kind: faults.ErrorIn200, Status: http.StatusInternalServerError, Rate: 0.005},
		{Kind: faults.NestedError, Status: http.StatusInternalServerError, Rate: 0.005},
		{Kind: faults.GoAway, Rate: 0.01},
		{Kind: faults.Drip, Chunk: 4096, DelayMS: 5, Rate: 0.01},
		{Kind: faults.Stall, DelayMS: 500, Rate: 0.002},
		{Kind: faults.Hang, DelayMS: 1000, Rate: 0.002},
	}
	for _, source := range []string{graphsim.SourceChat, graphsim.SourceCopilot} {
		planned = append(
			planned,
			faults.Fault{Kind: faults.RefusePage, Match: source, Page: 2, Rate: 0.01},
			faults.Fault{Kind: faults.LoopLink, Match: source, Page: 2, Rate: 0.004},
			faults.Fault{Kind: faults.ForeignLink, Match: source, Page: 1, Rate: 0.002},
			faults.Fault{Kind: faults.RepeatPage, Match: source, Page: 3, Rate: 0.004},
			faults.Fault{Kind: faults.OutOfWindow, Match: source, Page: 1, Rate: 0.002},
		)
	}
	return planned
}

// greeting is the first line that the simulator's process prints, for its parent.
type greeting struct {
	URL   string   `json:"url"`
	CA    string   `json:"ca"`
	Users []string `json:"users"`
}

// serveGraph is the simulator's process.
func serveGraph(ctx context.Context, in io.Reader, out io.Writer) error {
	sim, err := graphsim.New(tenant())
	if err != nil {
		return err
	}
	if err := sim.Start(ctx); err != nil {
		return err
	}
	hello := greeting{URL: sim.URL(), CA: base64.StdEncoding.EncodeToString(sim.CACertPEM())}
	for person := range sim.Oracle("").Users() {
		if sim.Oracle("").Licensed(person.ID) {
			hello.Users = append(hello.Users, person.ID)
		}
	}
	if err := json.NewEncoder(out).Encode(hello); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, in)
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	return errors.Join(err, sim.Close(end))
}

// graph is the simulator as its parent sees it.
type graph struct {
	greeting

	process *exec.Cmd
	life    io.Closer
	ca      []byte
	client  *http.Client
}

func startGraph(ctx context.Context) (*graph, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	g := &graph{process: exec.CommandContext(context.WithoutCancel(ctx), self, "-graph")} //nolint:gosec // ourselves
	g.process.Stderr = os.Stderr
	if g.life, err = g.process.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := g.process.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := g.process.Start(); err != nil {
		return nil, err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err == nil {
		err = json.Unmarshal([]byte(line), &g.greeting)
	}
	if err == nil {
		g.ca, err = base64.StdEncoding.DecodeString(g.CA)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("the simulator did not start: %w", err), g.stop())
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(g.ca)
	g.client = &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{
		DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
	}}
	return g, nil
}

func (g *graph) setFaults(ctx context.Context, planned []faults.Fault) error {
	body, err := json.Marshal(planned)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, g.URL+"/_sim/faults", bytes.NewReader(body))
	if err != nil {
		return err
	}
	resp, err := g.client.Do(req)
	if err != nil {
		return err
	}
	answer, err := io.ReadAll(resp.Body)
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("faults: %s", strings.TrimSpace(string(answer)))
	}
	return errors.Join(err, resp.Body.Close())
}

// stop ends the process and waits for it.
func (g *graph) stop() error { return errors.Join(g.life.Close(), g.process.Wait()) }
