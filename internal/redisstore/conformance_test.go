package redisstore_test

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	miniserver "github.com/alicebob/miniredis/v2/server"
	"go.uber.org/goleak"

	"github.com/parley-gateway/parley/graphclient/ratelimit/pooltest"
	"github.com/parley-gateway/parley/internal/redisstore"
)

// The library refreshes its view of a cluster in goroutines that end by themselves within seconds.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/redis/rueidis.(*call).DelayDo.func1"),
		goleak.IgnoreAnyFunction("github.com/redis/rueidis.(*clusterClient)._refresh.func2"))
}

// TestMiniredis holds the store to its contract over an implementation of Redis in the process; the tag stores adds real servers.
func TestMiniredis(t *testing.T) {
	t.Parallel()
	server := miniredis.RunT(t) // ends after the parts
	conformance(t, func(cfg *redisstore.Config) { cfg.URL = "redis://" + server.Addr() })
}

// conformance holds a store to its contract. Each part has names of its own.
func conformance(t *testing.T, over func(*redisstore.Config)) {
	t.Helper()
	connected := func(t *testing.T, prefix string) *redisstore.Store {
		t.Helper()
		return connect(t, prefix, over)
	}
	t.Run("values", func(t *testing.T) {
		t.Parallel()
		values(t, connected)
	})
	t.Run("leases", func(t *testing.T) {
		t.Parallel()
		leases(t, connected)
	})
	t.Run("replicas", func(t *testing.T) {
		t.Parallel()
		replicas(t, connected)
	})
	t.Run("replicas with other keys", func(t *testing.T) {
		t.Parallel()
		strangers(t, over)
	})
	t.Run("pool", func(t *testing.T) {
		t.Parallel()
		first, second := connected(t, "pool"), connected(t, "pool")
		pooltest.Contract(t, func(*testing.T) (one, other pooltest.Pools) {
			return first.Pool("app", shouted), second.Pool("app", shouted)
		})
	})
}

// shouted is a code that tests can read.
func shouted(name string) string { return strings.ToUpper(name) }

// connect returns a store that has reached its server.
func connect(t *testing.T, prefix string, over func(*redisstore.Config)) *redisstore.Store {
	t.Helper()
	return connectLogged(t, prefix, over, slog.New(slog.DiscardHandler))
}

// connectLogged is connect with a log.
func connectLogged(t *testing.T, prefix string, over func(*redisstore.Config), log *slog.Logger) *redisstore.Store {
	t.Helper()
	// No check here is about time, and a busy machine may take its own.
	cfg := redisstore.Config{Prefix: prefix, Timeout: 10 * time.Second}
	over(&cfg)
	store, err := redisstore.New(cfg, log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.Close)
	store.Start()
	await(t, "a connection", func() bool { return store.Beat(t.Context()) == nil })
	return store
}

