package server

import (
	"context"
	"net"
	"sync"
	"time"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"
)

// ages knows when each connection of the gRPC listener began. Connections are renewed after Config.ConnectionAge, so
// that callers spread over replicas that were added; a stream that is still open then has Config.ConnectionGrace to end.
// The library cuts it after that, so it is ended with its token a little before.
type ages struct {
	age, grace time.Duration

	mu   sync.Mutex
	born map[string]time.Time // by the address of the other side
}

func newAges(age, grace time.Duration) *ages {
	return &ages{age: age, grace: grace, born: make(map[string]time.Time)}
}

// credentials notes the connections that shake hands with the inner ones.
func (a *ages) credentials(inner credentials.TransportCredentials) credentials.TransportCredentials {
	return &agedCredentials{inner, a}
}

// tlsAuth is what grpc calls TLS.
const tlsAuth = "tls"

type agedCredentials struct {
	credentials.TransportCredentials

	ages *ages
}

// ServerHandshake also notes the connection, which its wrapper forgets when it is closed. The connection below is left as it
// is, because the library sets options on its socket.
func (c *agedCredentials) ServerHandshake(raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	conn, info, err := c.TransportCredentials.ServerHandshake(raw)
	if err != nil {
		return nil, nil, err
	}
	if info.AuthType() == tlsAuth {
		begun(raw)
	}
	c.ages.mu.Lock()
	defer c.ages.mu.Unlock()
	c.ages.born[conn.RemoteAddr().String()] = time.Now()
	return &agedConn{Conn: conn, ages: c.ages}, info, nil
}

// Clone implements credentials.TransportCredentials.
func (c *agedCredentials) Clone() credentials.TransportCredentials {
	return c.ages.credentials(c.TransportCredentials.Clone())
}

type agedConn struct {
	net.Conn

	ages *ages
	gone sync.Once
}

// Close forgets the connection; its address may be another's afterwards.
func (c *agedConn) Close() error {
	c.gone.Do(func() {
		c.ages.mu.Lock()
		defer c.ages.mu.Unlock()
		delete(c.ages.born, c.RemoteAddr().String())
	})
	return c.Conn.Close()
}

// retire ends a stream before its connection is cut; the result calls that off. Those of the REST face have no such bound.
func (a *ages) retire(ctx context.Context, end *streamEnd) (release func()) {
	p, ok := peer.FromContext(ctx)
	if !ok || p.Addr == nil {
		return func() {}
	}
	a.mu.Lock()
	born, ok := a.born[p.Addr.String()]
	a.mu.Unlock()
	if !ok {
		return func() {}
	}
	// The library varies the age by a tenth.
	left := time.Until(born.Add(a.age - a.age/10 + a.grace - a.grace/10))
	timer := time.AfterFunc(left, func() { end.stop(errStreamEnded("the connection has reached its age")) })
	return func() { timer.Stop() }
}
