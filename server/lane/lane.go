// Package lane answers short HTTP/1.1 requests on the goroutine of their connection, and leaves everything else to net/http.
//
// net/http starts a goroutine for each request, which waits for the client to go away; starting and waking it costs more than
// the rest of a request whose answer is in memory. A [Lane] is a listener between the real one and a http.Server. It reads
// the requests of a connection and answers those that are plain and short, with the same handler as the server. At the first
// that is anything else (another method, a body, a stream, another version, a head that is large, odd or wrong) it gives
// the connection to the server, which reads that request as if nobody had before; with the next short one it comes back.
package lane

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/parley-gateway/parley/server/doors"
)

// Config is what a lane needs. Handler and Takes are required.
type Config struct {
	// Handler answers the requests. Where it panics, the connection is cut and nothing is logged here. It sets the Content-Type of
	// what it writes, since nothing is guessed here, and a write deadline for each answer if for any: one lasts until the next.
	Handler http.Handler
	// Takes says whether the answer to a GET of this target, such as "/v1/users?pageSize=1", is short: the whole of it is
	// held in memory until the handler returns.
	Takes func(target string) bool
	// HeaderTime bounds the reading of a request's head from its first bytes, or from the beginning of the connection.
	// IdleTime bounds the wait for the next request. 0 = no bound.
	HeaderTime, IdleTime time.Duration
}

// Lane is a net.Listener whose Accept returns the connections that are for net/http. Make it with New, serve it with a
// http.Server whose handler is Back, and end it with Drain.
type Lane struct {
	cfg    Config
	inner  net.Listener
	others chan net.Conn // for Accept
	failed chan error    // of inner, for Accept

	closed  chan struct{}
	closing sync.Once
	problem error // of closing inner

	ctx    context.Context //nolint:containedctx // that of every request; its end cuts them
	cancel context.CancelFunc

	draining atomic.Bool
	running  sync.WaitGroup // accept and each connection
	mu       sync.Mutex
	conns    map[*conn]struct{}
}

var _ net.Listener = (*Lane)(nil)

// New takes a listener over: the lane accepts its connections from now on and closes it.
func New(inner net.Listener, cfg Config) *Lane {
	l := &Lane{
		cfg: cfg, inner: inner, others: make(chan net.Conn), failed: make(chan error), closed: make(chan struct{}),
		conns: map[*conn]struct{}{},
	}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	l.running.Go(l.accept)
	return l
}

// Accept implements net.Listener: it returns the next connection that is not the lane's, or an error of the listener below.
func (l *Lane) Accept() (net.Conn, error) {
	select {
	case conn := <-l.others:
		return conn, nil
	case err := <-l.failed:
		return nil, err
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// Addr implements net.Listener.
func (l *Lane) Addr() net.Addr { return l.inner.Addr() }

// Close implements net.Listener: no connection is accepted any more. Those there are go on.
func (l *Lane) Close() error {
	l.closing.Do(func() {
		close(l.closed)
		l.problem = l.inner.Close()
	})
	return l.problem
}

// Drain closes the lane: connections without a request end, the others with their answer, and those that are left when ctx
// ends are cut, which is no error. It returns when all are gone.
func (l *Lane) Drain(ctx context.Context) error {
	err := l.Close()
	l.mu.Lock()
	l.draining.Store(true)
	l.mu.Unlock()
	l.each(func(c *conn) { _ = c.SetReadDeadline(past) }) // a connection that is broken ends by itself
	unhook := context.AfterFunc(ctx, func() {
		l.cancel()
		l.each(func(c *conn) { c.Close() })
	})
	l.running.Wait()
	unhook()
	l.cancel()
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// past is a deadline that ends a read at once.
var past = time.Unix(1, 0)

func (l *Lane) each(do func(*conn)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for c := range l.conns {
		do(c)
	}
}

// accept gives each new connection a goroutine. An error waits for Accept, so that the server above sets the pace.
func (l *Lane) accept() {
	for {
		raw, err := l.inner.Accept()
		if err == nil {
			l.start(raw)
			continue
		}
		select {
		case l.failed <- err:
		case <-l.closed:
			return
		}
	}
}

func (l *Lane) start(raw net.Conn) {
	c := newConn(l, raw)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.run(c, nil)
}

// run serves a connection, and first the request that was read of it already, if there is one. l.mu is held.
func (l *Lane) run(c *conn, waiting *http.Request) {
	l.conns[c] = struct{}{}
	l.running.Go(func() {
		ours := c.serve(waiting)
		c.cancel()
		l.mu.Lock()
		delete(l.conns, c)
		l.mu.Unlock()
		if ours || !l.handOver(c) {
			c.Close()
		}
	})
}

// handOver gives a connection to the server above, with what was read of it.
func (l *Lane) handOver(c *conn) bool {
	if c.SetReadDeadline(time.Time{}) != nil || c.SetWriteDeadline(time.Time{}) != nil {
		return false
	}
	select {
	case l.others <- &replayed{Conn: c.Conn, read: c.read}:
		return true
	case <-l.closed:
		return false
	}
}

// replayed is a connection of which some bytes were read before.
type replayed struct {
	net.Conn

	read []byte
}

// CloseWrite ends one direction, if the connection can: net/http lets clients read a last answer that way.
func (r *replayed) CloseWrite() error { return doors.CloseWrite(r.Conn) }

// Read implements net.Conn.
func (r *replayed) Read(b []byte) (int, error) {
	if len(r.read) == 0 {
		return r.Conn.Read(b)
	}
	n := copy(b, r.read)
	if r.read = r.read[n:]; len(r.read) == 0 {
		r.read = nil
	}
	return n, nil
}
