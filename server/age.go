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
	lives map[string]life // by the address of the other side
}

// life is one connection.
type life struct {
	born  time.Time
	bound *doors.Connection
}

func newAges(cfg *Config, bounds *doors.Connections) *ages {
	return &ages{age: cfg.ConnectionAge, grace: cfg.ConnectionGrace, patience: cfg.HeaderTime, bounds: bounds, lives: make(map[string]life)}
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
	c.ages.lives[conn.RemoteAddr().String()] = life{time.Now(), bound}
	return &agedConn{Conn: conn, ages: c.ages, bound: bound}, info, nil
}

// Clone implements credentials.TransportCredentials.
func (c *agedCredentials) Clone() credentials.TransportCredentials {
	return c.ages.credentials(c.TransportCredentials.Clone())
}

type agedConn struct {
	net.Conn

	ages  *ages
	bound *doors.Connection
	gone  sync.Once
}

// Close forgets the connection; its address may be another's afterwards.
func (c *agedConn) Close() error {
	c.gone.Do(func() {
		c.bound.Leave()
		c.ages.mu.Lock()
		defer c.ages.mu.Unlock()
		delete(c.ages.lives, c.RemoteAddr().String())
	})
	return c.Conn.Close()
}

// lifeOf is the connection of a call; there is none for calls of the REST face.
func (a *ages) lifeOf(ctx context.Context) (life, bool) {
	p, ok := peer.FromContext(ctx)
	if !ok || p.Addr == nil {
		return life{}, false
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	of, ok := a.lives[p.Addr.String()]
	return of, ok
}

// begin notes each call when its headers are there. What the server does not know is answered at once and holds nothing.
func (a *ages) begin(known func(method string) bool) tap.ServerInHandle {
	return func(ctx context.Context, info *tap.Info) (context.Context, error) {
		if !known(info.FullMethodName) {
			return ctx, nil
		}
		of, ok := a.lifeOf(ctx)
		if !ok {
			return ctx, nil
		}
		return of.bound.Begin(ctx, a.patience), nil
	}
}

// retire ends a stream before its connection is cut; the result calls that off. Those of the REST face have no such bound.
func (a *ages) retire(ctx context.Context, end *streamEnd) (release func()) {
	of, ok := a.lifeOf(ctx)
	if !ok {
		return func() {}
	}
	// The library varies the age by a tenth.
	left := time.Until(of.born.Add(a.age - a.age/10 + a.grace - a.grace/10))
	timer := time.AfterFunc(left, func() { end.stop(errStreamEnded("the connection has reached its age")) })
	return func() { timer.Stop() }
}
