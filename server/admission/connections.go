package admission

import (
	"container/list"
	"context"
	"net"
	"net/netip"
	"sync"
	"time"
)

// Bounds are what callers hold at most who have not said who they are, and what all connections come to.
type Bounds struct {
	// Strangers and StrangersOfPeer bound the connections on which nobody has been accepted yet, in all and of one peer.
	Strangers, StrangersOfPeer int
	// Known bounds the other connections.
	Known int
	// Requests and RequestsOfPeer bound the requests whose caller is not accepted, or not yet, in all and of one peer. The first
	// one of each connection does not count.
	Requests, RequestsOfPeer int
	// Watches bounds the streams of one connection that need no caller: health and reflection.
	Watches int
}

// DefaultBounds returns the bounds of the gateway. A peer may be a balancer in front of everybody, so one peer's are wide.
func DefaultBounds() Bounds {
	return Bounds{Strangers: 2048, StrangersOfPeer: 1024, Known: 8192, Requests: 2048, RequestsOfPeer: 1024, Watches: 16}
}

// Connections bounds connections. Where one too many comes, who holds most pays: of strangers the peer with most
// connections, of known ones the caller with most, and the connection that has been quiet for longest is cut. So newcomers
// always find a place, and a flood displaces itself. It is safe for concurrent use.
type Connections struct {
	bounds  Bounds
	evicted func() // counts a connection that was cut

	mu        sync.Mutex
	strangers class
	known     class
	unproven  map[string]int // requests that count, by peer
	requests  int            // their sum
}

// class is connections of one kind, in groups of those that belong together.
type class struct {
	groups map[string]*list.List // of *Connection, the one that has been quiet for longest first
	size   int
}

// NewConnections makes bounds; evicted is called for each connection that is cut.
func NewConnections(bounds Bounds, evicted func()) *Connections {
	return &Connections{
		bounds: bounds, evicted: evicted, unproven: make(map[string]int),
		strangers: class{groups: make(map[string]*list.List)}, known: class{groups: make(map[string]*list.List)},
	}
}

// Connection is one connection. A nil one has no bounds.
type Connection struct {
	of   *Connections
	peer string
	cut  func()

	// The rest is guarded by of.mu.
	class   *class // nil = gone
	group   string
	at      *list.Element
	open    map[*Request]struct{} // whose caller is not accepted, or not yet
	counted int                   // of them, in of.unproven
	watches int
}

// Enter notes a connection from an address. Cut closes it without waiting for anything; others are cut to make room.
func (c *Connections) Enter(from net.Addr, cut func()) *Connection {
	conn := &Connection{of: c, peer: peerOf(from), cut: cut, open: make(map[*Request]struct{})}
	c.mu.Lock()
	var gone *Connection
	switch own := c.strangers.groups[conn.peer]; {
	case own != nil && own.Len() >= c.bounds.StrangersOfPeer:
		gone = quietest(own)
	case c.strangers.size >= c.bounds.Strangers:
		gone = quietest(c.strangers.largest())
	}
	c.leave(gone)
	c.join(conn, &c.strangers, conn.peer)
	c.mu.Unlock()
	c.evict(gone)
	return conn
}

// Leave forgets the connection.
func (k *Connection) Leave() {
	if k == nil {
		return
	}
	k.of.mu.Lock()
	defer k.of.mu.Unlock()
	k.of.leave(k)
}

