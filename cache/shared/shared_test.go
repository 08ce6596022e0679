package shared_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"maps"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/parley-gateway/parley/cache"
	"github.com/parley-gateway/parley/cache/shared"
	"github.com/parley-gateway/parley/internal/seal"
)

// memory is a store in memory. It never forgets a value by itself, so that nothing here hangs on the life that a store gives values.
type memory struct {
	mu      sync.Mutex
	values  map[string][]byte
	leases  map[string]held
	waiting map[string][]chan struct{}
	broken  error
}

type held struct {
	by  *replica
	end time.Time
}

// replica is the store as one replica sees it.
type replica struct {
	*memory

	counts map[string]int
}

func newMemory() *memory {
	return &memory{values: map[string][]byte{}, leases: map[string]held{}, waiting: map[string][]chan struct{}{}}
}

func (r *replica) Get(_ context.Context, name string) ([]byte, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.values[name], r.broken
}

func (r *replica) Set(_ context.Context, name string, value []byte, _ time.Duration) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.broken == nil {
		r.values[name] = value
	}
	return r.broken
}

func (r *replica) Claim(_ context.Context, name string, lease time.Duration) ([]byte, time.Duration, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	h, now := r.leases[name], time.Now()
	switch {
	case r.broken != nil || r.values[name] != nil:
		return r.values[name], 0, r.broken
	case h.by != nil && h.by != r && h.end.After(now):
		return nil, h.end.Sub(now), nil
	}
	r.leases[name] = held{r, now.Add(lease)}
	return nil, 0, nil
}

func (r *replica) Release(_ context.Context, name string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.leases[name].by == r {
		delete(r.leases, name)
	}
	for _, told := range r.waiting[name] {
		close(told)
	}
	delete(r.waiting, name)
	return r.broken
}

func (r *replica) Watch(name string) (<-chan struct{}, func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	told := make(chan struct{})
	r.waiting[name] = append(r.waiting[name], told)
	return told, func() {}
}

func (r *replica) SharedRequest(op, result string, _ time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.counts[op+" "+result]++
}

func (r *replica) count(what string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.counts[what]
}

func fresh(t *testing.T) []byte {
	t.Helper()
	key := make([]byte, 32)
	if _, err := rand.Read(key); err != nil {
		t.Fatal(err)
	}
	return key
}

// join returns the values of a replica with keys of its own, and its view of the store.
func join(t *testing.T, m *memory, build string, keys ...[]byte) (*shared.Values, *replica) {
	t.Helper()
	sealer, err := seal.New(keys...)
	if err != nil {
		t.Fatal(err)
	}
	r := &replica{m, map[string]int{}}
	v, err := shared.New(shared.Config{Store: r, Leases: r, Sealer: sealer, Build: build, Observer: r})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.Close)
	return v, r
}

func put(v *shared.Values, key, text string, life time.Duration) {
	v.Put(key, time.Now(), life, int64(len(text)), func() []byte { return []byte(text) })
	synctest.Wait()
}

func get(ctx context.Context, v *shared.Values, key string) string {
	value := v.Get(ctx, key)
	if value == nil {
		return "none"
	}
	return string(value.Bytes)
}