// await waits until something holds.
func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for !holds() {
		select {
		case <-ctx.Done():
			t.Fatalf("still waiting for %s", what)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func values(t *testing.T, connected func(*testing.T, string) *redisstore.Store) {
	t.Helper()
	one, other := connected(t, "values"), connected(t, "values")
	elsewhere := connected(t, "elsewhere")
	if value, err := one.Get(t.Context(), "a"); value != nil || err != nil {
		t.Errorf("a name that nobody put: %q, %v", value, err)
	}
	long := strings.Repeat("\x00\xff\r\n", 1<<18)
	for name, want := range map[string]string{"a": "one", "b": "", "c": long} {
		if err := one.Set(t.Context(), name, []byte(want), time.Hour); err != nil {
			t.Fatal(err)
		}
		if value, err := other.Get(t.Context(), name); err != nil || string(value) != want || value == nil {
			t.Errorf("%s: %d bytes, want %d, %v", name, len(value), len(want), err)
		}
		if value, err := elsewhere.Get(t.Context(), name); value != nil || err != nil {
			t.Errorf("%s under another prefix: %d bytes, %v", name, len(value), err)
		}
	}
}

func leases(t *testing.T, connected func(*testing.T, string) *redisstore.Store) {
	t.Helper()
	leader, follower := connected(t, "leases"), connected(t, "leases")
	if value, held, err := leader.Claim(t.Context(), "a", time.Hour); value != nil || held != 0 || err != nil {
		t.Fatalf("the first: %q, held %v, %v", value, held, err)
	}
	if _, held, err := leader.Claim(t.Context(), "a", time.Hour); held != 0 || err != nil {
		t.Errorf("the holder again: held %v, %v", held, err)
	}
	if _, held, err := follower.Claim(t.Context(), "b", time.Hour); held != 0 || err != nil {
		t.Errorf("another name: held %v, %v", held, err)
	}
	// The subscription may begin after the first tries; the lease is ended until one of its ends is heard.
	await(t, "the end of a lease", func() bool {
		ended, cancel := follower.Watch("a")
		defer cancel()
		if value, held, err := follower.Claim(t.Context(), "a", time.Hour); value != nil || held <= 0 || held > time.Hour || err != nil {
			t.Fatalf("the second: %q, held %v, %v", value, held, err)
		}
		if err := follower.Release(t.Context(), "a"); err != nil { // is not its own
			t.Fatal(err)
		}
		if _, held, err := follower.Claim(t.Context(), "a", time.Hour); held <= 0 || err != nil {
			t.Fatalf("a replica ended the lease of another: held %v, %v", held, err)
		}
		if err := leader.Release(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		if _, held, err := leader.Claim(t.Context(), "a", time.Hour); held != 0 || err != nil {
			t.Fatalf("after the end: held %v, %v", held, err)
		}
		select {
		case <-ended:
			return true
		case <-time.After(10 * time.Millisecond):
			return false
		}
	})
	if err := leader.Set(t.Context(), "a", []byte("value"), time.Hour); err != nil {
		t.Fatal(err)
	}
	if value, held, err := follower.Claim(t.Context(), "a", time.Hour); string(value) != "value" || held != 0 || err != nil {
		t.Errorf("a value: %q, held %v, %v", value, held, err)
	}
}

func replicas(t *testing.T, connected func(*testing.T, string) *redisstore.Store) {
	t.Helper()
	one, other := connected(t, "replicas"), connected(t, "replicas")
	if err := one.Beat(t.Context()); err != nil || one.Replicas() != 2 {
		t.Errorf("%d replicas, %v", one.Replicas(), err)
	}
	other.Close()
	if err := one.Beat(t.Context()); err != nil || one.Replicas() != 1 {
		t.Errorf("%d replicas after one has left, %v", one.Replicas(), err)
	}
	if err := other.Beat(t.Context()); err == nil {
		t.Error("a closed store answers")
	}
}

// strangers holds that replicas which use other names know of each other, and that a limit is divided between them.
func strangers(t *testing.T, over func(*redisstore.Config)) {
	t.Helper()
	var key atomic.Pointer[string]
	other, none, third := "another ", "", "a third "
	key.Store(&other)
	one, second := connect(t, "strangers", over), connect(t, "strangers", over)
	stranger := connect(t, "strangers", func(cfg *redisstore.Config) {
		over(cfg)
		cfg.Names = func(text string) string { return *key.Load() + text }
	})
	parts := func(replicas int, most, own float64) {
		t.Helper()
		for store, want := range map[*redisstore.Store]float64{one: most, second: most, stranger: own} {
			if err := store.Beat(t.Context()); err != nil || store.Replicas() != replicas || store.Part() != want {
				t.Errorf("%d replicas, part %v, want %d and %v, %v", store.Replicas(), store.Part(), replicas, want, err)
			}
		}
	}
	parts(3, 2./3, 1./3)
	key.Store(&none) // the file of keys has changed
	if err := stranger.Beat(t.Context()); err != nil {
		t.Fatal(err)
	}
	parts(3, 1, 1)
	key.Store(&third)
	if err := stranger.Beat(t.Context()); err != nil {
		t.Fatal(err)
	}
	parts(3, 2./3, 1./3)
}

// counts counts operations by name and result.
type counts struct {
	mu sync.Mutex
	of map[string]int
}

func (c *counts) SharedRequest(op, result string, _ time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.of == nil {
		c.of = make(map[string]int)
	}
	c.of[op+" "+result]++
}

func (c *counts) get(what string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.of[what]
}

// TestASilentServerCostsOneTimeout holds that a server that takes connections and does not answer costs each operation the timeout at most, and after a
// few nothing at all.
func TestASilentServerCostsOneTimeout(t *testing.T) {
	t.Parallel()
	server := miniredis.RunT(t)
	held := &link{open: make(chan struct{})}
	close(held.open)
	server.Server().SetPreHook(func(*miniserver.Peer, string, ...string) bool {
		held.pass()
		return false
	})
	var seen counts
	store, err := redisstore.New(redisstore.Config{URL: "redis://" + server.Addr(), Timeout: 50 * time.Millisecond, Observer: &seen}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.Close)
	if _, err := store.Get(t.Context(), "a"); err == nil || seen.get("get open") != 1 {
		t.Errorf("before the start: %v, %v", err, seen.of)
	}
	store.Start()
	await(t, "a connection", func() bool { return store.Set(t.Context(), "a", []byte("value"), time.Hour) == nil })
	held.hold()
	await(t, "a pause", func() bool {
		_, err := store.Get(t.Context(), "a")
		return err != nil && seen.get("get open") > 1
	})
	if store.Up() {
		t.Error("a silent store is up")
	}
	held.let()
	await(t, "the store again", func() bool {
		value, err := store.Get(t.Context(), "a")
		return err == nil && string(value) == "value"
	})
	if !store.Up() {
		t.Error("a store that answers is not up")
	}
	server.Close()
	await(t, "the end of the server", func() bool {
		_, err := store.Get(t.Context(), "a")
		return err != nil
	})
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := store.Get(canceled, "a"); err == nil {
		t.Error("a caller who has left got an answer")
	}
}

// link is where commands can be held.
type link struct {
	mu   sync.Mutex
	open chan struct{} // closed = commands pass
}

func (l *link) pass() {
	l.mu.Lock()
	open := l.open
	l.mu.Unlock()
	<-open
}

func (l *link) hold() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open = make(chan struct{})
}

func (l *link) let() {
	l.mu.Lock()
	defer l.mu.Unlock()
	close(l.open)
}

func TestConfig(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		cfg  redisstore.Config
		want string
	}{
		"no URL":           {redisstore.Config{}, "URL: is not the URL of a store"},
		"no scheme":        {redisstore.Config{URL: "localhost:6379"}, "URL: is not the URL of a store"},
		"http":             {redisstore.Config{URL: "http://a:1"}, "URL: is not the URL of a store"},
		"a password":       {redisstore.Config{URL: "redis://:secret@a:1"}, "URL: must hold no user and no password"},
		"unverified":       {redisstore.Config{URL: "rediss://a:1?skip_verify=true"}, "URL: has a parameter that is not known"},
		"a path":           {redisstore.Config{URL: "redis://a:1/x"}, "URL: is not the URL of a store"},
		"prefix":           {redisstore.Config{URL: "redis://a:1", Prefix: "a b"}, "Prefix: is not a prefix"},
		"no password file": {redisstore.Config{URL: "redis://a:1", PasswordFile: "/does/not/exist"}, "PasswordFile: "},
		"user alone":       {redisstore.Config{URL: "redis://a:1", Username: "u"}, "Username: needs a password"},
		"CA of clear text": {redisstore.Config{URL: "redis://a:1", CAFile: "conformance_test.go"}, "CAFile: is for a store over TLS"},
		"CA without any":   {redisstore.Config{URL: "rediss://a:1", CAFile: "conformance_test.go"}, "CAFile: holds no certificate"},
		"negative timeout": {redisstore.Config{URL: "redis://a:1", Timeout: -1}, "Timeout: must not be negative"},
	} {
		if _, err := redisstore.New(c.cfg, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
	}
	for _, url := range []string{"redis://a:1", "rediss://a:1/2", "redis://a:1?addr=b:2&addr=c:3", "redis://a:1?addr=b:1&master_set=m"} {
		store, err := redisstore.New(redisstore.Config{URL: url}, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Errorf("%s: %v", url, err)
			continue
		}
		store.Close()
	}
}
