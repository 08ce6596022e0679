//go:build stores

package redisstore_test

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/parley-gateway/parley/graphclient/ratelimit"
	"github.com/parley-gateway/parley/internal/redisstore"
	"github.com/parley-gateway/parley/internal/redisstore/redistest"
)

const password = "a-test's-own"

// TestServers holds the store to its contract over redis-server and valkey-server. `make test-stores` runs it.
func TestServers(t *testing.T) {
	t.Parallel()
	for _, program := range []string{redistest.Redis, redistest.Valkey} {
		t.Run(program, func(t *testing.T) {
			t.Parallel()
			server := redistest.Start(t, redistest.Options{Program: program})
			conformance(t, func(cfg *redisstore.Config) { cfg.URL = server.URL() })
		})
		t.Run(program+", a password", func(t *testing.T) {
			t.Parallel()
			server := redistest.Start(t, redistest.Options{Program: program, Args: []string{"--requirepass", password}})
			file := passwordFile(t, password)
			conformance(t, func(cfg *redisstore.Config) { cfg.URL, cfg.PasswordFile = server.URL(), file })
		})
		t.Run(program+", a user with few rights", func(t *testing.T) {
			t.Parallel()
			server := redistest.Start(t, redistest.Options{Program: program, Args: userOfFewRights(t, false)})
			file := passwordFile(t, password)
			conformance(t, func(cfg *redisstore.Config) {
				cfg.URL, cfg.Username, cfg.PasswordFile, cfg.Prefix = server.URL(), "parley", file, "parley."+cfg.Prefix
			})
		})
		t.Run(program+", a cluster", func(t *testing.T) {
			t.Parallel()
			cluster := redistest.StartCluster(t, redistest.Options{Program: program}, 3, false)
			conformance(t, func(cfg *redisstore.Config) { cfg.URL = cluster.Masters[1].URL() }) // one address will do
		})
		t.Run(program+", a cluster, a user with few rights", func(t *testing.T) {
			t.Parallel()
			cluster := redistest.StartCluster(t, redistest.Options{Program: program, Args: userOfFewRights(t, true)}, 3, false)
			file := passwordFile(t, password)
			conformance(t, func(cfg *redisstore.Config) {
				cfg.URL, cfg.Username, cfg.PasswordFile, cfg.Prefix = cluster.URL(), "parley", file, "parley."+cfg.Prefix
			})
		})
	}
	authority := redistest.NewAuthority(t)
	t.Run("TLS", func(t *testing.T) {
		t.Parallel()
		server := redistest.Start(t, redistest.Options{Authority: authority})
		conformance(t, func(cfg *redisstore.Config) { cfg.URL, cfg.CAFile = server.URL(), authority.File })
	})
	t.Run("a cluster with TLS, a user with few rights", func(t *testing.T) {
		t.Parallel()
		cluster := redistest.StartCluster(t, redistest.Options{Authority: authority, Args: userOfFewRights(t, true)}, 3, false)
		file := passwordFile(t, password)
		conformance(t, func(cfg *redisstore.Config) {
			cfg.URL, cfg.CAFile, cfg.Username, cfg.PasswordFile, cfg.Prefix = cluster.URL(), authority.File, "parley", file, "parley."+cfg.Prefix
		})
	})
}

// TestTheLogNamesTheTrouble holds that the log says in a word why a store cannot be used, and that nobody waits for it.
func TestTheLogNamesTheTrouble(t *testing.T) {
	t.Parallel()
	authority := redistest.NewAuthority(t)
	overTLS := redistest.Start(t, redistest.Options{Authority: authority})
	cluster := redistest.StartCluster(t, redistest.Options{Authority: authority}, 3, false)
	locked := redistest.Start(t, redistest.Options{Args: userOfFewRights(t, false)})
	full := redistest.Start(t, redistest.Options{Args: []string{"--maxmemory", "1", "--maxmemory-policy", "noeviction"}})
	other := redistest.NewAuthority(t).File
	for name, c := range map[string]struct {
		cfg  redisstore.Config
		want string
	}{
		"another authority":              {redisstore.Config{URL: overTLS.URL(), CAFile: other}, "certificate"},
		"another authority of a cluster": {redisstore.Config{URL: cluster.URL(), CAFile: other}, "certificate"},
		"an authority of the system's":   {redisstore.Config{URL: overTLS.URL()}, "certificate"},
		"another name": {
			redisstore.Config{URL: strings.Replace(overTLS.URL(), "127.0.0.1", "localhost", 1), CAFile: authority.File}, "certificate",
		},
		"another password": {redisstore.Config{URL: locked.URL(), Username: "parley", PasswordFile: passwordFile(t, "another")}, "login"},
		"another prefix":   {redisstore.Config{URL: locked.URL(), Username: "parley", PasswordFile: passwordFile(t, password)}, "login"},
		"a full store":     {redisstore.Config{URL: full.URL()}, "full"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var lines journal
			c.cfg.Timeout = 10 * time.Second
			store, err := redisstore.New(c.cfg, slog.New(slog.NewTextHandler(&lines, nil)))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(store.Close)
			store.Start()
			use := func() error { return store.Set(t.Context(), "a", []byte("value"), time.Hour) }
			await(t, "a line", func() bool { return use() != nil && lines.text() != "" })
			if text := lines.text(); !strings.Contains(text, "trouble="+c.want+" ") || strings.Contains(text, "127.0.0.1") {
				t.Error(text)
			}
		})
	}
}