// Request is one request on a connection, and the context that it runs in. Each of its methods may be called on nil.
type Request struct {
	context.Context //nolint:containedctx // it is one

	conn  *Connection
	timer *time.Timer // ends the context when the message does not come; nil = there is none to wait for

	// The rest is guarded by conn.of.mu.
	proven bool
	watch  bool
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

// Begin notes a request whose caller is not known yet. Where patience is given, the context ends after it unless Arrived is
// called before. End should be called; a request whose context has ended counts no longer without it.
func (k *Connection) Begin(ctx context.Context, patience time.Duration) *Request {
	r := &Request{Context: ctx, conn: k}
	if k == nil {
		return r
	}
	if patience > 0 {
		inner, cancel := context.WithCancel(ctx) // the outer one ends with the request
		r.Context, r.timer = inner, time.AfterFunc(patience, cancel)
	}
	c := k.of
	c.mu.Lock()
	if k.class == nil { // it was cut, which its transport has not seen yet
		c.mu.Unlock()
		return r
	}
	k.class.groups[k.group].MoveToBack(k.at)
	k.open[r] = struct{}{}
	c.count(k)
	var gone *Connection
	if c.unproven[k.peer] > c.bounds.RequestsOfPeer || c.requests > c.bounds.Requests {
		gone = c.busiest(k.peer)
	}
	c.leave(gone)
	c.mu.Unlock()
	c.evict(gone)
	return r
}

// Arrived says that the request has its message.
func (r *Request) Arrived() {
	if r != nil && r.timer != nil {
		r.timer.Stop()
	}
}

// Proven says that the request's caller is accepted: the connection is theirs from now on.
func (r *Request) Proven(caller string) {
	if r == nil || r.conn == nil {
		return
	}
	k, c := r.conn, r.conn.of
	c.mu.Lock()
	r.proven = true
	delete(k.open, r)
	c.count(k)
	var gone *Connection
	switch {
	case k.class == nil:
	case k.class == &c.known && k.group == caller:
	default:
		c.known.remove(k)
		c.strangers.remove(k)
		if c.known.size >= c.bounds.Known {
			gone = quietest(c.known.largest())
			c.leave(gone)
		}
		c.join(k, &c.known, caller)
	}
	c.mu.Unlock()
	c.evict(gone)
}

// Accepted says whether the request's caller is accepted.
func (r *Request) Accepted() bool {
	if r == nil || r.conn == nil {
		return true
	}
	r.conn.of.mu.Lock()
	defer r.conn.of.mu.Unlock()
	return r.proven
}

// Stay says that the request is a stream that needs no caller. It returns false when the connection has too many of them.
func (r *Request) Stay() bool {
	if r == nil || r.conn == nil {
		return true
	}
	c := r.conn.of
	c.mu.Lock()
	defer c.mu.Unlock()
	if r.conn.watches >= c.bounds.Watches {
		return false
	}
	r.conn.watches++
	r.watch = true
	return true
}

// End says that the request is over. It may be called again.
func (r *Request) End() {
	if r == nil || r.conn == nil {
		return
	}
	r.Arrived()
	c := r.conn.of
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(r.conn.open, r)
	c.count(r.conn)
	if r.watch {
		r.watch = false
		r.conn.watches--
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
	if c.unproven[k.peer] += now - k.counted; c.unproven[k.peer] == 0 {
		delete(c.unproven, k.peer)
	}
	k.counted = now
}

// busiest forgets the requests that have ended unseen. If there are too many still, it returns the connection with most of them,
// of the peer that has too many or, where all together are too many, of the one that has most.
func (c *Connections) busiest(peer string) (most *Connection) {
	c.each(func(k *Connection) {
		for r := range k.open {
			if r.Err() != nil {
				r.Arrived() // its timer would keep it
				delete(k.open, r)
			}
		}
		c.count(k)
	})
	if c.unproven[peer] <= c.bounds.RequestsOfPeer {
		if c.requests <= c.bounds.Requests {
			return nil
		}
		for other, n := range c.unproven {
			if n > c.unproven[peer] {
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
	for _, from := range []*class{&c.strangers, &c.known} {
		for _, group := range from.groups {
			for at := group.Front(); at != nil; at = at.Next() {
				if k, ok := at.Value.(*Connection); ok {
					f(k)
				}
			}
		}
	}
}

// evict cuts a connection, if there is one, that was taken out.
func (c *Connections) evict(k *Connection) {
	if k != nil {
		c.evicted()
		k.cut()
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

// quietest returns the connection of a group that has been quiet for longest.
func quietest(group *list.List) *Connection {
	if group == nil || group.Len() == 0 {
		return nil
	}
	k, _ := group.Front().Value.(*Connection)
	return k
}

// peerOf names the other side: its address without the port; of IPv6 the network, all of which one host may use.
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