// TestAValueIsFoundByReplicasOfTheSameBuildAndKeys holds who finds a value: replicas of the same build with a key that opens it, while it may be served.
func TestAValueIsFoundByReplicasOfTheSameBuildAndKeys(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		first, second := fresh(t), fresh(t)
		m := newMemory()
		one, _ := join(t, m, "b", first)
		other, counted := join(t, m, "b", first, second)
		stranger, _ := join(t, m, "b", second)
		newer, _ := join(t, m, "b2", first)
		put(one, "key", "value", time.Minute)
		for what, c := range map[string]struct {
			from *shared.Values
			key  string
			want string
		}{
			"itself": {one, "key", "value"}, "another replica": {other, "key", "value"}, "another key": {other, "key2", "none"},
			"without the key of the seal": {stranger, "key", "none"}, "another build": {newer, "key", "none"},
		} {
			if got := get(t.Context(), c.from, c.key); got != c.want {
				t.Errorf("%s: %s, want %s", what, got, c.want)
			}
		}
		time.Sleep(30 * time.Second)
		noCache := cache.WithControl(t.Context(), cache.Control{NoCache: true})
		young := 20 * time.Second
		aged := cache.WithControl(t.Context(), cache.Control{MaxAge: &young})
		if a, b, c := get(t.Context(), other, "key"), get(noCache, other, "key"), get(aged, other, "key"); a != "value" || b != "none" || c != "none" {
			t.Errorf("after 30 s: %s, with no-cache %s, with max-age=20 %s", a, b, c)
		}
		time.Sleep(31 * time.Second)
		if got := get(t.Context(), other, "key"); got != "none" {
			t.Errorf("after its life: %s", got)
		}
		if n := counted.count("get invalid"); n != 0 {
			t.Errorf("%d values are invalid", n)
		}
	})
}

// TestAnythingButASealedValueIsAMiss holds that whatever the store answers in place of a value is a miss that is counted.
func TestAnythingButASealedValueIsAMiss(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, key := newMemory(), fresh(t)
		v, counted := join(t, m, "b", key)
		put(v, "a", "value of a", time.Hour)
		name := slices.Collect(maps.Keys(m.values))[0]
		good := m.values[name]
		put(v, "b", "value of b", time.Hour)
		var others []byte
		for n, value := range m.values {
			if n != name {
				others = value
			}
		}
		answers := make([][]byte, 0, 5+2*len(good))
		answers = append(answers, []byte{}, []byte("x"), others, append(bytes.Clone(good), 0), bytes.Repeat([]byte{'s'}, 100))
		for i := range good {
			flipped := bytes.Clone(good)
			flipped[i] ^= 1
			answers = append(answers, flipped, good[:i])
		}
		for i, answer := range answers {
			m.values[name] = answer
			if got := get(t.Context(), v, "a"); got != "none" {
				t.Fatalf("answer %d: %s", i, got)
			}
			if n := counted.count("get invalid"); n != i+1 {
				t.Fatalf("answer %d: counted %d", i, n)
			}
		}
		m.values[name] = good
		if got := get(t.Context(), v, "a"); got != "value of a" {
			t.Error(got)
		}
		for n, value := range m.values {
			if bytes.Contains(value, []byte("value")) || n == "a" {
				t.Error("a value is in clear text")
			}
		}
	})
}

// TestReplicasMakeAValueOnce holds that replicas which want one value make it once, and wait for nobody who is gone or fails.
func TestReplicasMakeAValueOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, key := newMemory(), fresh(t)
		one, _ := join(t, m, "b", key)
		other, _ := join(t, m, "b", key)
		begin := time.Now()
		// A value that takes longer than a lease is waited for.
		value, done := one.Claim(t.Context(), "slow", time.Hour)
		if value != nil {
			t.Fatal("a value that nobody made")
		}
		got := make(chan string)
		claim := func(ctx context.Context, key string, patience time.Duration) {
			value, done := other.Claim(ctx, key, patience)
			defer done()
			if value == nil {
				got <- "none"
				return
			}
			got <- string(value.Bytes)
		}
		go claim(t.Context(), "slow", time.Hour)
		time.Sleep(time.Minute)
		one.Put("slow", time.Now(), time.Hour, 5, func() []byte { return []byte("value") })
		done()
		if text := <-got; text != "value" || time.Since(begin) != time.Minute {
			t.Errorf("a slow value: %s after %v", text, time.Since(begin))
		}
		// One that does not come is made by the other.
		_, done = one.Claim(t.Context(), "failed", time.Hour)
		go claim(t.Context(), "failed", time.Hour)
		synctest.Wait()
		done()
		if text := <-got; text != "none" {
			t.Error("failed:", text)
		}
		// Nobody waits beyond patience, or after leaving.
		_, done = one.Claim(t.Context(), "long", time.Hour)
		defer done()
		begin = time.Now()
		go claim(t.Context(), "long", 2*time.Second)
		if text := <-got; text != "none" || time.Since(begin) != 2*time.Second {
			t.Errorf("impatient: %s after %v", text, time.Since(begin))
		}
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		begin = time.Now()
		go claim(ctx, "long", time.Hour)
		if text := <-got; text != "none" || time.Since(begin) != 3*time.Second {
			t.Errorf("left: %s after %v", text, time.Since(begin))
		}
		// A replica that is gone is waited for as long as its lease.
		third, _ := join(t, m, "b", key)
		_, _ = third.Claim(t.Context(), "gone", time.Hour)
		third.Close()
		begin = time.Now()
		go claim(t.Context(), "gone", time.Hour)
		if text := <-got; text != "none" || time.Since(begin) > 5*time.Second {
			t.Errorf("gone: %s after %v", text, time.Since(begin))
		}
		// A store that does not answer costs nothing.
		m.mu.Lock()
		m.broken = errors.New("down")
		m.mu.Unlock()
		begin = time.Now()
		go claim(t.Context(), "new", time.Hour)
		if text := <-got; text != "none" || time.Since(begin) != 0 {
			t.Errorf("down: %s after %v", text, time.Since(begin))
		}
	})
}

