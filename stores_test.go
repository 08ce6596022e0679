//go:build stores

package parley_test

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/parley-gateway/parley"
	"github.com/parley-gateway/parley/graphsim"
	"github.com/parley-gateway/parley/internal/redisstore/redistest"
)

// wire is a server and a proxy before it, by which connections go wrong.
type wire struct {
	*redistest.Server

	proxy *toxiproxy.Proxy
}

func newWire(t *testing.T, program string) *wire {
	t.Helper()
	w := &wire{Server: redistest.Start(t, redistest.Options{Program: program})}
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(prometheus.NewRegistry()), zerolog.Nop())
	w.proxy = toxiproxy.NewProxy(server, t.Name(), "127.0.0.1:0", w.Addr)
	if err := w.proxy.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.proxy.Stop)
	return w
}

// toxic lets something go wrong with what the server answers.
func (w *wire) toxic(t *testing.T, kind, attributes string) {
	t.Helper()
	if _, err := w.proxy.Toxics.AddToxicJson(strings.NewReader(fmt.Sprintf(`{"type":%q,"attributes":{%s}}`, kind, attributes))); err != nil {
		t.Fatal(err)
	}
}

// TestStoresThatFail holds that a real store which fails in mid-run costs no caller an error, that the replicas keep Graph's limits
// meanwhile, and that they share again afterwards.
func TestStoresThatFail(t *testing.T) {
	t.Parallel()
	heal := func(t *testing.T, w *wire) {
		t.Helper()
		w.proxy.Toxics.ResetToxics(context.WithoutCancel(t.Context()))
	}
	for name, c := range map[string]struct {
		program    string // "" = redis-server
		fail, heal func(t *testing.T, w *wire)
		opens      bool // nothing is answered: the store is left alone
	}{
		"slow":    {fail: func(t *testing.T, w *wire) { w.toxic(t, "latency", `"latency":3000,"jitter":500`) }, heal: heal, opens: true},
		"silent":  {fail: func(t *testing.T, w *wire) { w.toxic(t, "timeout", `"timeout":0`) }, heal: heal, opens: true},
		"reset":   {fail: func(t *testing.T, w *wire) { w.toxic(t, "reset_peer", `"timeout":0`) }, heal: heal, opens: true},
		"trickle": {fail: func(t *testing.T, w *wire) { w.toxic(t, "bandwidth", `"rate":1`) }, heal: heal},
		"closed slowly": {fail: func(t *testing.T, w *wire) {
			w.toxic(t, "slow_close", `"delay":3000`)
			w.Do(t, "CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
			w.Do(t, "CLIENT", "KILL", "TYPE", "pubsub")
		}, heal: heal},
		"suspended": {
			fail:  func(t *testing.T, w *wire) { w.Signal(t, syscall.SIGSTOP) },
			heal:  func(t *testing.T, w *wire) { w.Signal(t, syscall.SIGCONT) },
			opens: true,
		},
		"full": {
			fail: func(t *testing.T, w *wire) {
				w.Do(t, "CONFIG", "SET", "maxmemory-policy", "noeviction", "maxmemory", "1")
			},
			heal: func(t *testing.T, w *wire) { w.Do(t, "CONFIG", "SET", "maxmemory", "0") },
		},
		"flushed":         {fail: func(t *testing.T, w *wire) { w.Do(t, "FLUSHALL") }, heal: heal},
		"flushed, Valkey": {program: redistest.Valkey, fail: func(t *testing.T, w *wire) { w.Do(t, "FLUSHALL") }, heal: heal},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sim, users := limited(t)
			w := newWire(t, c.program)
			addrs := replicas(t, sim, 3, parley.Shared{URL: "redis://" + w.proxy.Listen, KeysFile: keysFile(t), Timeout: time.Second})
			requests, throttled := readCopilot(t, sim, addrs, users, func() { c.fail(t, w) })
			if requests < len(users) || throttled > 0 {
				t.Errorf("%d requests, %d × 429", requests, throttled)
			}
			if opened := operations(t, addrs, `result="open"`); c.opens && opened == 0 {
				t.Error("a store that answers nothing was asked every time")
			}
			c.heal(t, w)
			shareAgain(t, sim, addrs, users)
		})
	}
}

