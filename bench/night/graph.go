package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/parley-gateway/parley/graphsim"
)

// answerTime is what an answer of Graph takes.
const answerTime = 100 * time.Millisecond

// size is the size of a simulated tenant.
type size struct {
	Users        int `json:"users"`
	Chats        int `json:"chats"`
	Messages     int `json:"messages"`
	Interactions int `json:"interactions"`
	Calls        int `json:"calls"`
	Days         int `json:"days"`
}

// counts are the requests that a simulator has answered, by kind, and how many of them met a limit.
type counts struct {
	Requests map[string]int `json:"requests"`
	Refused  int            `json:"refused"` // answered 429
}

func (c counts) total() (n int) {
	for _, requests := range c.Requests {
		n += requests
	}
	return n
}

// serveGraph serves a simulated tenant that keeps Graph's limits, until standard input ends.
func serveGraph(_ context.Context, s size, in io.Reader, out io.Writer) error {
	sim, err := graphsim.New(graphsim.Config{
		Plain: true, Seed: 13, Throttle: true, Steady: true,
		Users: s.Users, Chats: s.Chats, Messages: s.Messages, Interactions: s.Interactions, Calls: s.Calls, Days: s.Days,
	})
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // answers at once
	if err != nil {
		return err
	}
	server := &http.Server{Handler: &counter{sim: sim, graph: sim.Handler()}, ReadHeaderTimeout: time.Minute}
	go func() { _ = server.Serve(listener) }() // ends with the process
	hello := hello{URL: "http://" + listener.Addr().String()}
	for person := range sim.Oracle("").Users() {
		hello.Users = append(hello.Users, person.ID)
	}
	if err := json.NewEncoder(out).Encode(hello); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, in)
	return errors.Join(err, server.Close())
}

// hello is the first line of a child.
type hello struct {
	URL   string   `json:"url"`
	Users []string `json:"users"`
}

// counter counts before the simulator, and answers after a while.
type counter struct {
	sim   *graphsim.Sim
	graph http.Handler

	mu      sync.Mutex
	refused int
}

const countsPath = "/bench/counts"

// ServeHTTP implements http.Handler. DELETE of the counts begins anew.
func (c *counter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == countsPath {
		c.mu.Lock()
		defer c.mu.Unlock()
		if err := json.NewEncoder(w).Encode(counts{c.sim.RequestCounts(), c.refused}); err != nil {
			return // whoever asks has gone
		}
		if r.Method == http.MethodDelete {
			c.sim.ResetRequests()
			c.refused = 0
		}
		return
	}
	time.Sleep(answerTime)
	status := &statusOf{w, http.StatusOK}
	c.graph.ServeHTTP(status, r)
	if status.code == http.StatusTooManyRequests {
		c.mu.Lock()
		c.refused++
		c.mu.Unlock()
	}
}

// statusOf notes the status of an answer.
type statusOf struct {
	http.ResponseWriter

	code int
}

// WriteHeader implements http.ResponseWriter.
func (s *statusOf) WriteHeader(code int) {
	s.code = code
	s.ResponseWriter.WriteHeader(code)
}

// graph is a simulator in a process of its own.
type graph struct {
	*child
	hello
}

func startGraph(ctx context.Context, s size) (*graph, error) {
	text, err := json.Marshal(s)
	if err != nil {
		return nil, err
	}
	c, line, err := startChild(ctx, "-child=graph", "-child.size="+string(text))
	if err != nil {
		return nil, err
	}
	g := &graph{child: c}
	if err := json.Unmarshal(line, &g.hello); err != nil {
		return nil, errors.Join(err, c.end())
	}
	return g, nil
}

// counted returns the counts since the last call of it.
func (g *graph) counted(ctx context.Context) (c counts, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodDelete, g.URL+countsPath, http.NoBody)
	if err != nil {
		return c, err
	}
	text, err := body(r)
	if err == nil {
		err = json.Unmarshal(text, &c)
	}
	return c, err
}

// String lists the counts.
func (c counts) String() string {
	kinds := make([]string, 0, len(c.Requests))
	for _, kind := range slices.Sorted(maps.Keys(c.Requests)) {
		kinds = append(kinds, fmt.Sprintf("%d %s", c.Requests[kind], kind))
	}
	return fmt.Sprintf("%d requests (%s), %d × 429", c.total(), strings.Join(kinds, ", "), c.Refused)
}
