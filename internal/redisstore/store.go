package redisstore

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"
)

// ErrUnavailable is the error of every operation that the store did not answer. Its text says no more, so that no address and no name is
// logged; the log has one line about it.
var ErrUnavailable = errors.New("the shared store is not available")

var errAnswer = errors.New("the shared store gave an answer of another form")

// Operations, as metrics name them.
const (
	OpGet       = "get"
	OpSet       = "set"
	OpClaim     = "claim"
	OpRelease   = "release"
	OpHeartbeat = "heartbeat"
	OpReserve   = "reserve" // a slot of Graph's limits
	OpGate      = "gate"    // a Retry-After
	OpDay       = "day"     // a caller's day
)

// Operations returns the names of all operations.
func Operations() []string {
	return []string{OpGet, OpSet, OpClaim, OpRelease, OpHeartbeat, OpReserve, OpGate, OpDay}
}

// Results of operations, as metrics name them.
const (
	ResultOK      = "ok"
	ResultHit     = "hit"
	ResultMiss    = "miss"
	ResultInvalid = "invalid" // a value that does not open or does not decode
	ResultTimeout = "timeout"
	ResultError   = "error"
	ResultOpen    = "open"    // the store is left alone
	ResultDropped = "dropped" // more is to be written than there is room for
)

// Results returns all results.
func Results() []string {
	return []string{ResultOK, ResultHit, ResultMiss, ResultInvalid, ResultTimeout, ResultError, ResultOpen, ResultDropped}
}

// Store is a Redis or Valkey that replicas share. It is safe for concurrent use.
type Store struct {
	cfg       Config
	option    rueidis.ClientOption
	log       *slog.Logger
	replicaID string // names this replica

	client       atomic.Pointer[rueidis.Client] // nil before the first connection
	breaker      breaker
	leaseWaiters leaseWaiters

	down     atomic.Bool // as the log has said
	troubled atomic.Bool // an operation has failed since the last heartbeat

	replicas atomic.Int64 // that were last seen
	sameKeys atomic.Int64 // of them, those with the same keys as this one
	ownSet   atomic.Value // name of the set in which this replica stands; string

	start   sync.Once
	stop    context.CancelFunc
	running context.Context //nolint:containedctx // ends with Close
	tasks   sync.WaitGroup
}

// New checks the configuration and returns a store that is not connected: Start connects. Errors are field errors.
func New(cfg Config, log *slog.Logger) (*Store, error) {
	cfg, option, err := cfg.complete()
	if err != nil {
		return nil, err
	}
	var id [16]byte
	if _, err := rand.Read(id[:]); err != nil {
		return nil, fmt.Errorf("the name of this replica: %w", err)
	}
	s := &Store{cfg: cfg, option: option, log: log, replicaID: hex.EncodeToString(id[:])}
	s.running, s.stop = context.WithCancel(context.Background())
	return s, nil
}

// Start connects in the background and goes on trying until Close.
func (s *Store) Start() {
	s.start.Do(func() { s.tasks.Go(s.run) })
}

// Close ends the connections and waits for what runs. Operations after it return ErrUnavailable.
func (s *Store) Close() {
	s.stop()
	if client := s.client.Load(); client != nil {
		s.signOff(*client)
		(*client).Close()
	}
	s.tasks.Wait()
	s.leaseWaiters.close()
}

// reconnect is how long the first connection is waited for, and the pause between two tries.
const reconnect = time.Second

// run connects, and keeps the subscription and the heartbeat going.
func (s *Store) run() {
	client := s.connect()
	if client == nil {
		return
	}
	defer client.Close()
	var tasks sync.WaitGroup
	tasks.Go(func() { s.listen(client) })
	tasks.Go(s.runHeartbeat)
	tasks.Wait()
}

// connect makes the first connection; nil = the store was closed before. Later ones are the library's.
func (s *Store) connect() rueidis.Client {
	for {
		client, err := rueidis.NewClient(s.option)
		if err == nil {
			s.client.Store(&client)
			return client
		}
		s.noteFailure(err)
		if !s.pause(reconnect) {
			return nil
		}
	}
}

// pause waits; false = the store was closed.
func (s *Store) pause(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-s.running.Done():
		return false
	}
}

// name is a name in the store. What has the same group lies on one server of a cluster.
func (s *Store) name(kind, group string) string {
	return s.cfg.Prefix + ":" + kind + ":{" + group + "}"
}

// do runs an operation within the timeout. It returns ErrUnavailable, or the error of a context that ended before.
func (s *Store) do(ctx context.Context, op string, run func(context.Context, rueidis.Client) (result string, err error)) error {
	begin := time.Now()
	client := s.client.Load()
	if client == nil || s.running.Err() != nil || !s.breaker.enter(begin) { // after Close too: the client of a cluster connects anew when it is asked
		s.cfg.Observer.SharedRequest(op, ResultOpen, 0)
		return ErrUnavailable
	}
	bounded, cancel := context.WithTimeout(ctx, s.cfg.Timeout)
	defer cancel()
	result, err := run(bounded, *client)
	took := time.Since(begin)
	if err == nil {
		s.breaker.leave(true, time.Now())
		s.cfg.Observer.SharedRequest(op, result, took)
		return nil
	}
	if ctx.Err() != nil { // the caller has left: this says nothing about the store
		return ctx.Err()
	}
	result = ResultError
	if errors.Is(err, context.DeadlineExceeded) {
		result = ResultTimeout
	}
	s.cfg.Observer.SharedRequest(op, result, took)
	s.breaker.leave(false, time.Now())
	s.noteFailure(err)
	return ErrUnavailable
}

// noteFailure logs that the store has gone, with the error of an operation.
func (s *Store) noteFailure(err error) {
	s.troubled.Store(true)
	if s.running.Err() == nil && !s.down.Swap(true) {
		s.log.LogAttrs(context.Background(), slog.LevelWarn, "the shared store does not answer; this replica goes on by itself",
			slog.String("trouble", troubleOf(err)), slog.Int64("replicas_last_seen", s.replicas.Load()))
	}
}

// heartbeatAnswered logs, at a heartbeat, that the store is back: when no operation has failed since the one before. A store may answer some operations
// and fail others, such as one that is full.
func (s *Store) heartbeatAnswered() {
	if !s.troubled.Swap(false) && s.down.Swap(false) {
		s.log.LogAttrs(context.Background(), slog.LevelInfo, "the shared store answers again")
	}
}

// Up reports whether the store answered the last operation.
func (s *Store) Up() bool { return s.client.Load() != nil && s.breaker.answering() }
