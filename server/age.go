package server

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

// ages knows when each connection of the gRPC listener began. Connections are renewed after Config.ConnectionAge, so
// that callers spread over replicas that were added; a stream that is still open then has Config.ConnectionGrace to end.
// The library cuts it after that, so it is ended with its token a little before.
type ages struct {
	age, grace time.Duration
	patience   time.Duration // until the message of a call must have come
	bounds     *admission.Connections

	mu    sync.Mutex
	lives map[string]*agedConn // by the address of the other side
}

func newAges(cfg *Config, bounds *admission.Connections) *ages {
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
	aged := newAgedConn(conn, raw, c.ages, bound)
	c.ages.lives[conn.RemoteAddr().String()] = aged
	return aged, info, nil
}

// Clone implements credentials.TransportCredentials.
func (c *agedCredentials) Clone() credentials.TransportCredentials {
	return c.ages.credentials(c.TransportCredentials.Clone())
}

// agedConn is one connection. It reads the headers of the frames that pass, which tell when the last byte of an answer is out:
// the library does not.
type agedConn struct {
	net.Conn

	raw   net.Conn // below TLS
	ages  *ages
	bound *admission.Connection
	born  time.Time
	gone  sync.Once

	reader  *bufio.Reader // the library has none of its own, so that it has read no frame beyond the one it looks at
	in, out frames
	latest  uint32 // the stream of the last headers that came; read and written by the goroutine that reads

	mu     sync.Mutex
	closed bool
	kept   map[uint32]*keeping // of the streams whose end is not out
	caller string              // who called first; empty = nobody yet
	shared bool                // by several callers, as behind a proxy
}

// readRoom is the size of the buffer of what comes; requests are small.
const readRoom = 8 << 10

func newAgedConn(conn, raw net.Conn, ages *ages, bound *admission.Connection) *agedConn {
	c := &agedConn{
		Conn: conn, raw: raw, ages: ages, bound: bound, born: time.Now(),
		reader: bufio.NewReaderSize(conn, readRoom), kept: make(map[uint32]*keeping),
	}
	c.in = frames{skip: len(http2.ClientPreface), seen: func(kind http2.FrameType, _ http2.Flags, stream uint32) {
		if kind == http2.FrameHeaders {
			c.latest = stream
		}
		if kind == http2.FrameRSTStream {
			c.end(stream)
		}
	}}
	c.out = frames{seen: func(kind http2.FrameType, flags http2.Flags, stream uint32) {
		if kind == http2.FrameRSTStream || kind == http2.FrameHeaders && flags.Has(http2.FlagHeadersEndStream) {
			c.end(stream)
		}
	}}
	return c
}

// Read implements net.Conn.
func (c *agedConn) Read(p []byte) (int, error) {
	n, err := c.reader.Read(p)
	c.in.pass(p[:n])
	return n, err
}

// Write implements net.Conn.
func (c *agedConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.out.pass(p[:n])
	return n, err
}

// begin notes a stream that begins. It is called by the goroutine that reads, so that no end of the stream is missed.
func (c *agedConn) begin(stream uint32) *keeping {
	k := &keeping{conn: c}
	c.mu.Lock()
	defer c.mu.Unlock()
	if k.sent = c.closed; !c.closed {
		c.kept[stream] = k
	}
	return k
}

// end notes that nothing on a stream is still to be written.
func (c *agedConn) end(stream uint32) {
	c.mu.Lock()
	k := c.kept[stream]
	delete(c.kept, stream)
	c.mu.Unlock()
	if k != nil {
		k.out()
	}
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

// Close forgets the connection; its address may be another's afterwards. Nothing more of its answers is written.
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
		for _, k := range kept {
			k.out()
		}
	})
	return c.Conn.Close()
}

// hangUp breaks the connection, without a word that would wait for the other side.
func (c *agedConn) hangUp() { _ = c.raw.Close() }

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
		// The library calls this when it has read these headers and nothing behind them.
		return of.bound.Begin(context.WithValue(ctx, keepingKey{}, of.begin(of.latest)), a.patience), nil
	}
}

// retire ends a stream before its connection is cut; the result calls that off. Those of the REST face have no such bound.
func (a *ages) retire(hold *keeping, end *streamEnd) (release func()) {
	if hold == nil || hold.conn == nil {
		return func() {}
	}
	// The library varies the age by a tenth.
	left := time.Until(hold.conn.born.Add(a.age - a.age/10 + a.grace - a.grace/10))
	timer := time.AfterFunc(left, func() { end.stop(errStreamEnded("the connection has reached its age")) })
	return func() { timer.Stop() }
}
