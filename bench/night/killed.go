package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"strconv"
	"sync"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
)

// One replica is killed twice, each time when so many of the users are read.
const (
	killedUsers = 1000
	firstKill   = killedUsers / 4
	secondKill  = killedUsers / 2
	// openUsers is how many users a stream over the tenant has open at most: what a kill makes others read again.
	openUsers = 64
)

// killedBars reads a tenant by three replicas on one store, one of which is killed twice, and compares it with one reading by one gateway.
// Readers go on with their tokens on another replica.
func killedBars(ctx context.Context, o options, t *table) (err error) {
	d, err := newDeployment(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.close()) }()
	one, err := d.fleetReads(ctx, o, t, 1)
	if err != nil {
		return err
	}
	three, err := d.fleetReads(ctx, o, t, 3)
	if err != nil {
		return err
	}
	same := maps.Equal(one.events, three.events) && len(one.events) > 0
	t.row("20", "events of three replicas, one killed twice, vs one reading", fmt.Sprintf("%d of %d", len(three.events), len(one.events)), "the same", "the same", same, same)
	once := three.doubles == 0
	t.row("20", "events that came twice", strconv.Itoa(three.doubles), "0", "0", once, once)
	none := three.counts.Refused == 0
	t.row("20", "429s", strconv.Itoa(three.counts.Refused), "0", "0", none, none)
	most := one.counts.total()*102/100 + 2*openUsers*len(allSources())
	again := three.counts.total() - one.counts.total()
	t.row("20", "Graph requests, of which a kill costs those of the open users", fmt.Sprintf("%+d", again),
		fmt.Sprintf("≤ %+d", most-one.counts.total()), "≤ 2 %", three.counts.total() <= most, again <= one.counts.total()/50)
	return nil
}

// fleet are the replicas, which change places when one is killed.
type fleet struct {
	mu sync.Mutex
	at []*gateway
}

func (f *fleet) get(i int) *gateway {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.at[i%len(f.at)]
}

// replace kills a replica and starts another one in its place.
func (f *fleet) replace(i int, start func() (*gateway, error)) error {
	if err := f.get(i).Process.Kill(); err != nil {
		return err
	}
	_ = f.get(i).Wait() // it was killed
	at, err := start()
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.at[i] = at
	return nil
}

// end stops the replicas.
func (f *fleet) end() (err error) {
	for _, at := range f.at {
		err = errors.Join(err, at.end())
	}
	return err
}

// fleetRead is what the readers of all shards have read, and what Graph was asked.
type fleetRead struct {
	events  map[string]int // how often each came
	doubles int
	counts  counts
}

// fleetReads reads the tenant by so many replicas, a shard on each. With several of them one is killed twice.
func (d *deployment) fleetReads(ctx context.Context, o options, t *table, replicas int) (got fleetRead, err error) {
	g, err := startGraph(ctx, size{Users: killedUsers, Chats: 1000, Messages: 20_000, Interactions: 20_000, Calls: 700, Days: 7})
	if err != nil {
		return got, err
	}
	defer func() { err = errors.Join(err, g.end()) }()
	store, stop, err := startStore(ctx, o.redis)
	if err != nil {
		return got, err
	}
	defer func() { err = errors.Join(err, stop()) }()
	start := func() (*gateway, error) {
		// Nothing here is about the time that the store takes.
		return d.startReplica(ctx, o, g, store, "--seal-keys-file="+d.file("seal"), "--shared-timeout=2s")
	}
	f := &fleet{}
	defer func() { err = errors.Join(err, f.end()) }()
	for range replicas {
		at, err := start()
		if err != nil {
			return got, err
		}
		f.at = append(f.at, at)
	}
	begin := time.Now()
	walks, err := d.walkAll(ctx, f, start)
	if err != nil {
		return got, err
	}
	got.events = map[string]int{}
	resumed := 0
	for _, w := range walks {
		resumed += w.resumed
		for key, n := range w.events {
			got.events[key] += n
			got.doubles += n - 1
		}
	}
	if got.counts, err = g.counted(ctx); err == nil {
		t.notef("%d replicas, %d users: %d events in %v, %d times another replica went on; %v", replicas, len(g.Users), len(got.events), time.Since(begin).Round(time.Second),
			resumed, got.counts)
	}
	return got, err
}

