package lifetime

import (
	"bufio"
	"context"
	"net"
	"sync"
	"time"

	"golang.org/x/net/http2"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/tap"

	"github.com/parley-gateway/parley/server/admission"
)

// GRPCConns are the connections of the gRPC listener. Each knows its age, who calls over it, and when the last byte of an answer is out.
// The library renews connections after an age, so that callers spread over replicas that were added; a stream that is still open then has
// a time of grace to end. After that the library closes the connection, so the stream is ended with its token a little before.
type GRPCConns struct {
	age, grace     time.Duration
	messageTimeout time.Duration // until the message of a call must have come
	admitted       *admission.Connections

	mu    sync.Mutex
	conns map[string]*conn // by the address of the other side
}

// NewGRPCConns returns a GRPCConns without connections. age and grace are the times after which the library renews a connection and
// closes it; admitted counts the connections of both listeners. messageTimeout is how long the message of a call may take to come.
func NewGRPCConns(age, grace, messageTimeout time.Duration, admitted *admission.Connections) *GRPCConns {
	return &GRPCConns{age: age, grace: grace, messageTimeout: messageTimeout, admitted: admitted, conns: make(map[string]*conn)}
}

// Credentials returns the inner credentials, which also note each connection that completes its handshake.
func (g *GRPCConns) Credentials(inner credentials.TransportCredentials) credentials.TransportCredentials {
	return &connCredentials{inner, g}
}

type connCredentials struct {
	credentials.TransportCredentials

	all *GRPCConns
}

// ServerHandshake also notes the connection, which its wrapper forgets when it is closed. The connection below is left as it
// is, because the library sets options on its socket.
func (c *connCredentials) ServerHandshake(raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	connection := c.all.admitted.Enter(raw.RemoteAddr(), func() { _ = raw.Close() })
	handshaken, info, err := c.TransportCredentials.ServerHandshake(raw)
	if err != nil {
		connection.Leave()
		return nil, nil, err
	}
	c.all.mu.Lock()
	defer c.all.mu.Unlock()
	known := newConn(handshaken, raw, c.all, connection)
	c.all.conns[handshaken.RemoteAddr().String()] = known
	return known, info, nil
}

// Clone implements credentials.TransportCredentials.
func (c *connCredentials) Clone() credentials.TransportCredentials {
	return c.all.Credentials(c.TransportCredentials.Clone())
}

// conn is one connection. It reads the headers of the frames that pass, which tell when the last byte of an answer is out:
// the library does not.
type conn struct {
	net.Conn

	raw      net.Conn // below TLS
	all      *GRPCConns
	admitted *admission.Connection
	opened   time.Time
	closing  sync.Once

	reader  *bufio.Reader // the library has none of its own, so that it has read no frame beyond the one it looks at
	in, out frameScanner
	latest  uint32 // the stream of the last headers that came; read and written by the goroutine that reads

	mu     sync.Mutex
	closed bool
	holds  map[uint32]*Hold // of the streams whose end is not out
	caller string           // who called first; empty = nobody yet
	// severalCallers is set where more than one caller calls, as behind a proxy.
	severalCallers bool
}

// readBufferSize is the size of the read buffer of a connection; requests are small.
const readBufferSize = 8 << 10

func newConn(inner, raw net.Conn, all *GRPCConns, admitted *admission.Connection) *conn {
	c := &conn{
		Conn: inner, raw: raw, all: all, admitted: admitted, opened: time.Now(),
		reader: bufio.NewReaderSize(inner, readBufferSize), holds: make(map[uint32]*Hold),
	}
	c.in = frameScanner{untilHeader: len(http2.ClientPreface), onFrame: func(kind http2.FrameType, _ http2.Flags, stream uint32) {
		if kind == http2.FrameHeaders {
			c.latest = stream
		}
		if kind == http2.FrameRSTStream {
			c.noteStreamSent(stream)
		}
	}}
	c.out = frameScanner{onFrame: func(kind http2.FrameType, flags http2.Flags, stream uint32) {
		if kind == http2.FrameRSTStream || kind == http2.FrameHeaders && flags.Has(http2.FlagHeadersEndStream) {
			c.noteStreamSent(stream)
		}
	}}
	return c
}

// Read implements net.Conn.
func (c *conn) Read(p []byte) (int, error) {
	n, err := c.reader.Read(p)
	c.in.scan(p[:n])
	return n, err
}

// Write implements net.Conn.
func (c *conn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.out.scan(p[:n])
	return n, err
}

// holdStream begins the hold of a stream. It is called by the goroutine that reads, so that no end of the stream is missed.
func (c *conn) holdStream(stream uint32) *Hold {
	h := &Hold{conn: c}
	c.mu.Lock()
	defer c.mu.Unlock()
	if h.sent = c.closed; !c.closed {
		c.holds[stream] = h
	}
	return h
}

// noteStreamSent notes that nothing on a stream is still to be written.
func (c *conn) noteStreamSent(stream uint32) {
	c.mu.Lock()
	h := c.holds[stream]
	delete(c.holds, stream)
	c.mu.Unlock()
	if h != nil {
		h.noteSent()
	}
}

// noteCaller notes who calls over the connection.
func (c *conn) noteCaller(caller string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.caller == "" {
		c.caller = caller
	}
	c.severalCallers = c.severalCallers || c.caller != caller
}

func (c *conn) hasSeveralCallers() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.severalCallers
}

// Close forgets the connection; its address may be another's afterwards. Nothing more of its answers is written.
func (c *conn) Close() error {
	c.closing.Do(func() {
		c.admitted.Leave()
		c.all.mu.Lock()
		delete(c.all.conns, c.RemoteAddr().String())
		c.all.mu.Unlock()
		c.mu.Lock()
		holds := c.holds
		c.holds, c.closed = nil, true
		c.mu.Unlock()
		for _, h := range holds {
			h.noteSent()
		}
	})
	return c.Conn.Close()
}

// hangUp breaks the connection, without a word that would wait for the other side.
func (c *conn) hangUp() { _ = c.raw.Close() }

// connOf returns the connection of a call over gRPC; nil over REST.
func (g *GRPCConns) connOf(ctx context.Context) *conn {
	p, ok := peer.FromContext(ctx)
	if !ok || p.Addr == nil {
		return nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.conns[p.Addr.String()]
}

// Tap notes each call when its headers are there. A call of an unknown method is answered at once and holds nothing.
func (g *GRPCConns) Tap(known func(method string) bool) tap.ServerInHandle {
	return func(ctx context.Context, info *tap.Info) (context.Context, error) {
		if !known(info.FullMethodName) {
			return ctx, nil
		}
		c := g.connOf(ctx)
		if c == nil {
			return ctx, nil
		}
		// The library calls this when it has read these headers and nothing behind them.
		return c.admitted.Begin(context.WithValue(ctx, holdKey{}, c.holdStream(c.latest)), g.messageTimeout), nil
	}
}

// endWithinGrace ends a stream over gRPC before the library closes its connection; release stops the timer. Streams over REST have no such
// bound.
func (g *GRPCConns) endWithinGrace(hold *Hold, closer *StreamCloser) (release func()) {
	if hold == nil || hold.conn == nil {
		return func() {}
	}
	// The library varies the age by a tenth.
	left := time.Until(hold.conn.opened.Add(g.age - g.age/10 + g.grace - g.grace/10))
	timer := time.AfterFunc(left, func() { closer.stopAtCheckpoint(ErrStreamEnded("the connection has reached its age")) })
	return func() { timer.Stop() }
}
