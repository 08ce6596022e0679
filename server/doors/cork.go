package doors

import (
	"context"
	"errors"
	"net"
)

// mostHeld is the size of net/http's write buffer: what it hands to the connection before a body that is larger.
const mostHeld = 4 << 10

// Corked is a connection that can hold back the beginning of an answer, so that head and body leave in one write. It is
// written to by one goroutine at a time, as net/http does.
type Corked struct {
	net.Conn

	on    bool
	held  []byte
	parts [2][]byte
	both  net.Buffers
}

// Cork makes the listener's connections Corked.
func Cork(listener net.Listener) net.Listener { return corking{listener} }

type corking struct{ net.Listener }

// Accept implements net.Listener.
func (c corking) Accept() (net.Conn, error) {
	conn, err := c.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &Corked{Conn: conn}, nil
}

type corkedKey struct{}

// WithConn is a http.Server's ConnContext: handlers find the connection with CorkedOf.
func WithConn(ctx context.Context, conn net.Conn) context.Context {
	if corked, ok := conn.(*Corked); ok {
		return context.WithValue(ctx, corkedKey{}, corked)
	}
	return ctx
}

// CorkedOf is the connection of a request; nil where it cannot be corked. A nil *Corked does nothing.
func CorkedOf(ctx context.Context) *Corked {
	corked, _ := ctx.Value(corkedKey{}).(*Corked)
	return corked
}

// NetConn is the connection below.
func (c *Corked) NetConn() net.Conn { return c.Conn }

// CloseWrite ends one direction, if the connection can: net/http lets clients read a last answer that way.
func (c *Corked) CloseWrite() error { return CloseWrite(c.Conn) }

// CloseWrite ends the server's direction of a connection, if it has one of its own.
func CloseWrite(conn net.Conn) error {
	half, ok := conn.(interface{ CloseWrite() error })
	if !ok {
		return errors.ErrUnsupported
	}
	return half.CloseWrite()
}

// Hold begins to hold back a first write of up to 4 KiB until the next one.
func (c *Corked) Hold() {
	if c != nil {
		c.on = true
	}
}

// Release ends it and sends what is held. Call it before the handler returns.
func (c *Corked) Release() {
	if c == nil {
		return
	}
	c.on = false
	if len(c.held) > 0 {
		_, _ = c.Conn.Write(c.held) // the next write, or the reader, tells
		c.held = c.held[:0]
	}
}

// Write implements net.Conn.
func (c *Corked) Write(b []byte) (int, error) {
	switch {
	case c.on && len(c.held) == 0 && len(b) <= mostHeld:
		c.held = append(c.held, b...)
		return len(b), nil
	case len(c.held) == 0:
		return c.Conn.Write(b)
	}
	before := len(c.held)
	c.parts = [2][]byte{c.held, b}
	c.both = c.parts[:]
	n, err := c.both.WriteTo(c.Conn)
	c.held, c.parts = c.held[:0], [2][]byte{}
	return max(int(n)-before, 0), err
}
