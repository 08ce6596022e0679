package conformance

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"sync"
	"time"
)

var errCut = errors.New("the connection was cut")

// Marks in what is sent, at which a connection ends. They make ends exact however a transport groups its writes: everything before the
// mark has gone out, and nothing behind it.
var (
	cutMark  = []byte("\x00conformance cut\x00")
	tearMark = []byte("\x00conformance tear\x00")
)

// frameHead is how many bytes of HTTP/2, gRPC and protobuf stand before the mark in the frame that carries it.
const frameHead = 9 + 5 + 4

// listener accepts connections that can be cut.
type listener struct {
	net.Listener

	conns *conns
}

// Accept implements net.Listener.
func (l listener) Accept() (net.Conn, error) {
	accepted, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	c := &conn{Conn: accepted, drains: &l.conns.drains}
	l.conns.mu.Lock()
	defer l.conns.mu.Unlock()
	l.conns.byPeer[accepted.RemoteAddr().String()] = c
	return c, nil
}

// conns are the connections of a server by the address of their client.
type conns struct {
	drains sync.WaitGroup

	mu     sync.Mutex
	byPeer map[string]*conn
}

func (c *conns) get(peer net.Addr) *conn {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.byPeer[peer.String()]
}

// conn is a connection that ends where a mark is written. It ends by a FIN, and what the client still sends is read: a reset would
// take from the client what it has not read yet.
type conn struct {
	net.Conn

	drains *sync.WaitGroup

	mu   sync.Mutex
	tail []byte // end of what was written, too short for a mark
	cut  bool
}

// Write implements net.Conn.
func (c *conn) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cut {
		return 0, errCut
	}
	seen := slices.Concat(c.tail, b)
	end := -1
	if i := bytes.Index(seen, cutMark); i >= 0 {
		end = i - frameHead
	} else if i := bytes.Index(seen, tearMark); i >= 0 {
		end = i + len(tearMark)
	}
	if end < 0 && !bytes.Contains(seen, cutMark) {
		c.tail = bytes.Clone(seen[max(0, len(seen)-len(tearMark)):])
		return c.Conn.Write(b)
	}
	if n := end - len(c.tail); n > 0 {
		if _, err := c.Conn.Write(b[:n]); err != nil {
			return 0, err
		}
	}
	c.endLocked()
	return 0, errCut
}

// end cuts the connection now.
func (c *conn) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.endLocked()
}

func (c *conn) endLocked() {
	c.cut = true
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite() // the client is gone if this fails
	}
}

// reset ends the connection by a TCP reset.
func (c *conn) reset() {
	if tcp, ok := c.Conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // it is closed either way
	}
	_ = c.Conn.Close()
}

// Close implements net.Conn.
func (c *conn) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.cut {
		return c.Conn.Close()
	}
	c.drains.Go(func() {
		_ = c.SetReadDeadline(time.Now().Add(drainTime))
		_, _ = io.Copy(io.Discard, c.Conn) // ends when the client closes
		_ = c.Conn.Close()
	})
	return nil
}

// drainTime is how long a client may keep its side of a connection open that was cut.
const drainTime = 10 * time.Second

// listen listens on an address of this machine; ":0" in it is any free port. An address that was just left may be taken for a moment.
func (c *conns) listen(ctx context.Context, address string) (net.Listener, error) {
	for tries := 0; ; tries++ {
		inner, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
		if err == nil {
			return listener{Listener: inner, conns: c}, nil
		}
		if tries == 100 {
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}
