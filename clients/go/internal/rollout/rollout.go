package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
)

// keysFile is the name of the file with the keys of tokens.
const keysFile = "seal-keys"

// A rollout replaces this many replicas.
const replaced = 2

// scene is everything around a rollout: the Graph, the intervals that are read, and the events that must come.
type scene struct {
	folder string
	graph  string

	stream query // what the streams read
	list   query // what the lists read: windows that the gate never holds
	// gates are where the gate stands: before the first replacement, before the second, and after the last one, behind everything.
	gates  [replaced + 1]time.Time
	users  []string
	want   map[string]versions // an undisturbed stream of each user
	listed versions            // an undisturbed list
}

// rollout replaces two replicas of one binary by two of another, under load.
func rollout(ctx context.Context, from, to string) (string, error) {
	folder, err := os.MkdirTemp("", "parley-rollout-")
	if err != nil {
		return "", err
	}
	defer func() { _ = os.RemoveAll(folder) }()
	key := make([]byte, 32)
	if _, err := rand.Read(key); err != nil {
		return "", err
	}
	if err := os.WriteFile(filepath.Join(folder, keysFile), []byte(base64.StdEncoding.EncodeToString(key)), 0o600); err != nil {
		return "", err
	}
	graph, at, err := newGraph(ctx, to)
	if err != nil {
		return "", err
	}
	defer graph.kill()
	today := time.Now().UTC().Truncate(24 * time.Hour)
	s := &scene{
		folder: folder, graph: at, want: make(map[string]versions),
		gates:  [replaced + 1]time.Time{today.AddDate(0, 0, -110), today.AddDate(0, 0, -50), today.AddDate(1, 0, 0)},
		stream: query{start: today.AddDate(0, 0, -170), end: today.AddDate(0, 0, -2)},
		list:   query{start: today.AddDate(0, 0, -170), end: today.AddDate(0, 0, -120)},
	}
	if err := s.read(ctx, to); err != nil {
		return "", fmt.Errorf("undisturbed: %w", err)
	}
	return s.replace(ctx, from, to)
}

