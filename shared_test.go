package parley_test

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	miniserver "github.com/alicebob/miniredis/v2/server"

	"github.com/parley-gateway/parley"
	"github.com/parley-gateway/parley/graphsim"
)

// keysFile writes a file with a fresh key.
func keysFile(t *testing.T) string {
	t.Helper()
	key := make([]byte, 32)
	if _, err := rand.Read(key); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "keys")
	if err := os.WriteFile(path, []byte(base64.StdEncoding.EncodeToString(key)), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// replicas starts gateways over one simulator and one store, which all of them have reached.
func replicas(t *testing.T, sim *graphsim.Sim, n int, store parley.Shared) []parley.Addrs {
	t.Helper()
	addrs := make([]parley.Addrs, n)
	for i := range addrs {
		cfg := over(t, sim)
		cfg.Shared = store
		addrs[i] = started(t, cfg).Addrs()
		for !strings.Contains(get(t, "http://"+addrs[i].Admin+"/metrics"), `parley_shared_requests_total{op="heartbeat",result="ok"} `) ||
			strings.Contains(get(t, "http://"+addrs[i].Admin+"/metrics"), `parley_shared_requests_total{op="heartbeat",result="ok"} 0`) {
			select {
			case <-t.Context().Done():
				t.Fatal("no connection to the store")
			case <-time.After(5 * time.Millisecond):
			}
		}
	}
	return addrs
}

// total is the number of requests that a simulator has got.
func total(sim *graphsim.Sim) (n int) {
	for _, count := range sim.RequestCounts() {
		n += count
	}
	return n
}

// settledEvents is the path of a user's events of some settled days.
func settledEvents(user string) string {
	day := time.Now().UTC().Truncate(24 * time.Hour)
	return "/v1/" + user + "/events?" + url.Values{
		"startTime": {day.AddDate(0, 0, -9).Format(time.RFC3339)}, "endTime": {day.AddDate(0, 0, -3).Format(time.RFC3339)}, "sources": {"SOURCE_COPILOT", "SOURCE_CHAT"},
	}.Encode()
}

// copilotEvents is the path of a user's Copilot events of some settled days.
func copilotEvents(user string) string {
	return strings.Replace(settledEvents(user), "&sources=SOURCE_CHAT", "", 1)
}

// userName returns the name of the first user.
func userName(t *testing.T, at parley.Addrs) string {
	t.Helper()
	_, rest, _ := strings.Cut(get(t, "http://"+at.HTTP+"/v1/users?pageSize=1"), `"name":"`)
	name, _, found := strings.Cut(rest, `"`)
	if !found {
		t.Fatal("no user")
	}
	return name
}

// TestReplicasShareReadings holds that three replicas which read the same cost Graph what one does, one after the other and at the same
// time, and answer alike. Nothing that Graph said is in clear text in the store.
func TestReplicasShareReadings(t *testing.T) {
	t.Parallel()
	sim := simulated(t, 3)
	user := userName(t, started(t, over(t, sim)).Addrs())
	path := settledEvents(user)
	sim.ResetRequests()
	alone := get(t, "http://"+started(t, over(t, sim)).Addrs().HTTP+path)
	want := total(sim)
	if want == 0 || len(alone) < 1000 {
		t.Fatalf("%d requests for %d bytes", want, len(alone))
	}
	for what, atOnce := range map[string]bool{"in turn": false, "at once": true} {
		server := miniredis.RunT(t)
		addrs := replicas(t, sim, 3, parley.Shared{URL: "redis://" + server.Addr(), KeysFile: keysFile(t), Timeout: 5 * time.Second})
		sim.ResetRequests()
		answers := make([]string, len(addrs))
		var readers sync.WaitGroup
		for i, at := range addrs {
			read := func() { answers[i] = get(t, "http://"+at.HTTP+path) }
			if atOnce {
				readers.Go(read)
				continue
			}
			read()
			awaitWritten(t, server)
		}
		readers.Wait()
		if got := total(sim); got != want {
			t.Errorf("%s: %d requests by three replicas, %d by one", what, got, want)
		}
		for i, answer := range answers {
			if events(answer) != events(alone) {
				t.Errorf("%s: replica %d answers otherwise", what, i)
			}
		}
		if what == "in turn" {
			again, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+addrs[2].HTTP+path, http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			transport := &http.Transport{DisableKeepAlives: true}
			answer, err := transport.RoundTrip(again)
			if err != nil {
				t.Fatal(err)
			}
			if err := answer.Body.Close(); err != nil || answer.Header.Get("Cache-Status") != "parley; hit" {
				t.Errorf("cache-status %q, %v", answer.Header.Get("Cache-Status"), err)
			}
		}
		if dump := server.Dump(); strings.Contains(dump, strings.TrimPrefix(user, "users/")) || strings.Contains(dump, "event") {
			t.Errorf("%s: the store holds something in clear text", what)
		}
	}
}

// awaitWritten waits until no replica holds a lease: what was read under one is written before the lease ends.
func awaitWritten(t *testing.T, store *miniredis.Miniredis) {
	t.Helper()
	isLease := func(key string) bool { return strings.Contains(key, ":lease:") }
	for slices.ContainsFunc(store.Keys(), isLease) {
		select {
		case <-t.Context().Done():
			t.Fatal("what was read is not written")
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// events is the part of an answer with its events.
func events(answer string) string {
	list, _, _ := strings.Cut(answer, `"sources":[{"source"`)
	return list
}

// limited is a simulator that keeps Graph's limits by a clock which is twice as fast as that of its callers, so that no pause of a busy
// machine makes a burst. Three replicas that do not share their limits would still send more than it allows.
func limited(t *testing.T) (sim *graphsim.Sim, licensed []string) {
	t.Helper()
	begin := time.Now()
	sim, err := graphsim.New(graphsim.Config{
		Plain: true, Seed: 6, Users: 60, Chats: 4, Messages: 20, Interactions: 200, Calls: 5, Steady: true, Throttle: true,
		Now: func() time.Time { return begin.Add(2 * time.Since(begin)) },
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := sim.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { end(t, sim.Close) })
	people := sim.Oracle(sim.TenantID())
	for user := range people.Users() {
		if people.Licensed(user.ID) {
			licensed = append(licensed, "users/"+user.ID)
		}
	}
	return sim, licensed
}

// readCopilot reads the Copilot events of users by all replicas at once, and returns the requests and the 429s that the simulator counts.
// meanwhile runs after the first requests.
func readCopilot(t *testing.T, sim *graphsim.Sim, addrs []parley.Addrs, users []string, meanwhile func()) (requests, throttled int) {
	t.Helper()
	sim.ResetRequests()
	var readers sync.WaitGroup
	for i, user := range users {
		readers.Go(func() { get(t, "http://"+addrs[i%len(addrs)].HTTP+copilotEvents(user)) })
	}
	for total(sim) < 5 {
		select {
		case <-t.Context().Done():
			t.Fatal("nobody asks the simulator")
		case <-time.After(time.Millisecond):
		}
	}
	meanwhile()
	readers.Wait()
	for _, r := range sim.Requests() {
		requests++
		if r.Status == http.StatusTooManyRequests {
			throttled++
		}
	}
	return requests, throttled
}

// TestReplicasShareLimits holds that three replicas send what one does, and that Graph throttles none of them.
func TestReplicasShareLimits(t *testing.T) {
	t.Parallel()
	sim, users := limited(t)
	read := func(n int) (requests int) {
		server := miniredis.RunT(t)
		addrs := replicas(t, sim, n, parley.Shared{URL: "redis://" + server.Addr(), KeysFile: keysFile(t), Timeout: 30 * time.Second})
		requests, throttled := readCopilot(t, sim, addrs, users, func() {})
		t.Logf("%d replicas: %v, %d × 429", n, sim.RequestCounts(), throttled)
		if throttled > 0 {
			t.Errorf("%d replicas: %d × 429", n, throttled)
		}
		if dump := server.Dump(); !strings.Contains(dump, "parley:budget:") || strings.Contains(dump, "copilot") {
			t.Error("the store holds no budget, or a name in clear text")
		}
		return requests
	}
	one, three := read(1), read(3)
	t.Logf("%d requests by one replica, %d by three", one, three)
	if one < len(users) || three > one*102/100 {
		t.Errorf("%d requests by three replicas, %d by one", three, one)
	}
}

// TestStoreThatGoes holds that a store which ends, falls silent or forgets in mid-run costs no caller an error, and that the replicas keep
// Graph's limits without it.
func TestStoreThatGoes(t *testing.T) {
	t.Parallel()
	for name, disturb := range map[string]func(t *testing.T, server *miniredis.Miniredis){
		"killed":  func(_ *testing.T, server *miniredis.Miniredis) { server.Close() },
		"flushed": func(_ *testing.T, server *miniredis.Miniredis) { server.FlushAll() },
		"silent": func(t *testing.T, server *miniredis.Miniredis) {
			t.Helper()
			held := make(chan struct{})
			t.Cleanup(func() { close(held) })
			server.Server().SetPreHook(func(*miniserver.Peer, string, ...string) bool {
				<-held
				return false
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sim, users := limited(t)
			server := miniredis.RunT(t)
			addrs := replicas(t, sim, 3, parley.Shared{URL: "redis://" + server.Addr(), KeysFile: keysFile(t), Timeout: time.Second})
			requests, throttled := readCopilot(t, sim, addrs, users, func() { disturb(t, server) })
			if requests < len(users) || throttled > 0 {
				t.Errorf("%d requests, %d × 429", requests, throttled)
			}
		})
	}
}

// TestStoreThatIsNotThere holds that a store which nobody reaches costs neither an error nor readiness.
func TestStoreThatIsNotThere(t *testing.T) {
	t.Parallel()
	sim := simulated(t, 4)
	cfg := over(t, sim)
	cfg.Shared = parley.Shared{URL: "redis://127.0.0.1:1", KeysFile: keysFile(t)}
	at := started(t, cfg).Addrs()
	if body := get(t, "http://"+at.HTTP+settledEvents(userName(t, at))); events(body) == "" {
		t.Error("no events")
	}
	if ready := get(t, "http://"+at.HTTP+"/readyz"); ready == "" {
		t.Error("not ready")
	}
}

func TestMistakesInTheSharedStore(t *testing.T) {
	t.Parallel()
	sim := simulated(t, 5)
	for name, c := range map[string]struct {
		store parley.Shared
		want  string
	}{
		"no keys":       {parley.Shared{URL: "redis://127.0.0.1:1"}, "Shared.KeysFile"},
		"no URL":        {parley.Shared{KeysFile: keysFile(t)}, "Shared.KeysFile"},
		"no such store": {parley.Shared{URL: "http://127.0.0.1:1", KeysFile: keysFile(t)}, "Shared.URL"},
		"no such file":  {parley.Shared{URL: "redis://127.0.0.1:1", KeysFile: keysFile(t) + "2"}, "Shared.KeysFile"},
	} {
		cfg := over(t, sim)
		cfg.Shared = c.store
		_, err := parley.New(cfg)
		wrong, ok := errors.AsType[*parley.ConfigError](err)
		if !ok || wrong.Field != c.want {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
	}
}
