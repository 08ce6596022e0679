package admission

import (
	"container/list"
	"context"
	"net"
	"net/netip"
	"sync"
	"time"
)

// Bounds are the most connections, and the most requests whose callers are not authenticated.
type Bounds struct {
	// Unauthenticated and UnauthenticatedPerPeer bound the connections without an authenticated caller yet, in all and of one peer.
	Unauthenticated, UnauthenticatedPerPeer int
	// Authenticated bounds the other connections.
	Authenticated int
	// Requests and RequestsPerPeer bound the requests whose caller is not authenticated, in all and of one peer. The first request of
	// each connection does not count.
	Requests, RequestsPerPeer int
	// Watches bounds the streams of one connection that need no caller: health and reflection.
	Watches int
}

// DefaultBounds returns the bounds of the gateway. They are wide for one peer, which may be a load balancer before all callers.
func DefaultBounds() Bounds {
	return Bounds{Unauthenticated: 2048, UnauthenticatedPerPeer: 1024, Authenticated: 8192, Requests: 2048, RequestsPerPeer: 1024, Watches: 16}
}

// Connections bounds connections. For each connection too many, it closes another one: among unauthenticated connections, the one of the
// peer that has most of them whose latest request began longest ago; among authenticated ones, the one of the caller that has most that
// has been idle for longest. So new connections always find a place, and a flood displaces itself. It is safe for concurrent use.
type Connections struct {
	bounds  Bounds
	evicted func() // counts a connection that was closed to make room

	mu              sync.Mutex
	unauthenticated class
	authenticated   class
	pending         map[string]int // requests without an authenticated caller that count, by peer
	requests        int            // their sum
}

// class is the connections of one kind, in a group for each peer or caller.
type class struct {
	groups map[string]*list.List // of *Connection, the one whose latest request began longest ago first; a request that ends counts as well where the caller is known
	size   int
}

// NewConnections returns empty Connections. It calls evicted for each connection that it closes.
func NewConnections(bounds Bounds, evicted func()) *Connections {
	return &Connections{
		bounds: bounds, evicted: evicted, pending: make(map[string]int),
		unauthenticated: class{groups: make(map[string]*list.List)}, authenticated: class{groups: make(map[string]*list.List)},
	}
}

// Connection is one connection. A nil one has no bounds.
type Connection struct {
	all    *Connections
	peer   string
	hangUp func() // closes the connection without waiting

	// The rest is guarded by all.mu.
	class   *class // nil = gone
	group   string
	at      *list.Element
	open    map[*Request]struct{} // without an authenticated caller
	counted int                   // of them, in all.pending
	running int                   // requests that have not ended, with an authenticated caller or without
	watches int
}

// Enter adds a connection from an address, and may close others to make room. The function hangUp closes the connection without waiting.
func (c *Connections) Enter(from net.Addr, hangUp func()) *Connection {
	conn := &Connection{all: c, peer: peerOf(from), hangUp: hangUp, open: make(map[*Request]struct{})}
	c.mu.Lock()
	var gone *Connection
	switch own := c.unauthenticated.groups[conn.peer]; {
	case own != nil && own.Len() >= c.bounds.UnauthenticatedPerPeer:
		gone = oldest(own)
	case c.unauthenticated.size >= c.bounds.Unauthenticated:
		gone = oldest(c.unauthenticated.largest())
	}
	c.leave(gone)
	c.join(conn, &c.unauthenticated, conn.peer)
	c.mu.Unlock()
	c.evict(gone)
	return conn
}

// Leave removes the connection.
func (k *Connection) Leave() {
	if k == nil {
		return
	}
	k.all.mu.Lock()
	defer k.all.mu.Unlock()
	k.all.leave(k)
}

// Request is one request on a connection, and the context that it runs in. Received, Authenticate, Authenticated, AddWatch and End may be called on nil.
type Request struct {
	context.Context //nolint:containedctx // it is one

	conn  *Connection
	timer *time.Timer // ends the context when the message does not come; nil = there is none to wait for

	// The rest is guarded by conn.all.mu.
	authenticated bool
	watch         bool
	running       bool // counts in conn.running
}

