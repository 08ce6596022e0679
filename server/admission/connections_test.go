package admission_test

import (
	"context"
	"fmt"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/parley-gateway/parley/server/admission"
)

// visitor is a connection as a test sees it.
type visitor struct {
	*admission.Connection

	cut bool
}

// lobby is connections of a test.
type lobby struct {
	*admission.Connections

	evicted int
}

func newLobby(bounds admission.Bounds) *lobby {
	l := &lobby{}
	l.Connections = admission.NewConnections(bounds, func() { l.evicted++ })
	return l
}

func (l *lobby) enter(ip string, port int) *visitor {
	v := &visitor{}
	v.Connection = l.Enter(&net.TCPAddr{IP: net.ParseIP(ip), Port: port}, func() { v.cut = true })
	return v
}

func small() admission.Bounds {
	return admission.Bounds{Unauthenticated: 8, UnauthenticatedPerPeer: 4, Authenticated: 4, Requests: 8, RequestsPerPeer: 4, Watches: 2}
}

// TestFloodsDisplaceThemselves: unauthenticated traffic has a bound per peer and in all. Who opens connections
// without end loses their own, of all addresses of one IPv6 network together, and nobody else loses one.
func TestFloodsDisplaceThemselves(t *testing.T) {
	t.Parallel()
	for name, address := range map[string]func(i int) string{
		"one address":       func(int) string { return "192.0.2.1" },
		"mapped":            func(i int) string { return []string{"192.0.2.1", "::ffff:192.0.2.1"}[i%2] },
		"one IPv6 network":  func(i int) string { return fmt.Sprintf("2001:db8:0:1::%x", i+1) },
		"IPv6 without bits": func(i int) string { return fmt.Sprintf("2001:db8::%x:0:0:1", i+1) },
	} {
		l := newLobby(small())
		honest := l.enter("198.51.100.1", 1)
		flood := make([]*visitor, 0, 100)
		for i := range 100 {
			flood = append(flood, l.enter(address(i), i))
		}
		for i, v := range flood {
			if v.cut != (i < 96) {
				t.Errorf("%s: connection %d of 100, cut: %t", name, i, v.cut)
			}
		}
		if honest.cut || l.evicted != 96 {
			t.Errorf("%s: the honest one is cut: %t; %d were", name, honest.cut, l.evicted)
		}
	}
	// From many addresses: the one with most pays, until all have one.
	l := newLobby(small())
	flood := make([]*visitor, 0, 4)
	for i := range 4 {
		flood = append(flood, l.enter("192.0.2.1", i))
	}
	for i := range 7 {
		if v := l.enter(fmt.Sprint("198.51.100.", i), 1); v.cut {
			t.Errorf("newcomer %d is cut", i)
		}
	}
	for i, v := range flood {
		if v.cut != (i < 3) {
			t.Errorf("connection %d of the peer with most, cut: %t", i, v.cut)
		}
	}
}

// TestQuietConnectionsGoFirst: who asks for something, as a balancer's health check does, is no longer the quietest.
func TestQuietConnectionsGoFirst(t *testing.T) {
	t.Parallel()
	l := newLobby(small())
	check, silent := l.enter("192.0.2.1", 1), l.enter("192.0.2.1", 2)
	for i := range 2 {
		l.enter("192.0.2.1", 3+i)
	}
	check.Begin(t.Context(), 0).End()
	l.enter("192.0.2.1", 5)
	if check.cut || !silent.cut {
		t.Errorf("the one that asks is cut: %t, the silent one: %t", check.cut, silent.cut)
	}
	check.Leave()
	check.Leave()
	if last := l.enter("192.0.2.1", 6); last.cut || l.evicted != 1 {
		t.Errorf("a place that was left is not found: %d cut", l.evicted)
	}
}

// TestIdleConnectionsOfACallerGoFirst: a connection with a stream that runs is not idle, however long ago the stream began.
func TestIdleConnectionsOfACallerGoFirst(t *testing.T) {
	t.Parallel()
	l := newLobby(small())
	known := make([]*visitor, 0, 5)
	requests := make([]*admission.Request, 0, 5)
	begin := func(port int) {
		v := l.enter("192.0.2.1", port)
		request := v.Begin(t.Context(), 0)
		request.Authenticate("one")
		known, requests = append(known, v), append(requests, request)
	}
	for i := range 4 {
		begin(i)
	}
	requests[2].End()
	requests[1].End()
	requests[1].End()
	begin(4)
	if !known[2].cut || known[0].cut || known[1].cut {
		t.Errorf("the one that has been idle for longest is cut: %t", known[2].cut)
	}
	begin(5)
	begin(6)
	if !known[1].cut || !known[0].cut || known[3].cut {
		t.Errorf("the other idle one is cut: %t; then the oldest: %t", known[1].cut, known[0].cut)
	}
}

// TestAConnectionBelongsToItsFirstCaller: a connection is its caller's after the first authenticated call, whoever shares the address; of known ones
// the caller with most pays.
func TestAConnectionBelongsToItsFirstCaller(t *testing.T) {
	t.Parallel()
	l := newLobby(small())
	known := make([]*visitor, 0, 4)
	for i := range 4 {
		v := l.enter("192.0.2.1", i)
		v.Begin(t.Context(), 0).Authenticate([]string{"greedy", "honest"}[i/3])
		known = append(known, v)
	}
	for i := range 100 {
		l.enter("192.0.2.1", 10+i)
	}
	for i, v := range known {
		if v.cut {
			t.Errorf("known connection %d is cut for unauthenticated ones", i)
		}
	}
	l.enter("192.0.2.1", 200).Begin(t.Context(), 0).Authenticate("third")
	if !known[0].cut || known[3].cut {
		t.Error("not the caller with most connections has paid")
	}
	// The same connection for another caller, as of a proxy, is one connection still.
	known[3].Begin(t.Context(), 0).Authenticate("fourth")
	if known[1].cut || known[2].cut {
		t.Error("a connection counted twice")
	}
	known[0].Begin(t.Context(), 0).Authenticate("gone") // its transport has not seen yet that it is cut
	if known[1].cut || known[2].cut {
		t.Error("a connection that is gone has taken a place")
	}
}