// TestStoresThatFailOver is TestStoresThatFail for a cluster with TLS whose masters are killed one after the other, each after its replica
// has what it had.
func TestStoresThatFailOver(t *testing.T) {
	t.Parallel()
	sim, users := limited(t)
	authority := redistest.NewAuthority(t)
	cluster := redistest.StartCluster(t, redistest.Options{Authority: authority}, 3, true)
	addrs := replicas(t, sim, 3, parley.Shared{URL: cluster.URL(), CAFile: authority.File, KeysFile: keysFile(t), Timeout: time.Second})
	requests, throttled := readCopilot(t, sim, addrs, users, func() {
		for master := range cluster.Masters {
			cluster.Failover(t, master)
		}
	})
	if requests < len(users) || throttled > 0 {
		t.Errorf("%d requests, %d × 429", requests, throttled)
	}
	shareAgain(t, sim, addrs, users)
}

// TestStoresWithOtherKeys holds that replicas whose files of keys differ, which share nothing, keep Graph's limits together all the same.
func TestStoresWithOtherKeys(t *testing.T) {
	t.Parallel()
	sim, users := limited(t)
	server := redistest.Start(t, redistest.Options{})
	var addrs []parley.Addrs
	for range 3 {
		addrs = append(addrs, replicas(t, sim, 1, parley.Shared{URL: server.URL(), KeysFile: keysFile(t), Timeout: 5 * time.Second})...)
	}
	for _, at := range addrs {
		beats := func() int { return operations(t, []parley.Addrs{at}, `op="heartbeat",result="ok"`) }
		for before := beats(); beats() == before; { // the next one sees all
			select {
			case <-t.Context().Done():
				t.Fatal("no heartbeat")
			case <-time.After(20 * time.Millisecond):
			}
		}
	}
	requests, throttled := readCopilot(t, sim, addrs, users, func() {})
	if requests < len(users) || throttled > 0 {
		t.Errorf("%d requests, %d × 429", requests, throttled)
	}
}

// operations sums up the replicas' operations on the store whose labels have a part.
func operations(t *testing.T, addrs []parley.Addrs, labels string) (n int) {
	t.Helper()
	for _, at := range addrs {
		for text := range strings.Lines(get(t, "http://"+at.Admin+"/metrics")) {
			name, value, _ := strings.Cut(text, "} ")
			if strings.HasPrefix(name, "parley_shared_requests_total{") && strings.Contains(name, labels) {
				var count int
				if _, err := fmt.Sscan(value, &count); err != nil {
					t.Fatal(err)
				}
				n += count
			}
		}
	}
	return n
}

// shareAgain waits until what one replica has read is read by no other.
func shareAgain(t *testing.T, sim *graphsim.Sim, addrs []parley.Addrs, users []string) {
	t.Helper()
	day := time.Now().UTC().Truncate(24 * time.Hour)
	for ago := 10; ; ago++ {
		for _, user := range users {
			path := "/v1/" + user + "/events?" + url.Values{
				"startTime": {day.AddDate(0, 0, -ago-1).Format(time.RFC3339)}, "endTime": {day.AddDate(0, 0, -ago).Format(time.RFC3339)}, "sources": {"SOURCE_COPILOT"},
			}.Encode()
			get(t, "http://"+addrs[0].HTTP+path)
			before := total(sim)
			get(t, "http://"+addrs[1].HTTP+path)
			get(t, "http://"+addrs[2].HTTP+path)
			if total(sim) == before {
				return
			}
			select {
			case <-t.Context().Done():
				t.Fatal("the replicas do not share again")
			case <-time.After(50 * time.Millisecond):
			}
		}
	}
}