// read reads everything without a disturbance.
func (s *scene) read(ctx context.Context, binary string) error {
	r, err := newReplica(ctx, binary, s.graph, s.folder)
	if err != nil {
		return err
	}
	defer r.end()
	conn, err := grpc.NewClient(r.addrs[portGRPC], grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	page, err := parleyv1.NewUserServiceClient(conn).ListUsers(ctx, &parleyv1.ListUsersRequest{PageSize: replaced})
	if err != nil {
		return err
	}
	for _, user := range page.GetUsers() {
		s.users = append(s.users, user.GetName())
		q := s.stream
		q.user = user.GetName()
		if s.want[q.user], err = streamGRPC(ctx, r.addrs[portGRPC], q, newBoard(), "undisturbed"); err != nil {
			return err
		}
	}
	if len(s.users) < replaced {
		return errors.New("there are too few users")
	}
	s.list.user = s.users[0]
	s.listed, err = streamGRPC(ctx, r.addrs[portGRPC], s.list, newBoard(), "undisturbed")
	if err == nil && len(s.listed) <= pageSize {
		err = fmt.Errorf("the list has %d events, no more than a page", len(s.listed))
	}
	return err
}

// replace starts the old replicas and the load, and replaces one replica after the other.
func (s *scene) replace(ctx context.Context, from, to string) (string, error) {
	g, err := newGate(ctx, s.graph, s.gates[0])
	if err != nil {
		return "", err
	}
	defer g.close()
	balance, err := newBalancer(ctx)
	if err != nil {
		return "", err
	}
	defer balance.close()
	var all []*replica
	defer func() {
		for _, r := range all {
			r.end()
		}
	}()
	add := func(binary string) (*replica, error) {
		r, err := newReplica(ctx, binary, g.url, s.folder)
		if err == nil {
			all = append(all, r)
			balance.add(r)
		}
		return r, err
	}
	var old [replaced]*replica
	for i := range old {
		if old[i], err = add(from); err != nil {
			return "", err
		}
	}
	l := &load{scene: s, board: newBoard(), balance: balance}
	ctx, cancel := context.WithCancel(ctx)
	// Deferred calls run in reverse: the load is told to stop, it ends, and only then do its replicas.
	defer l.tasks.Wait()
	defer cancel()
	if err := l.start(ctx); err != nil {
		return "", err
	}
	for i := range old {
		if _, err := add(to); err != nil {
			return "", err
		}
		if err := l.stop(ctx, old[i]); err != nil {
			return "", fmt.Errorf("replica %d: %w", i+1, err)
		}
		g.move(s.gates[i+1])
		if err := l.board.wait(ctx, l.streams, func(st state) bool { return st.done || !st.latest.Before(s.gates[i]) }); err != nil {
			return "", err
		}
	}
	if err := l.board.wait(ctx, l.streams, func(st state) bool { return st.done }); err != nil {
		return "", err
	}
	cancel()
	l.tasks.Wait()
	return l.report()
}

// load are the streams and lists.
type load struct {
	*scene

	board   *board
	balance *balancer
	tasks   sync.WaitGroup
	streams []string
	lists   []string
}

// stop ends a replica under the load, as an orchestrator does, and waits until it is gone.
func (l *load) stop(ctx context.Context, r *replica) error {
	return l.during(ctx, func() error {
		if err := r.terminate(); err != nil {
			return err
		}
		return r.wait(ctx)
	})
}

// start starts all streams and lists. Each one has a connection of its own, and each stream is in the middle before the next one begins, so that
// each replica has one of each protocol.
func (l *load) start(ctx context.Context) error {
	for i, user := range l.users {
		for protocol, read := range map[string]func(context.Context, string, query, *board, string) (versions, error){"gRPC": streamGRPC, "REST": streamREST} {
			name := fmt.Sprintf("%s stream %d", protocol, i+1)
			addr := l.balance.addr(map[string]int{"gRPC": portGRPC, "REST": portREST}[protocol])
			q := l.stream
			q.user = user
			l.streams = append(l.streams, name)
			l.tasks.Go(func() {
				got, err := read(ctx, addr, q, l.board, name)
				if err == nil {
					err = check(got, l.want[user])
				}
				if err != nil && ctx.Err() == nil {
					l.board.fail(name, err)
				}
			})
			if err := l.board.wait(ctx, l.streams, func(st state) bool { return st.checkpoints > 0 && !st.latest.IsZero() }); err != nil {
				return err
			}
		}
	}
	for i := range replaced {
		conn, err := grpc.NewClient(l.balance.addr(portGRPC), grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			return err
		}
		l.again(ctx, fmt.Sprintf("gRPC list %d", i+1), pagesGRPC(conn, l.list), func() { _ = conn.Close() })
		client := &http.Client{Transport: &http.Transport{}}
		l.again(ctx, fmt.Sprintf("REST list %d", i+1), pagesREST(client, l.balance.addr(portREST), l.list), client.CloseIdleConnections)
	}
	return l.walked(ctx)
}

// again reads a list until ctx ends.
func (l *load) again(ctx context.Context, name string, read pager, done func()) {
	l.lists = append(l.lists, name)
	l.tasks.Go(func() {
		defer done()
		if err := list(ctx, read, l.listed, l.board, name); err != nil && ctx.Err() == nil {
			l.board.fail(name, err)
		}
	})
}

// walked waits until each list was read once more, from its first page on.
func (l *load) walked(ctx context.Context) error {
	for _, name := range l.lists {
		before := l.board.state(name).walks
		// One walk may have begun earlier.
		if err := l.board.wait(ctx, []string{name}, func(st state) bool { return st.walks > before+1 }); err != nil {
			return err
		}
	}
	return nil
}

// during does something to a replica, and waits until each list was read once more after it.
func (l *load) during(ctx context.Context, act func() error) error {
	if err := act(); err != nil {
		return err
	}
	return l.walked(ctx)
}

// report returns what was read. A stream that was never interrupted is an error.
func (l *load) report() (string, error) {
	l.board.mu.Lock()
	err := l.board.err
	l.board.mu.Unlock()
	if err != nil {
		return "", err
	}
	var report strings.Builder
	for _, name := range l.streams {
		st := l.board.state(name)
		if st.connections < 2 {
			return "", fmt.Errorf("%s was never interrupted", name)
		}
		fmt.Fprintf(&report, "%s to its end over %d connections, ", name, st.connections)
	}
	walks := 0
	for _, name := range l.lists {
		walks += l.board.state(name).walks
	}
	fmt.Fprintf(&report, "%d lists without a failure", walks)
	return report.String(), nil
}
