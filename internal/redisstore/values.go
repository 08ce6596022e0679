package redisstore

import (
	"context"
	"strconv"
	"sync"
	"time"

	"github.com/redis/rueidis"
)

// Get returns the value of a name; nil = there is none.
func (s *Store) Get(ctx context.Context, name string) (value []byte, err error) {
	err = s.do(ctx, OpGet, func(ctx context.Context, client rueidis.Client) (string, error) {
		value, err = client.Do(ctx, client.B().Get().Key(s.name("value", name)).Build()).AsBytes()
		if rueidis.IsRedisNil(err) {
			return ResultMiss, nil
		}
		return ResultHit, err
	})
	return value, err
}

// Set puts a value for a time.
func (s *Store) Set(ctx context.Context, name string, value []byte, life time.Duration) error {
	return s.do(ctx, OpSet, func(ctx context.Context, client rueidis.Client) (string, error) {
		life := max(life.Milliseconds(), 1)
		return ResultOK, client.Do(ctx, client.B().Set().Key(s.name("value", name)).Value(rueidis.BinaryString(value)).PxMilliseconds(life).Build()).Error()
	})
}

// claim returns the value, or takes the lease or holds it for longer, or says for how many milliseconds another replica holds it.
var claim = rueidis.NewLuaScript(`
local value = redis.call('GET', KEYS[1])
if value then return {value} end
local holder = redis.call('GET', KEYS[2])
if not holder or holder == ARGV[1] then
  redis.call('SET', KEYS[2], ARGV[1], 'PX', ARGV[2])
  return {}
end
return {false, redis.call('PTTL', KEYS[2])}`)

// release ends a lease if this replica holds it, and returns whether it did.
var release = rueidis.NewLuaScript(`
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0`)

// Claim returns the value of a name. Without a value it takes the lease of the name for this replica, or begins it anew; held is how long
// another replica holds it yet, 0 = it was taken.
func (s *Store) Claim(ctx context.Context, name string, lease time.Duration) (value []byte, held time.Duration, err error) {
	err = s.do(ctx, OpClaim, func(ctx context.Context, client rueidis.Client) (string, error) {
		keys := []string{s.name("value", name), s.name("lease", name)}
		answer, err := claim.Exec(ctx, client, keys, []string{s.replicaID, strconv.FormatInt(max(lease.Milliseconds(), 1), 10)}).ToArray()
		if err != nil {
			return "", err
		}
		switch len(answer) {
		case 0:
			return ResultMiss, nil
		case 1:
			value, err = answer[0].AsBytes()
			return ResultHit, err
		}
		left, err := answer[1].AsInt64()
		held = time.Duration(max(left, 1)) * time.Millisecond
		return ResultMiss, err
	})
	return value, held, err
}

// Release ends the lease that Claim took and wakes the replicas that wait for it, if this replica still has it.
func (s *Store) Release(ctx context.Context, name string) error {
	return s.do(ctx, OpRelease, func(ctx context.Context, client rueidis.Client) (string, error) {
		ended, err := release.Exec(ctx, client, []string{s.name("lease", name)}, []string{s.replicaID}).AsInt64()
		if err != nil {
			return "", err
		}
		if ended == 0 {
			return ResultMiss, nil
		}
		return ResultOK, client.Do(ctx, client.B().Publish().Channel(s.channel()).Message(name).Build()).Error()
	})
}

// Watch returns a channel that is closed when a lease of the name ends. It is called before Claim, so that no end is missed.
func (s *Store) Watch(name string) (ended <-chan struct{}, cancel func()) {
	return s.leaseWaiters.watch(name)
}

// channel is the channel on which the ends of leases are published.
func (s *Store) channel() string { return s.cfg.Prefix + ":released" }

// listen receives the ends of leases until the store is closed.
func (s *Store) listen(client rueidis.Client) {
	for {
		// The connection is one of its own, since not every server answers commands on one that subscribes. The error is that of a broken
		// connection; whoever waits meanwhile goes on when the lease ends by itself.
		_ = client.Dedicated(func(own rueidis.DedicatedClient) error {
			return own.Receive(s.running, own.B().Subscribe().Channel(s.channel()).Build(), func(m rueidis.PubSubMessage) { s.leaseWaiters.wake(m.Message) })
		})
		if !s.pause(reconnect) {
			return
		}
	}
}

// leaseWaiters holds those who wait for leases to end, by the name of the lease.
type leaseWaiters struct {
	mu      sync.Mutex
	waiting map[string]map[chan struct{}]struct{}
}

// watch returns a channel that is closed when the lease ends. The function cancel ends the wait.
func (w *leaseWaiters) watch(name string) (_ <-chan struct{}, cancel func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.waiting == nil {
		w.waiting = make(map[string]map[chan struct{}]struct{})
	}
	if w.waiting[name] == nil {
		w.waiting[name] = make(map[chan struct{}]struct{})
	}
	ended := make(chan struct{})
	w.waiting[name][ended] = struct{}{}
	return ended, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.waiting[name], ended)
		if len(w.waiting[name]) == 0 {
			delete(w.waiting, name)
		}
	}
}

// wake wakes those who wait for a lease.
func (w *leaseWaiters) wake(name string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for ended := range w.waiting[name] {
		close(ended)
	}
	delete(w.waiting, name)
}

// close wakes everybody.
func (w *leaseWaiters) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, waiting := range w.waiting {
		for ended := range waiting {
			close(ended)
		}
	}
	w.waiting = nil
}
