package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/timestamppb"

	parleyclient "github.com/parley-gateway/parley/clients/go"
	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
)

// versions are the events that were delivered: the version of each uid.
type versions map[string]int64

// query is what a stream or a list asks for: events of one user.
type query struct {
	user       string // resource name
	start, end time.Time
}

func (q query) values() url.Values {
	values := url.Values{"startTime": {q.start.Format(time.RFC3339)}, "endTime": {q.end.Format(time.RFC3339)}}
	for _, source := range sources {
		values.Add("sources", source.String())
	}
	return values
}

// sources are the sources that reach back further than calls do.
var sources = []parleyv1.Source{parleyv1.Source_SOURCE_COPILOT, parleyv1.Source_SOURCE_CHAT}

// state is how far a stream or a list has come. The others wait for its changes.
type state struct {
	connections int       // that it has opened
	checkpoints int       // that came
	latest      time.Time // of its events
	walks       int       // of a list: from the first page to the last
	done        bool
}

// board has the states of all streams and lists.
type board struct {
	mu      sync.Mutex
	states  map[string]*state
	err     error
	changed chan struct{}
}

func newBoard() *board { return &board{states: make(map[string]*state), changed: make(chan struct{})} }

// set changes a state.
func (b *board) set(name string, change func(*state)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.states[name] == nil {
		b.states[name] = &state{}
	}
	change(b.states[name])
	close(b.changed)
	b.changed = make(chan struct{})
}

// fail notes an error, which ends every wait.
func (b *board) fail(name string, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.err = errors.Join(b.err, fmt.Errorf("%s: %w", name, err))
	close(b.changed)
	b.changed = make(chan struct{})
}

// wait waits until all states of some names are as wanted.
func (b *board) wait(ctx context.Context, names []string, wanted func(state) bool) error {
	for {
		b.mu.Lock()
		err, changed, all := b.err, b.changed, true
		for _, name := range names {
			all = all && b.states[name] != nil && wanted(*b.states[name])
		}
		b.mu.Unlock()
		switch {
		case err != nil:
			return err
		case all:
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("%w: %s", context.Cause(ctx), b.describe())
		}
	}
}

// state returns the state of a stream or list.
func (b *board) state(name string) state {
	b.mu.Lock()
	defer b.mu.Unlock()
	if s := b.states[name]; s != nil {
		return *s
	}
	return state{}
}

func (b *board) describe() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var text strings.Builder
	for name, s := range b.states {
		fmt.Fprintf(&text, "%s %+v; ", name, *s)
	}
	return text.String()
}

// check compares the events that were delivered with those of an undisturbed read.
func check(got, want versions) error {
	if maps.Equal(got, want) {
		return nil
	}
	missing := 0
	for uid := range want {
		if _, ok := got[uid]; !ok {
			missing++
		}
	}
	return fmt.Errorf("%d events came, an undisturbed read has %d; %d are missing", len(got), len(want), missing)
}

// streamGRPC reads a stream to its end by the Go helper.
func streamGRPC(ctx context.Context, addr string, q query, b *board, name string) (versions, error) {
	conn, err := grpc.NewClient(addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close() }()
	request := &parleyv1.StreamEventsRequest{Parent: q.user, StartTime: timestamppb.New(q.start), EndTime: timestamppb.New(q.end), Sources: sources}
	client := parleyv1.NewEventServiceClient(conn)
	stream := parleyclient.New(parleyclient.Method[*parleyv1.StreamEventsResponse, *parleyv1.Event]{
		Open: func(ctx context.Context, resumeToken string) (parleyclient.Receiver[*parleyv1.StreamEventsResponse], error) {
			b.set(name, func(s *state) { s.connections++ })
			request.ResumeToken = resumeToken
			return client.StreamEvents(ctx, request)
		},
		Items:    func(frame *parleyv1.StreamEventsResponse) []*parleyv1.Event { return frame.GetBatch().GetEvents() },
		Identify: func(event *parleyv1.Event) (string, int64) { return event.GetUid(), event.GetVersion() },
	}, "", parleyclient.Options{OnCheckpoint: func(context.Context, *parleyv1.Checkpoint) error {
		b.set(name, func(s *state) { s.checkpoints++ })
		return nil
	}})
	got := versions{}
	for event, err := range stream.All(ctx) {
		if err != nil {
			return nil, err
		}
		got[event.GetUid()] = event.GetVersion()
		b.set(name, func(s *state) { s.latest = event.GetEventTime().AsTime() })
	}
	if !stream.Summary().GetComplete() {
		return nil, fmt.Errorf("not complete: %v", stream.Summary())
	}
	b.set(name, func(s *state) { s.done = true })
	return got, nil
}

// attempts is how often in a row a stream over REST is tried again.
const attempts = 100

// streamREST reads a stream of lines to its end, by the rules of the helpers.
func streamREST(ctx context.Context, addr string, q query, b *board, name string) (versions, error) {
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	r := &restStream{board: b, name: name, got: versions{}}
	for try := 0; try < attempts; try++ {
		before := len(r.got)
		b.set(name, func(s *state) { s.connections++ })
		err := r.connect(ctx, client, "http://"+addr+"/v1/"+q.user+"/events:stream", q.values())
		switch {
		case err == nil:
			b.set(name, func(s *state) { s.done = true })
			return r.got, nil
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case r.refused != nil:
			return nil, r.refused
		case len(r.got) > before:
			try = 0
		}
		<-tick.C
	}
	return nil, fmt.Errorf("nothing came in %d attempts", attempts)
}