// walkAll reads a shard on each replica. Where there are several, the second one is killed twice, each time while it is read from.
func (d *deployment) walkAll(ctx context.Context, f *fleet, start func() (*gateway, error)) ([]*walk, error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	walks := make([]*walk, len(f.at))
	errs := make([]error, len(walks)+1)
	var all sync.WaitGroup
	for i := range walks {
		walks[i] = &walk{deployment: d, fleet: f, shard: i, of: len(walks), at: i, events: map[string]int{}}
		all.Go(func() {
			if errs[i] = walks[i].run(ctx); errs[i] != nil {
				stop()
			}
		})
	}
	if len(walks) > 1 {
		errs[len(walks)] = killTwice(ctx, f, walks, start)
	}
	all.Wait()
	return walks, errors.Join(errs...)
}

// killTwice kills the second replica twice, each time when so many users are read and one walk reads from it.
func killTwice(ctx context.Context, f *fleet, walks []*walk, start func() (*gateway, error)) error {
	const victim = 1
	for _, users := range []int64{firstKill, secondKill} {
		walks[victim].move(victim)
		for finished := int64(0); finished < users; pause(ctx, 5*time.Millisecond) {
			finished = 0
			for _, w := range walks {
				finished += w.progress()
			}
			if ctx.Err() != nil {
				return ctx.Err()
			}
		}
		if err := f.replace(victim, start); err != nil {
			return err
		}
	}
	return nil
}

// walk reads one shard to its end, on whichever replica answers.
type walk struct {
	*deployment

	fleet     *fleet
	shard, of int
	events    map[string]int // how often each came, before a checkpoint that came, too
	resumed   int

	mu       sync.Mutex
	at       int                // the replica
	cancel   context.CancelFunc // ends the call
	finished int64              // users
	token    string
}

// move makes the walk go on at a replica.
func (w *walk) move(to int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.at == to {
		return
	}
	w.at = to
	if w.cancel != nil {
		w.cancel()
	}
}

func (w *walk) progress() int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.finished
}

// run reads until the summary. A call that breaks is followed by another one, at the next replica unless the walk was moved.
func (w *walk) run(ctx context.Context) error {
	for {
		w.mu.Lock()
		at := w.at
		call, cancel := context.WithCancel(ctx)
		w.cancel = cancel
		w.mu.Unlock()
		done, err := w.call(call, at)
		cancel()
		switch {
		case done:
			return err
		case ctx.Err() != nil:
			return errors.Join(ctx.Err(), err)
		}
		w.resumed++
		w.mu.Lock()
		if w.at == at {
			w.at = (at + 1) % w.of
		}
		w.mu.Unlock()
		pause(ctx, 100*time.Millisecond)
	}
}

// call reads until the stream ends. What comes after the last checkpoint is forgotten: it comes again.
func (w *walk) call(ctx context.Context, at int) (done bool, err error) {
	_, end := day(3)
	r := &reading{GRPC: w.fleet.get(at).GRPC, CA: w.file("cert.pem"), Token: w.streamToken}
	conn, err := r.dial()
	if err != nil {
		return false, err
	}
	defer conn.Close() //nolint:errcheck // the stream has ended
	stream, err := parleyv1.NewEventServiceClient(conn).StreamTenantEvents(ctx, &parleyv1.StreamTenantEventsRequest{
		StartTime: timestamppb.New(end.AddDate(0, 0, -1)), EndTime: timestamppb.New(end), Sources: allSources(), ResumeToken: w.token,
		Shard: &parleyv1.Shard{Index: int32(w.shard), Count: int32(w.of)},
	})
	var fresh []string
	for err == nil {
		var frame *parleyv1.StreamTenantEventsResponse
		if frame, err = stream.Recv(); err != nil {
			break
		}
		for _, event := range frame.GetBatch().GetEvents() {
			fresh = append(fresh, fmt.Sprint(event.GetName(), " ", event.GetUid(), " ", event.GetVersion()))
		}
		if checkpoint := frame.GetCheckpoint(); checkpoint != nil {
			w.keep(fresh, checkpoint.GetResumeToken(), checkpoint.GetUsersFinished())
			fresh = nil
		}
		if summary := frame.GetSummary(); summary != nil {
			w.keep(fresh, summary.GetResumeToken(), summary.GetUsersRead()+summary.GetUsersRefused()+summary.GetUsersIncomplete())
			fresh, done = nil, true
			if summary.GetOutcome() == parleyv1.TenantOutcome_TENANT_OUTCOME_INCOMPLETE {
				return true, fmt.Errorf("shard %d: %v, %v", w.shard, summary.GetFailures(), summary.GetIncompleteUsers())
			}
		}
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return done, err
}

// keep takes the events before a checkpoint, its token, and how many users are finished.
func (w *walk) keep(events []string, token string, finished int64) {
	for _, key := range events {
		w.events[key]++
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.token, w.finished = token, finished
}