// TestRequestsWithoutCaller: the connection with most requests whose caller is not authenticated goes, known or not; a request that
// has ended without End does not count, and neither does an authenticated one.
func TestRequestsWithoutCaller(t *testing.T) {
	t.Parallel()
	l := newLobby(small())
	honest, greedy := l.enter("192.0.2.1", 1), l.enter("192.0.2.1", 2)
	greedy.Begin(t.Context(), 0).Authenticate("greedy")
	for range 50 {
		honest.Begin(t.Context(), 0).Authenticate("honest")
	}
	for range 2 {
		honest.Begin(t.Context(), 0)
	}
	for range 50 { // calls that end before their message came
		ctx, cancel := context.WithCancel(t.Context())
		greedy.Begin(ctx, time.Hour)
		cancel()
	}
	if honest.cut || greedy.cut {
		t.Fatal("requests that are over count")
	}
	for range 5 {
		greedy.Begin(t.Context(), 0)
	}
	if honest.cut || !greedy.cut {
		t.Errorf("the honest one is cut: %t, the greedy one: %t", honest.cut, greedy.cut)
	}
	// In all: each peer is within its own bound, the one with most goes.
	l = newLobby(small())
	peers := make([]*visitor, 0, 3)
	for i, n := range []int{5, 4, 4} {
		v := l.enter(fmt.Sprint("192.0.2.", i), 1)
		peers = append(peers, v)
		for range n {
			v.Begin(t.Context(), 0)
		}
	}
	if !peers[0].cut || peers[1].cut || peers[2].cut {
		t.Errorf("cut: %t %t %t", peers[0].cut, peers[1].cut, peers[2].cut)
	}
}

// TestALateMessageEndsItsCall: a message that does not come ends its call, one that came does not.
func TestALateMessageEndsItsCall(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v := newLobby(small()).enter("192.0.2.1", 1)
		late, come := v.Begin(t.Context(), time.Second), v.Begin(t.Context(), time.Second)
		if admission.RequestOf(context.WithValue(late, "key", "value")) != late || admission.RequestOf(t.Context()) != nil { //nolint:revive,staticcheck // any key
			t.Error("a context does not give its request")
		}
		come.Received()
		time.Sleep(2 * time.Second)
		if late.Err() == nil || come.Err() != nil {
			t.Errorf("late: %v, come: %v", late.Err(), come.Err())
		}
		late.End()
		come.End()
	})
}

func TestWatchesOfAConnectionAreBounded(t *testing.T) {
	t.Parallel()
	v := newLobby(small()).enter("192.0.2.1", 1)
	first, second, third := v.Begin(t.Context(), 0), v.Begin(t.Context(), 0), v.Begin(t.Context(), 0)
	if !first.AddWatch() || !second.AddWatch() || third.AddWatch() {
		t.Error("not two of three watches were taken")
	}
	first.End()
	first.End()
	if !third.AddWatch() || v.Begin(t.Context(), 0).AddWatch() {
		t.Error("the place of a watch that ended is not one place")
	}
	var none *admission.Connection // as of a call in the process
	request := none.Begin(t.Context(), time.Second)
	request.Authenticate("somebody")
	request.Received()
	if !request.AddWatch() || !request.Authenticated() {
		t.Error("a request without a connection is bounded")
	}
	request.End()
	none.Leave()
}

// TestBoundsOfConnectionsHoldAfterEveryStep draws visits and checks the bounds after each step.
func TestBoundsOfConnectionsHoldAfterEveryStep(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		bounds := small()
		l := newLobby(bounds)
		var all []*visitor
		authenticated, open := map[*visitor]bool{}, map[*visitor][]*admission.Request{}
		enter := func(t *rapid.T) {
			all = append(all, l.enter(fmt.Sprint("192.0.2.", rapid.IntRange(1, 4).Draw(t, "peer")), len(all)))
		}
		pick := func(t *rapid.T) *visitor {
			if len(all) == 0 {
				enter(t)
			}
			return rapid.SampledFrom(all).Draw(t, "visitor")
		}
		t.Repeat(map[string]func(*rapid.T){
			"enter": enter,
			"begin": func(t *rapid.T) {
				v := pick(t)
				open[v] = append(open[v], v.Begin(context.Background(), 0))
			},
			"prove": func(t *rapid.T) {
				v := pick(t)
				v.Begin(context.Background(), 0).Authenticate(rapid.SampledFrom([]string{"a", "b"}).Draw(t, "caller"))
				authenticated[v] = true
			},
			"end": func(t *rapid.T) {
				v := pick(t)
				for _, r := range open[v] {
					r.End()
				}
				delete(open, v)
			},
			"leave": func(t *rapid.T) {
				v := pick(t)
				v.Leave()
				v.cut = true
			},
			"": func(t *rapid.T) {
				unauthenticated, known, requests := 0, 0, 0
				for _, v := range all {
					switch {
					case v.cut:
						continue
					case authenticated[v]:
						known++
					default:
						unauthenticated++
					}
					requests += max(len(open[v])-1, 0)
				}
				if unauthenticated > bounds.Unauthenticated || known > bounds.Authenticated || requests > bounds.Requests {
					t.Fatalf("%d unauthenticated, %d known, %d requests", unauthenticated, known, requests)
				}
			},
		})
	})
}