// TestAFullStoreStillCountsReplicas holds that replicas are counted in a store that has no room for anything else, and that the log has one line about it
// however often something fits and something does not.
func TestAFullStoreStillCountsReplicas(t *testing.T) {
	t.Parallel()
	for _, program := range []string{redistest.Redis, redistest.Valkey} {
		t.Run(program, func(t *testing.T) {
			t.Parallel()
			server := redistest.Start(t, redistest.Options{Program: program})
			over := func(cfg *redisstore.Config) { cfg.URL = server.URL() }
			connect(t, "full", over)
			var lines journal
			store := connectLogged(t, "full", over, slog.New(slog.NewTextHandler(&lines, nil)))
			server.Do(t, "CONFIG", "SET", "maxmemory-policy", "noeviction", "maxmemory", "1")
			connect(t, "full", over)
			for range 5 {
				if err := store.Set(t.Context(), "a", []byte("value"), time.Hour); err == nil {
					t.Error("there is room for a value")
				}
				if _, err := store.Pool("app", shouted).Reserve(t.Context(), anyRequest()); err == nil {
					t.Error("there is room for a limit")
				}
				if value, err := store.Get(t.Context(), "a"); value != nil || err != nil {
					t.Errorf("%q, %v", value, err)
				}
				if err := store.Beat(t.Context()); err != nil || store.Replicas() != 3 {
					t.Errorf("%d replicas, %v", store.Replicas(), err)
				}
			}
			if text := lines.text(); strings.Count(text, "\n") != 1 || !strings.Contains(text, "trouble=full ") {
				t.Error(text)
			}
			server.Do(t, "CONFIG", "SET", "maxmemory", "0")
			await(t, "the store again", func() bool {
				return store.Beat(t.Context()) == nil && strings.Contains(lines.text(), "answers again")
			})
		})
	}
}

// anyRequest asks for a slot.
func anyRequest() ratelimit.PoolRequest {
	return ratelimit.PoolRequest{Budgets: []ratelimit.PoolBudget{{Name: "budget", Every: time.Second, Burst: 1}}, MaxWait: time.Minute}
}

// journal is where a log goes.
type journal struct {
	mu    sync.Mutex
	lines bytes.Buffer
}

func (j *journal) Write(line []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.lines.Write(line)
}

func (j *journal) text() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.lines.String()
}

// userOfFewRights returns the settings of a server whose user "parley" may do what docs/operations.md says that it needs, and nothing else.
func userOfFewRights(t *testing.T, cluster bool) []string {
	t.Helper()
	page, err := os.ReadFile(filepath.FromSlash("../../docs/operations.md"))
	if err != nil {
		t.Fatal(err)
	}
	list := regexp.MustCompile("commands: `([A-Z ]+)`").FindSubmatch(page)
	if list == nil {
		t.Fatal("the page names no commands")
	}
	args := []string{"--user", "parley", "on", ">" + password, "~parley.*", "&parley.*"}
	for command := range strings.FieldsSeq(string(list[1])) {
		args = append(args, "+"+strings.ToLower(command))
	}
	if cluster {
		args = append(args, "+cluster|slots", "+cluster|shards")
	}
	return args
}

// passwordFile writes a password as people do: with the end of a line.
func passwordFile(t *testing.T, password string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(file, []byte(password+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}
