package redisstore

import (
	"context"
	"log/slog"
	"strconv"
	"time"

	"github.com/redis/rueidis"
)

// Times of the heartbeat.
const (
	// Heartbeat is how often a replica says that it is there.
	Heartbeat = 2 * time.Second
	// replicaTTL is how long a replica counts after its last heartbeat.
	replicaTTL = 10 * time.Second
)

// beat notes this replica in the sets KEYS, of all replicas and of those with the same names, and returns how many each has. It takes the
// replica out of KEYS[3], where it stood before. It takes out those that are gone first: a server that is full allows a script to add
// something once it has written.
var beat = rueidis.NewLuaScript(`
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZREM', KEYS[3], ARGV[1])
for i = 1, 2 do
  redis.call('ZREMRANGEBYSCORE', KEYS[i], '-inf', now - ARGV[2])
  redis.call('ZADD', KEYS[i], now, ARGV[1])
  redis.call('PEXPIRE', KEYS[i], ARGV[2])
end
return {redis.call('ZCARD', KEYS[1]), redis.call('ZCARD', KEYS[2])}`)

// Replicas returns the number of replicas that were last seen, this one included; 0 = none ever was.
func (s *Store) Replicas() int { return int(s.replicas.Load()) }

// Part returns the part of a limit that replicas with the same names have together: they do not find the limits of the others.
func (s *Store) Part() float64 {
	all, sameKeys := s.replicas.Load(), s.sameKeys.Load()
	if sameKeys <= 0 || sameKeys >= all {
		return 1
	}
	return float64(sameKeys) / float64(all)
}

// runHeartbeat says that this replica is there, until the store is closed. It also finds out that a store is back that nobody asks.
func (s *Store) runHeartbeat() {
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
		all := s.name("replicas", "all")
		own := all + ":" + s.cfg.Names("replicas")
		before, stood := s.ownSet.Load().(string)
		if !stood {
			before = own
		}
		seen, err := beat.Exec(ctx, client, []string{all, own, before}, []string{s.replicaID, strconv.FormatInt(replicaTTL.Milliseconds(), 10)}).AsIntSlice()
		if err != nil {
			return "", err
		}
		if len(seen) != 2 {
			return "", errAnswer
		}
		s.ownSet.Store(own)
		s.noteReplicas(seen[0], seen[1])
		s.heartbeatAnswered()
		return ResultOK, nil
	})
}

// noteReplicas stores how many replicas there are, and logs when some have other keys.
func (s *Store) noteReplicas(all, sameKeys int64) {
	mixed := s.Part() < 1
	s.replicas.Store(all)
	s.sameKeys.Store(sameKeys)
	if sameKeys < all && !mixed {
		s.log.LogAttrs(context.Background(), slog.LevelWarn, "other replicas have other shared keys, and share nothing with this one; each group keeps to its part of the limits",
			slog.Int64("replicas", all), slog.Int64("with_these_keys", sameKeys))
	}
}

// signOff takes this replica out, so that the others need not wait until it counts no more.
func (s *Store) signOff(client rueidis.Client) {
	ctx, cancel := context.WithTimeout(context.Background(), s.cfg.Timeout)
	defer cancel()
	names := []string{s.name("replicas", "all")}
	if own, stood := s.ownSet.Load().(string); stood {
		names = append(names, own)
	}
	for _, name := range names {
		_ = client.Do(ctx, client.B().Zrem().Key(name).Member(s.replicaID).Build()).Error()
	}
}