type restStream struct {
	board *board
	name  string

	got     versions
	token   string
	refused error // by an error after which going on is of no use
}

// failure is an error over REST, alone or in a line.
type failure struct {
	Status  string `json:"status"`
	Reason  string `json:"reason"`
	Details []struct {
		Metadata map[string]string `json:"metadata"`
	} `json:"details"`
}

// connect reads one connection. It returns nil at the summary.
func (r *restStream) connect(ctx context.Context, client *http.Client, address string, values url.Values) error {
	values.Set("resumeToken", r.token)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address+"?"+values.Encode(), http.NoBody)
	if err != nil {
		return err
	}
	request.Header.Set("Accept", "application/x-ndjson")
	answer, err := client.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		var refusal failure
		if err := json.NewDecoder(answer.Body).Decode(&refusal); err != nil {
			return err
		}
		return r.failed(&refusal)
	}
	ended := false
	err = lines(answer.Body, func(line []byte) error {
		end, err := r.take(line)
		ended = ended || end
		return err
	})
	if err == nil && !ended {
		return io.ErrUnexpectedEOF
	}
	return err
}

// take takes a line, and reports whether it is the summary.
func (r *restStream) take(line []byte) (bool, error) {
	var envelope struct {
		Error *failure `json:"error"`
	}
	if err := json.Unmarshal(line, &envelope); err != nil {
		return false, err
	}
	if envelope.Error != nil {
		return false, r.failed(envelope.Error)
	}
	var frame parleyv1.StreamEventsResponse
	if err := protojson.Unmarshal(line, &frame); err != nil {
		return false, err
	}
	for _, event := range frame.GetBatch().GetEvents() {
		r.got[event.GetUid()] = event.GetVersion()
		r.board.set(r.name, func(s *state) { s.latest = event.GetEventTime().AsTime() })
	}
	if checkpoint := frame.GetCheckpoint(); checkpoint != nil {
		r.token = checkpoint.GetResumeToken()
		r.board.set(r.name, func(s *state) { s.checkpoints++ })
	}
	if summary := frame.GetSummary(); summary != nil && !summary.GetComplete() {
		r.refused = fmt.Errorf("not complete: %v", summary)
		return false, r.refused
	}
	return frame.GetSummary() != nil, nil
}

// failed notes the token of an error. An error that would come again ends the stream.
func (r *restStream) failed(f *failure) error {
	for _, detail := range f.Details {
		if token := detail.Metadata["resume_token"]; token != "" {
			r.token = token
		}
	}
	err := fmt.Errorf("%s %s", f.Status, f.Reason)
	if f.Status != "UNAVAILABLE" {
		r.refused = err
	}
	return err
}

// listEvery is the least time between two pages of a list.
const listEvery = 50 * time.Millisecond

// pageSize makes several pages of a list.
const pageSize = 40

// pager reads one page of a list of events.
type pager func(ctx context.Context, token string) (*parleyv1.ListEventsResponse, error)

// pagesGRPC returns the pager of a connection that stays open.
func pagesGRPC(conn *grpc.ClientConn, q query) pager {
	client := parleyv1.NewEventServiceClient(conn)
	return func(ctx context.Context, token string) (*parleyv1.ListEventsResponse, error) {
		return client.ListEvents(ctx, &parleyv1.ListEventsRequest{
			Parent: q.user, StartTime: timestamppb.New(q.start), EndTime: timestamppb.New(q.end), Sources: sources, PageSize: pageSize, PageToken: token,
		})
	}
}

// pagesREST returns the pager of a client that keeps its connection.
func pagesREST(client *http.Client, addr string, q query) pager {
	return func(ctx context.Context, token string) (*parleyv1.ListEventsResponse, error) {
		values := q.values()
		values.Set("pageSize", strconv.Itoa(pageSize))
		values.Set("pageToken", token)
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+"/v1/"+q.user+"/events?"+values.Encode(), http.NoBody)
		if err != nil {
			return nil, err
		}
		answer, err := client.Do(request)
		if err != nil {
			return nil, err
		}
		defer answer.Body.Close()
		body, err := io.ReadAll(answer.Body)
		if err != nil {
			return nil, err
		}
		if answer.StatusCode != http.StatusOK {
			return nil, fmt.Errorf("HTTP %d %.600s", answer.StatusCode, body)
		}
		page := &parleyv1.ListEventsResponse{}
		return page, protojson.Unmarshal(body, page)
	}
}

// list reads a list again and again until ctx ends, without ever trying a page twice. The pace leaves the processors to others.
func list(ctx context.Context, read pager, want versions, b *board, name string) error {
	tick := time.NewTicker(listEvery)
	defer tick.Stop()
	for {
		got := versions{}
		for token := ""; ; {
			page, err := read(ctx, token)
			if ctx.Err() != nil {
				return nil // it was told to stop
			}
			if err != nil {
				return err
			}
			for _, event := range page.GetEvents() {
				got[event.GetUid()] = event.GetVersion()
			}
			if token = page.GetNextPageToken(); token == "" {
				break
			}
			<-tick.C
		}
		if err := check(got, want); err != nil {
			return err
		}
		b.set(name, func(s *state) { s.walks++ })
	}
}
