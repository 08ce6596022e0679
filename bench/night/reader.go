package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
)

// reading is what a reader in a process of its own reads: streams of users, so many at a time, or shards of the tenant.
type reading struct {
	GRPC    string            `json:"grpc"`
	CA      string            `json:"ca"`
	Token   string            `json:"token"`
	Start   time.Time         `json:"start"`
	End     time.Time         `json:"end"`
	Sources []parleyv1.Source `json:"sources"`

	// Users are read one after another, by so many Lanes. Without users, Shards of the tenant are read at one time, or with Shard the one.
	Users  []string `json:"users"`
	Lanes  int      `json:"lanes"`
	Shards int      `json:"shards"`
	Shard  int      `json:"shard"` // from 1; 0 = all
	// Endless begins again with the users, until standard input ends.
	Endless bool `json:"endless"`
}

// read is what a reader has read.
type read struct {
	Events     int            `json:"events"`
	Streams    int            `json:"streams"`    // that ended whole
	Incomplete int            `json:"incomplete"` // that ended with a summary that says so
	Refused    map[string]int `json:"refused"`    // by the code
}

// tally counts what goroutines read.
type tally struct {
	mu sync.Mutex
	read

	begun    int    // lanes that have taken an event
	allBegun func() // called when all lanes have
}

// laneBegins returns a function that one of so many lanes calls for each batch; the first call counts.
func (t *tally) laneBegins(lanes int) func() {
	return sync.OnceFunc(func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		if t.begun++; t.begun == lanes {
			t.allBegun()
		}
	})
}

func (t *tally) add(events int, complete bool, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.Events += events
	switch {
	case err != nil:
		t.Refused[status.Code(err).String()]++
	case complete:
		t.Streams++
	default:
		t.Incomplete++
	}
}

// bearer is a token for each call.
type bearer string

// GetRequestMetadata implements credentials.PerRPCCredentials.
func (b bearer) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"authorization": "Bearer " + string(b)}, nil
}

// RequireTransportSecurity implements credentials.PerRPCCredentials.
func (bearer) RequireTransportSecurity() bool { return true }

func (r *reading) dial() (*grpc.ClientConn, error) {
	trusted, err := tlsOf(r.CA)
	if err != nil {
		return nil, err
	}
	return grpc.NewClient(r.GRPC, grpc.WithTransportCredentials(credentials.NewTLS(trusted)), grpc.WithPerRPCCredentials(bearer(r.Token)),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(math.MaxInt32)))
}

// run prints a line when all lanes have begun to take events, and what it has read at the end.
func (r *reading) run(ctx context.Context, in io.Reader, out io.Writer) error {
	conn, err := r.dial()
	if err != nil {
		return err
	}
	defer conn.Close() //nolint:errcheck // the process ends
	begun := sync.OnceFunc(func() { fmt.Fprintln(out, "{}") })
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	go func() {
		_, _ = io.Copy(io.Discard, in)
		stop()
	}()
	got := &tally{read: read{Refused: map[string]int{}}, allBegun: begun}
	client := parleyv1.NewEventServiceClient(conn)
	if len(r.Users) > 0 {
		r.users(ctx, client, got)
	} else {
		begun()
		r.tenant(ctx, client, got)
	}
	begun()
	got.mu.Lock()
	defer got.mu.Unlock()
	return json.NewEncoder(out).Encode(got.read)
}

// users reads the users, each lane its own.
func (r *reading) users(ctx context.Context, client parleyv1.EventServiceClient, got *tally) {
	var group sync.WaitGroup
	for lane := range r.Lanes {
		group.Go(func() {
			begins := got.laneBegins(r.Lanes)
			for {
				for i := lane; i < len(r.Users); i += r.Lanes {
					events, complete, err := r.user(ctx, client, r.Users[i], begins)
					if ctx.Err() != nil {
						got.add(events, true, nil) // ended by us
						return
					}
					got.add(events, complete, err)
					if status.Code(err) == codes.ResourceExhausted || status.Code(err) == codes.Unavailable {
						pause(ctx, time.Second)
					}
				}
				if !r.Endless {
					return
				}
			}
		})
	}
	group.Wait()
}

// user reads the stream of one user; begins is called for each batch.
func (r *reading) user(
	ctx context.Context, client parleyv1.EventServiceClient, user string, begins func(),
) (events int, complete bool, err error) {
	stream, err := client.StreamEvents(ctx, &parleyv1.StreamEventsRequest{
		Parent: "users/" + user, StartTime: timestamppb.New(r.Start), EndTime: timestamppb.New(r.End), Sources: r.Sources,
	})
	for err == nil {
		var frame *parleyv1.StreamEventsResponse
		if frame, err = stream.Recv(); err == nil {
			if n := len(frame.GetBatch().GetEvents()); n > 0 {
				events += n
				begins()
			}
			complete = complete || frame.GetSummary().GetComplete()
		}
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return events, complete, err
}

// tenant reads the shards of the tenant.
func (r *reading) tenant(ctx context.Context, client parleyv1.EventServiceClient, got *tally) {
	var group sync.WaitGroup
	for shard := range max(r.Shards, 1) {
		if r.Shard > 0 && shard != r.Shard-1 {
			continue
		}
		group.Go(func() {
			req := &parleyv1.StreamTenantEventsRequest{StartTime: timestamppb.New(r.Start), EndTime: timestamppb.New(r.End), Sources: r.Sources}
			if r.Shards > 1 {
				req.Shard = &parleyv1.Shard{Index: int32(shard), Count: int32(r.Shards)}
			}
			got.add(readShard(ctx, client, req))
		})
	}
	group.Wait()
}

// readShard reads the stream over one shard.
func readShard(ctx context.Context, client parleyv1.EventServiceClient, req *parleyv1.StreamTenantEventsRequest) (events int, complete bool, err error) {
	stream, err := client.StreamTenantEvents(ctx, req)
	for err == nil {
		var frame *parleyv1.StreamTenantEventsResponse
		if frame, err = stream.Recv(); err == nil {
			events += len(frame.GetBatch().GetEvents())
			if summary := frame.GetSummary(); summary != nil {
				complete = summary.GetOutcome() != parleyv1.TenantOutcome_TENANT_OUTCOME_INCOMPLETE
			}
		}
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return events, complete, err
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// reader is a reading in a process of its own.
type reader struct{ *child }

func startReader(ctx context.Context, r *reading) (*reader, error) {
	text, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	c, _, err := startChild(ctx, "-child=reader", "-child.reading="+string(text))
	if err != nil {
		return nil, err
	}
	return &reader{c}, nil
}

// stop ends a reader that is endless, and returns what it read.
func (r *reader) stop() (read, error) {
	if err := r.in.Close(); err != nil {
		return read{}, err
	}
	return r.wait()
}

// wait waits for the end of a reader.
func (r *reader) wait() (got read, err error) {
	line, err := r.out.ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &got)
	}
	_ = r.in.Close() // it may be closed
	err = errors.Join(err, r.cmd.Wait())
	return got, err
}

// whole returns an error where a stream was not read whole.
func (r read) whole() error {
	if r.Incomplete > 0 || len(r.Refused) > 0 {
		return fmt.Errorf("%d streams are incomplete, refused are %v", r.Incomplete, r.Refused)
	}
	return nil
}

// readWhole reads to the end, and returns what the reader took.
func readWhole(ctx context.Context, r *reading) (got read, state *os.ProcessState, err error) {
	reader, err := startReader(ctx, r)
	if err != nil {
		return got, nil, err
	}
	if got, err = reader.wait(); err == nil {
		err = got.whole()
	}
	return got, reader.cmd.ProcessState, err
}
