package server

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/parley-gateway/parley/internal/shares"
)

// Connections that have not said anything of use yet: so many at one time on each listener, and so large a part of them for one
// address while others come. A connection counts until its TLS handshake is done, or until so many bytes came in plain text,
// as many as HTTP/2 begins with.
const (
	maxHalfOpen   = 1024
	halfOpenShare = 1. / 16
	firstBytes    = 24
	halfOpenWait  = 50 * time.Millisecond // for a place of one that is hung up on
)

// halfOpen bounds the connections of a listener that have not begun. Those beyond are hung up on, the newest of whoever has
// most first.
type halfOpen struct {
	net.Listener

	places *shares.Pool
	secure bool // a handshake begins a connection, bytes do not
}

func newHalfOpen(listener net.Listener, secure bool) *halfOpen {
	return &halfOpen{listener, shares.New(maxHalfOpen, halfOpenShare), secure}
}

// Accept implements net.Listener.
func (l *halfOpen) Accept() (net.Conn, error) {
	for {
		raw, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		host, _, _ := net.SplitHostPort(raw.RemoteAddr().String()) // an address without a port is one of its own
		conn := &halfOpenConn{Conn: raw, secure: l.secure}
		ctx, cancel := context.WithTimeout(context.Background(), halfOpenWait)
		conn.place, err = l.places.Enter(ctx, host, 1, 1, func() { _ = conn.Close() })
		cancel()
		if err == nil {
			return conn, nil
		}
		_ = raw.Close() // there is no room for it
	}
}

// halfOpenConn is a connection that may not have begun.
type halfOpenConn struct {
	net.Conn

	place  *shares.Place
	once   sync.Once
	secure bool
	bytes  atomic.Int64
}

// Read implements net.Conn.
func (c *halfOpenConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if !c.secure && c.bytes.Load() < firstBytes && c.bytes.Add(int64(n)) >= firstBytes {
		c.begin()
	}
	return n, err
}

// begin gives the place back: the connection has begun, or it is closed.
func (c *halfOpenConn) begin() { c.once.Do(c.leave) }

func (c *halfOpenConn) leave() {
	if c.place != nil {
		c.place.Leave()
	}
}

// Close implements net.Conn.
func (c *halfOpenConn) Close() error {
	c.begin()
	return c.Conn.Close()
}

// begun notes that a connection has begun.
func begun(conn net.Conn) {
	if over, ok := conn.(*tls.Conn); ok {
		conn = over.NetConn()
	}
	if c, ok := conn.(*halfOpenConn); ok {
		c.begin()
	}
}

// noteBegun is a hook of an HTTP server: the first byte of a request came.
func noteBegun(conn net.Conn, state http.ConnState) {
	if state == http.StateActive {
		begun(conn)
	}
}