type requestKey struct{}

// Value implements context.Context.
func (r *Request) Value(key any) any {
	if _, own := key.(requestKey); own {
		return r
	}
	return r.Context.Value(key)
}

// RequestOf returns the request that a context belongs to, or nil.
func RequestOf(ctx context.Context) *Request {
	r, _ := ctx.Value(requestKey{}).(*Request)
	return r
}

// Begin adds a request whose caller is not authenticated yet. If messageTimeout is not 0, the context of the request ends after it unless
// Received is called before. Call End when the request is over; a request whose context has ended does not count either.
func (k *Connection) Begin(ctx context.Context, messageTimeout time.Duration) *Request {
	r := &Request{Context: ctx, conn: k}
	if k == nil {
		return r
	}
	if messageTimeout > 0 {
		inner, cancel := context.WithCancel(ctx) // the outer one ends with the request
		r.Context, r.timer = inner, time.AfterFunc(messageTimeout, cancel)
	}
	c := k.all
	c.mu.Lock()
	if k.class == nil { // it was closed to make room, which its transport has not seen yet
		c.mu.Unlock()
		return r
	}
	k.class.groups[k.group].MoveToBack(k.at)
	k.open[r] = struct{}{}
	k.running++
	r.running = true
	c.count(k)
	var gone *Connection
	if c.tooManyRequests(k.peer) {
		c.forgetEnded()
		if c.tooManyRequests(k.peer) {
			gone = c.busiest(k.peer)
		}
	}
	c.leave(gone)
	c.mu.Unlock()
	c.evict(gone)
	return r
}

// Received notes that the message of the request has come.
func (r *Request) Received() {
	if r != nil && r.timer != nil {
		r.timer.Stop()
	}
}

// Authenticate sets the caller of the request. The connection is that caller's from now on.
func (r *Request) Authenticate(caller string) {
	if r == nil || r.conn == nil {
		return
	}
	k, c := r.conn, r.conn.all
	c.mu.Lock()
	r.authenticated = true
	delete(k.open, r)
	c.count(k)
	var gone *Connection
	switch {
	case k.class == nil:
	case k.class == &c.authenticated && k.group == caller:
	default:
		c.authenticated.remove(k)
		c.unauthenticated.remove(k)
		if c.authenticated.size >= c.bounds.Authenticated {
			gone = longestIdle(c.authenticated.largest())
			c.leave(gone)
		}
		c.join(k, &c.authenticated, caller)
	}
	c.mu.Unlock()
	c.evict(gone)
}

// Authenticated reports whether the caller of the request is authenticated.
func (r *Request) Authenticated() bool {
	if r == nil || r.conn == nil {
		return true
	}
	r.conn.all.mu.Lock()
	defer r.conn.all.mu.Unlock()
	return r.authenticated
}

// AddWatch counts the request as a stream that needs no caller. It returns false when the connection has too many of them.
func (r *Request) AddWatch() bool {
	if r == nil || r.conn == nil {
		return true
	}
	c := r.conn.all
	c.mu.Lock()
	defer c.mu.Unlock()
	if r.conn.watches >= c.bounds.Watches {
		return false
	}
	r.conn.watches++
	r.watch = true
	return true
}

// End removes the request. It may be called again.
func (r *Request) End() {
	if r == nil || r.conn == nil {
		return
	}
	r.Received()
	c := r.conn.all
	c.mu.Lock()
	defer c.mu.Unlock()
	k := r.conn
	delete(k.open, r)
	c.count(k)
	if r.running {
		r.running = false
		k.running--
	}
	if k.class == &c.authenticated {
		k.class.groups[k.group].MoveToBack(k.at)
	}
	if r.watch {
		r.watch = false
		k.watches--
	}
}

