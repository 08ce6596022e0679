package redisstore

import (
	"context"
	"strconv"
	"time"

	"github.com/redis/rueidis"
)

// Times of the heartbeat.
const (
	// Heartbeat is how often a replica says that it is there.
	Heartbeat = 2 * time.Second
	// gone is how long a replica counts after its last heartbeat.
	gone = 10 * time.Second
)

// beat notes this replica and returns the number of those that are there. It takes out those that are gone first: a server that is full
// allows a script to add something once it has written.
var beat = rueidis.NewLuaScript(`
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[2])
redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return redis.call('ZCARD', KEYS[1])`)

// Replicas returns the number of replicas that were last seen, this one included; 0 = none ever was.
func (s *Store) Replicas() int { return int(s.replicas.Load()) }

// beats says that this replica is there, until the store is closed. It also finds out that a store is back that nobody asks.
func (s *Store) beats() {
	for {
		_ = s.Beat(s.running) // a failure is counted and logged by do
		if !s.pause(Heartbeat) {
			return
		}
	}
}

// Beat says that this replica is there and counts the others.
func (s *Store) Beat(ctx context.Context) error {
	return s.do(ctx, OpHeartbeat, func(ctx context.Context, client rueidis.Client) (string, error) {
		n, err := beat.Exec(ctx, client, []string{s.name("replicas", "all")}, []string{s.self, strconv.FormatInt(gone.Milliseconds(), 10)}).AsInt64()
		if err == nil {
			s.replicas.Store(n)
			s.beaten()
		}
		return ResultOK, err
	})
}

// leave takes this replica out, so that the others need not wait until it counts no more.
func (s *Store) leave(client rueidis.Client) {
	ctx, cancel := context.WithTimeout(context.Background(), s.cfg.Timeout)
	defer cancel()
	_ = client.Do(ctx, client.B().Zrem().Key(s.name("replicas", "all")).Member(s.self).Build()).Error()
}
