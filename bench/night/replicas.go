package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"regexp"
	"strings"
	"time"
)

// Of bar 13: shards of the tenant are read at one time, and all of them again by other replicas.
const (
	shards = 3
	passes = 2
)

func sharedTenant() size {
	return size{Users: 150, Chats: 600, Messages: 9_000, Interactions: 9_000, Calls: 4_200, Days: 30}
}

// replicaBars are the two parts of bar 13: what three replicas on one store ask Graph for, and what one does, under the same load.
func replicaBars(ctx context.Context, o options, t *table) (err error) {
	d, err := newDeployment(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.close()) }()
	got := map[int]counts{}
	for _, replicas := range []int{1, 3} {
		c, events, err := d.replicas(ctx, o, t, replicas)
		if err != nil {
			return err
		}
		got[replicas] = c
		t.notef("%d replicas, %d shards at a time, %d times: %d events, %v", replicas, shards, passes, events, c)
	}
	ratio := float64(got[3].total()) / float64(got[1].total())
	t.row("13", "Graph requests of three replicas vs one, one store", times(ratio), "≤ 1.02×", "1.00×", ratio <= 1.02, ratio <= 1)
	none := got[1].Refused+got[3].Refused == 0
	t.row("13", "429s of one and of three", fmt.Sprintf("%d, %d", got[1].Refused, got[3].Refused), "0", "0", none, none)
	return nil
}

// replicas runs the load on so many replicas over a fresh store and a fresh Graph.
func (d *deployment) replicas(ctx context.Context, o options, t *table, replicas int) (c counts, events int, err error) {
	g, err := startGraph(ctx, sharedTenant())
	if err != nil {
		return c, 0, err
	}
	defer func() { err = errors.Join(err, g.end()) }()
	store, stop, err := startStore(ctx, o.redis)
	if err != nil {
		return c, 0, err
	}
	defer func() { err = errors.Join(err, stop()) }()
	all := make([]*gateway, 0, replicas)
	defer func() {
		for _, at := range all {
			err = errors.Join(err, at.end())
		}
	}()
	for range replicas {
		at, err := d.startReplica(ctx, o, g, store)
		if err != nil {
			return c, 0, err
		}
		all = append(all, at)
	}
	for pass := range passes {
		n, err := d.pass(ctx, all, pass)
		if err != nil {
			return c, 0, err
		}
		events += n
		pause(ctx, 2*time.Second) // what was read is written to the store
	}
	c, err = g.counted(ctx)
	return c, events, errors.Join(err, noteStoreFailures(ctx, t, all))
}

// startReplica starts a gateway on a store, and waits until it has reached it.
func (d *deployment) startReplica(ctx context.Context, o options, g *graph, store string, flags ...string) (*gateway, error) {
	at, err := d.start(ctx, o, g, "", append([]string{"--shared-url=redis://" + store, "--shared-keys-file=" + d.file("shared")}, flags...)...)
	if err != nil {
		return nil, err
	}
	for beats := 0.; beats < 1; pause(ctx, 100*time.Millisecond) {
		if beats, err = at.metric(ctx, `parley_shared_requests_total{op="heartbeat",result="ok"}`); err != nil {
			return nil, errors.Join(err, at.end())
		}
	}
	return at, nil
}

// failedOperation matches the counters of operations without an answer of the store.
var failedOperation = regexp.MustCompile(`result="(invalid|timeout|error|open|dropped)"`)

// noteStoreFailures notes the operations on the store that failed: a replica whose store does not answer in time goes on by itself.
func noteStoreFailures(ctx context.Context, t *table, all []*gateway) error {
	for i, at := range all {
		text, err := at.metrics(ctx)
		if err != nil {
			return err
		}
		for line := range strings.Lines(text) {
			if operation, found := strings.CutPrefix(line, "parley_shared_requests_total"); found && failedOperation.MatchString(line) &&
				!strings.HasSuffix(line, " 0\n") {
				t.notef("replica %d of %d: %s", i+1, len(all), strings.TrimSpace(operation))
			}
		}
	}
	return nil
}

// pass reads all shards at one time; each pass has other replicas read them.
func (d *deployment) pass(ctx context.Context, all []*gateway, pass int) (events int, err error) {
	_, end := day(3)
	readers := make([]*reader, shards)
	for shard := range readers {
		at := all[(shard+pass)%len(all)]
		if readers[shard], err = startReader(ctx, &reading{
			GRPC: at.GRPC, CA: d.file("cert.pem"), Token: d.streamToken, Start: end.AddDate(0, 0, -1), End: end, Sources: allSources(),
			Shards: shards, Shard: shard + 1,
		}); err != nil {
			return 0, err
		}
	}
	for _, reader := range readers {
		got, failed := reader.wait()
		if failed == nil {
			failed = got.whole()
		}
		err = errors.Join(err, failed)
		events += got.Events
	}
	return events, err
}

// startStore starts a store on a free port.
func startStore(ctx context.Context, binary string) (address string, stop func() error, err error) {
	free, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // answers at once
	if err != nil {
		return "", nil, err
	}
	address = free.Addr().String()
	_, port, err := net.SplitHostPort(address)
	if err := errors.Join(err, free.Close()); err != nil {
		return "", nil, err
	}
	cmd := exec.CommandContext(ctx, binary, "--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no") //nolint:gosec // as above
	if err := cmd.Start(); err != nil {
		return "", nil, err
	}
	stop = func() error {
		err := cmd.Process.Kill()
		_ = cmd.Wait() // killed
		return err
	}
	for range 100 {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
		if err == nil {
			return address, stop, conn.Close()
		}
		pause(ctx, 100*time.Millisecond)
	}
	return "", nil, errors.Join(errors.New("the store did not start"), stop())
}