// join puts a connection into a class.
func (c *Connections) join(k *Connection, to *class, group string) {
	own := to.groups[group]
	if own == nil {
		own = list.New()
		to.groups[group] = own
	}
	k.class, k.group, k.at = to, group, own.PushBack(k)
	to.size++
}

// leave takes a connection out, if there is one and it is in.
func (c *Connections) leave(k *Connection) {
	if k == nil || k.class == nil {
		return
	}
	k.class.remove(k)
	k.class = nil
	clear(k.open)
	c.count(k)
}

// count brings the count of a connection's requests up to date.
func (c *Connections) count(k *Connection) {
	now := max(len(k.open)-1, 0)
	c.requests += now - k.counted
	if c.pending[k.peer] += now - k.counted; c.pending[k.peer] == 0 {
		delete(c.pending, k.peer)
	}
	k.counted = now
}

// tooManyRequests reports whether a peer, or all peers together, have more requests without an authenticated caller than they may have.
func (c *Connections) tooManyRequests(peer string) bool {
	return c.pending[peer] > c.bounds.RequestsPerPeer || c.requests > c.bounds.Requests
}

// forgetEnded removes the requests whose context has ended.
func (c *Connections) forgetEnded() {
	c.each(func(k *Connection) {
		for r := range k.open {
			if r.Err() != nil {
				r.Received() // its timer would keep it
				delete(k.open, r)
			}
		}
		c.count(k)
	})
}

// busiest returns the connection with most requests: of the peer, if that has too many, else of the peer that has most.
func (c *Connections) busiest(peer string) (most *Connection) {
	if c.pending[peer] <= c.bounds.RequestsPerPeer {
		for other, n := range c.pending {
			if n > c.pending[peer] {
				peer = other
			}
		}
	}
	c.each(func(k *Connection) {
		if k.peer == peer && (most == nil || k.counted > most.counted) {
			most = k
		}
	})
	return most
}

// each calls f for every connection.
func (c *Connections) each(f func(*Connection)) {
	for _, from := range []*class{&c.unauthenticated, &c.authenticated} {
		for _, group := range from.groups {
			for at := group.Front(); at != nil; at = at.Next() {
				if k, ok := at.Value.(*Connection); ok {
					f(k)
				}
			}
		}
	}
}

// evict closes a connection that was taken out to make room; nil = none was.
func (c *Connections) evict(k *Connection) {
	if k != nil {
		c.evicted()
		k.hangUp()
	}
}

// largest returns the group with most connections.
func (s *class) largest() (most *list.List) {
	for _, group := range s.groups {
		if most == nil || group.Len() > most.Len() {
			most = group
		}
	}
	return most
}

// remove takes a connection of the class out.
func (s *class) remove(k *Connection) {
	if k.class != s {
		return
	}
	group := s.groups[k.group]
	group.Remove(k.at)
	s.size--
	if group.Len() == 0 {
		delete(s.groups, k.group)
	}
}

// oldest returns the connection of a group whose latest request began longest ago, even if it still runs: who keeps requests open must not
// displace others by it.
func oldest(group *list.List) *Connection {
	if group == nil || group.Len() == 0 {
		return nil
	}
	k, _ := group.Front().Value.(*Connection)
	return k
}

// longestIdle returns the connection of a group that has been idle for longest; where none is idle, the oldest.
func longestIdle(group *list.List) *Connection {
	if group != nil {
		for at := group.Front(); at != nil; at = at.Next() {
			if k, ok := at.Value.(*Connection); ok && k.running == 0 {
				return k
			}
		}
	}
	return oldest(group)
}

// peerOf returns the name of a peer: its address without the port. For IPv6 it is the network, since one host may use all of it.
func peerOf(from net.Addr) string {
	if from == nil {
		return ""
	}
	at, err := netip.ParseAddrPort(from.String())
	if err != nil {
		return from.String()
	}
	ip := at.Addr().Unmap()
	if ip.Is6() {
		if network, err := ip.WithZone("").Prefix(64); err == nil {
			return network.String()
		}
	}
	return ip.String()
}