// rotated is a sealer whose keys change.
type rotated struct{ shared.Sealer }

// TestALeaseEndsAfterTheKeysHaveChanged holds that a replica lets go of a lease that it took under keys which have changed since.
func TestALeaseEndsAfterTheKeysHaveChanged(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, before := newMemory(), fresh(t)
		sealers := make([]shared.Sealer, 2)
		for i, key := range [][]byte{before, fresh(t)} {
			sealer, err := seal.New(key)
			if err != nil {
				t.Fatal(err)
			}
			sealers[i] = sealer
		}
		keys, r := &rotated{sealers[0]}, &replica{m, map[string]int{}}
		one, err := shared.New(shared.Config{Store: r, Leases: r, Sealer: keys, Build: "b", Observer: r})
		if err != nil {
			t.Fatal(err)
		}
		defer one.Close()
		_, done := one.Claim(t.Context(), "key", time.Hour)
		keys.Sealer = sealers[1]
		done()
		synctest.Wait()
		time.Sleep(time.Minute) // renewals of what is held
		other, _ := join(t, m, "b", before)
		begin := time.Now()
		_, done = other.Claim(t.Context(), "key", time.Hour)
		defer done()
		if waited := time.Since(begin); waited != 0 {
			t.Errorf("waited %v for a lease that has ended", waited)
		}
	})
}

// TestValuesWithoutRoomAreDropped holds that values which nobody has time to put are dropped and counted, and those that are too long.
func TestValuesWithoutRoomAreDropped(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		v, counted := join(t, m, "b", fresh(t))
		gate := make(chan struct{})
		v.Put("first", time.Now(), time.Hour, 1, func() []byte { <-gate; return []byte{} })
		synctest.Wait()
		for range 300 {
			v.Put("key", time.Now(), time.Hour, 1<<18, func() []byte { return []byte{} })
		}
		close(gate)
		synctest.Wait()
		if n := counted.count("set dropped"); n != 300-127 {
			t.Errorf("%d dropped", n)
		}
		long := make([]byte, 5<<20)
		if _, err := rand.Read(long); err != nil {
			t.Fatal(err)
		}
		put(v, "long", string(long), time.Hour)
		if diff := cmp.Diff([]int{300 - 127 + 1, 2}, []int{counted.count("set dropped"), len(m.values)}); diff != "" {
			t.Error(diff)
		}
		put(v, "old", "x", -time.Second)
		v.Put("none", time.Now(), time.Hour, 1, func() []byte { return nil })
		synctest.Wait()
		if len(m.values) != 2 {
			t.Error("a value without a life is put, or none")
		}
	})
}
