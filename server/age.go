package server

import (
	"context"
	"net"
	"sync"
	"time"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/tap"

	"github.com/parley-gateway/parley/server/doors"
)

// ages knows when each connection of the gRPC listener began. Connections are renewed after Config.ConnectionAge, so
// that callers spread over replicas that were added; a stream that is still open then has Config.ConnectionGrace to end.
// The library cuts it after that, so it is ended with its token a little before.
type ages struct {
	age, grace time.Duration
	patience   time.Duration // until the message of a call must have come
	bounds     *doors.Connections

	mu    sync.Mutex
	lives map[string]*agedConn // by the address of the other side
}

func newAges(cfg *Config, bounds *doors.Connections) *ages {
	return &ages{age: cfg.ConnectionAge, grace: cfg.ConnectionGrace, patience: cfg.HeaderTime, bounds: bounds, lives: make(map[string]*agedConn)}
}

// credentials notes the connections that shake hands with the inner ones.
func (a *ages) credentials(inner credentials.TransportCredentials) credentials.TransportCredentials {
	return &agedCredentials{inner, a}
}

type agedCredentials struct {
	credentials.TransportCredentials

	ages *ages
}

// ServerHandshake also notes the connection, which its wrapper forgets when it is closed. The connection below is left as it
// is, because the library sets options on its socket.
func (c *agedCredentials) ServerHandshake(raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	bound := c.ages.bounds.Enter(raw.RemoteAddr(), func() { _ = raw.Close() })
	conn, info, err := c.TransportCredentials.ServerHandshake(raw)
	if err != nil {
		bound.Leave()
		return nil, nil, err
	}
	c.ages.mu.Lock()
	defer c.ages.mu.Unlock()
	aged := &agedConn{Conn: conn, raw: raw, ages: c.ages, bound: bound, born: time.Now()}
	c.ages.lives[conn.RemoteAddr().String()] = aged
	return aged, info, nil
}

// Clone implements credentials.TransportCredentials.
func (c *agedCredentials) Clone() credentials.TransportCredentials {
	return c.ages.credentials(c.TransportCredentials.Clone())
}

// agedConn is one connection.
type agedConn struct {
	net.Conn

	raw   net.Conn // below TLS
	ages  *ages
	bound *doors.Connection
	born  time.Time
	gone  sync.Once

	mu     sync.Mutex
	closed bool
	kept   map[*keeping]struct{} // by calls whose answers are not out
	caller string                // who called first; empty = nobody yet
	shared bool                  // by several callers, as behind a proxy
}

// calls notes who calls over the connection.
func (c *agedConn) calls(caller string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.caller == "" {
		c.caller = caller
	}
	c.shared = c.shared || c.caller != caller
}

func (c *agedConn) isShared() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.shared
}

// Close forgets the connection; its address may be another's afterwards. What its calls keep is given back: the library does
// not give back what it has queued.
func (c *agedConn) Close() error {
	c.gone.Do(func() {
		c.bound.Leave()
		c.ages.mu.Lock()
		delete(c.ages.lives, c.RemoteAddr().String())
		c.ages.mu.Unlock()
		c.mu.Lock()
		kept := c.kept
		c.kept, c.closed = nil, true
		c.mu.Unlock()
		for k := range kept {
			k.lose()
		}
	})
	return c.Conn.Close()
}

// hangUp breaks the connection, without a word that would wait for the other side.
func (c *agedConn) hangUp() { _ = c.raw.Close() }

// keep has a call give everything back when the connection ends, if it has not before.
func (c *agedConn) keep(k *keeping) {
	c.mu.Lock()
	closed := c.closed
	if !closed {
		if c.kept == nil {
			c.kept = make(map[*keeping]struct{})
		}
		c.kept[k] = struct{}{}
	}
	c.mu.Unlock()
	if closed {
		k.lose()
		return
	}
	k.until(func() {
		c.mu.Lock()
		delete(c.kept, k)
		c.mu.Unlock()
	})
}

// lifeOf is the connection of a call; nil for calls of the REST face.
func (a *ages) lifeOf(ctx context.Context) *agedConn {
	p, ok := peer.FromContext(ctx)
	if !ok || p.Addr == nil {
		return nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.lives[p.Addr.String()]
}

// begin notes each call when its headers are there. What the server does not know is answered at once and holds nothing.
func (a *ages) begin(known func(method string) bool) tap.ServerInHandle {
	return func(ctx context.Context, info *tap.Info) (context.Context, error) {
		if !known(info.FullMethodName) {
			return ctx, nil
		}
		of := a.lifeOf(ctx)
		if of == nil {
			return ctx, nil
		}
		return of.bound.Begin(ctx, a.patience), nil
	}
}

// retire ends a stream before its connection is cut; the result calls that off. Those of the REST face have no such bound.
func (a *ages) retire(ctx context.Context, end *streamEnd) (release func()) {
	of := a.lifeOf(ctx)
	if of == nil {
		return func() {}
	}
	// The library varies the age by a tenth.
	left := time.Until(of.born.Add(a.age - a.age/10 + a.grace - a.grace/10))
	timer := time.AfterFunc(left, func() { end.stop(errStreamEnded("the connection has reached its age")) })
	return func() { timer.Stop() }
}
