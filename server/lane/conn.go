package lane

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/parley-gateway/parley/server/doors"
)

const (
	roomAtFirst = 8 << 10  // bytes for what a client sends; most access tokens fit
	mostLines   = 64       // of a head that is remembered
	roomAtMost  = 32 << 10 // a longer head is for net/http
	// patience is how long a request may take before its client is watched.
	patience = 5 * time.Millisecond
	// linger is how long a client may take to read a last answer before the connection is closed.
	linger = 500 * time.Millisecond
)

var headEnd = []byte("\r\n\r\n")

// conn is a connection that the lane reads.
type conn struct {
	net.Conn

	lane   *Lane
	ctx    context.Context //nolint:containedctx // that of its requests, so that connections do not share a lock
	cancel context.CancelFunc
	remote string
	read   []byte // what came and is not answered yet
	text   bytes.Reader
	parser *bufio.Reader
	answer answer
	watch  watch

	head    []byte        // of the request before
	request *http.Request // and what it says; handlers do not change it
}

func newConn(l *Lane, raw net.Conn) *conn {
	c := &conn{Conn: raw, lane: l, remote: raw.RemoteAddr().String(), read: make([]byte, 0, roomAtFirst)}
	c.parser = bufio.NewReaderSize(&c.text, 1<<10)
	c.ctx, c.cancel = context.WithCancel(l.ctx)
	c.answer = answer{conn: raw, ends: &l.draining, header: http.Header{}}
	c.watch.init(raw)
	return c
}

// serve answers requests, first the one that waits if there is one, until the connection ends, or until one comes that is not
// for the lane: then ours is false, and that request is still in c.read.
func (c *conn) serve(waiting *http.Request) (ours bool) {
	wait := c.lane.cfg.HeaderTime // that of a new connection
	if waiting != nil {
		if !c.handle(waiting) {
			return true
		}
		wait = c.lane.cfg.IdleTime
	}
	for {
		head, err := c.next(wait)
		if err != nil {
			return true
		}
		r := c.parse(head)
		if r == nil {
			return false
		}
		c.drop(len(head))
		if !c.handle(r) {
			return true
		}
		wait = c.lane.cfg.IdleTime
	}
}

// drop forgets the first n bytes of what was read, and the room of a large head with it: an idle connection takes little memory.
func (c *conn) drop(n int) {
	rest := c.read[n:]
	if cap(c.read) > roomAtFirst && len(rest) <= roomAtFirst {
		c.read = make([]byte, 0, roomAtFirst)
	}
	c.read = c.read[:copy(c.read[:len(rest)], rest)]
}

// parse reads the head of a request for the lane; nil if it is not for it. Clients that ask the same again and again send the
// same head, which is read once unless it is large.
func (c *conn) parse(head []byte) *http.Request {
	if c.request != nil && bytes.Equal(head, c.head) {
		return c.request
	}
	target, ok := plainGet(head)
	if !ok || !c.lane.cfg.Takes(target) {
		return nil
	}
	c.text.Reset(head)
	c.parser.Reset(&c.text)
	r, err := http.ReadRequest(c.parser)
	c.text.Reset(nil)
	if err != nil {
		return nil // net/http says so
	}
	r.RemoteAddr = c.remote
	if len(head) <= roomAtFirst && bytes.Count(head, crlf) <= mostLines {
		c.head, c.request = append(c.head[:0], head...), r
	}
	return r
}

// next returns the head of the next request with its empty line, or as much of it as the lane reads. It is good until c.read
// changes.
func (c *conn) next(wait time.Duration) ([]byte, error) {
	if len(c.read) > 0 {
		wait = c.lane.cfg.HeaderTime
	}
	for from, bounded := 0, false; ; {
		if end := bytes.Index(c.read[from:], headEnd); end >= 0 {
			return c.read[:from+end+len(headEnd)], nil
		}
		if len(c.read) >= roomAtMost || len(c.read) > 0 && !mayBePlain(c.read) {
			return c.read, nil
		}
		from = max(len(c.read)-len(headEnd)+1, 0)
		if len(c.read) == cap(c.read) {
			c.read = append(make([]byte, 0, 2*cap(c.read)), c.read...)
		}
		if !bounded {
			if err := c.waitAtMost(wait); err != nil {
				return nil, err
			}
		}
		begun := len(c.read) > 0
		n, err := c.Read(c.read[len(c.read):cap(c.read)])
		c.read = c.read[:len(c.read)+n]
		if n == 0 && err != nil {
			return nil, err
		}
		// The time for the head begins with its first bytes.
		bounded, wait = begun, c.lane.cfg.HeaderTime
	}
}

// waitAtMost bounds the next reads; once the lane drains there are none.
func (c *conn) waitAtMost(wait time.Duration) error {
	deadline := time.Time{}
	if wait > 0 {
		deadline = time.Now().Add(wait)
	}
	if err := c.SetReadDeadline(deadline); err != nil {
		return err
	}
	// Drain says that it drains before it ends the reads, so one of the two is seen.
	if c.lane.draining.Load() {
		return net.ErrClosed
	}
	return nil
}

// handle answers one request and says whether the connection goes on.
func (c *conn) handle(r *http.Request) (goesOn bool) {
	ctx, cancel := context.WithCancel(c.ctx)
	defer cancel()
	c.answer.begin()
	c.watch.begin(cancel)
	returned := c.run(r.WithContext(ctx))
	c.read = append(c.read, c.watch.end()...)
	// A client that ended its own direction may still read: the answer to it, and to what it asked before it did.
	if !returned || c.answer.finish() != nil {
		return false
	}
	if c.answer.last {
		c.partAfter()
	}
	return !c.answer.last
}

// run calls the handler; a panic ends the connection and not the process, as in net/http.
func (c *conn) run(r *http.Request) (returned bool) {
	defer func() {
		if !returned {
			_ = recover() // whoever made the handler knows more
		}
	}()
	c.lane.cfg.Handler.ServeHTTP(&c.answer, r)
	return true
}

// partAfter lets the client read a last answer: closing while something of its own is unread would take it away.
func (c *conn) partAfter() {
	if doors.CloseWrite(c.Conn) != nil || c.SetReadDeadline(time.Now().Add(linger)) != nil {
		return
	}
	for {
		if _, err := c.Read(c.read[:cap(c.read)]); err != nil {
			return
		}
	}
}

// watch ends a request that takes long when its client goes away.
type watch struct {
	conn  net.Conn
	timer *time.Timer
	ended chan struct{} // receives one each time the timer fired

	mu     sync.Mutex
	over   bool // the request has its answer
	cancel context.CancelFunc
	byte1  [1]byte
	early  []byte // what the client sent meanwhile
}

func (w *watch) init(conn net.Conn) {
	w.conn, w.ended = conn, make(chan struct{}, 1)
}

// begin begins to watch a request, after a while.
func (w *watch) begin(cancel context.CancelFunc) {
	w.cancel, w.over, w.early = cancel, false, nil
	if w.timer == nil {
		w.timer = time.AfterFunc(patience, w.read)
		return
	}
	w.timer.Reset(patience)
}

// end ends the watch, and returns what the client has sent since.
func (w *watch) end() (early []byte) {
	if w.timer.Stop() {
		return nil
	}
	w.mu.Lock()
	w.over = true
	_ = w.conn.SetReadDeadline(past) // a broken connection ends the read too
	w.mu.Unlock()
	<-w.ended
	return w.early
}

// read waits for the client to send or go. Requests are not read beyond the one byte that tells.
func (w *watch) read() {
	defer func() { w.ended <- struct{}{} }()
	for w.goesOn() {
		n, err := w.conn.Read(w.byte1[:])
		switch {
		case n > 0:
			w.early = w.byte1[:n]
			return
		case err != nil && !errors.Is(err, os.ErrDeadlineExceeded):
			w.cancel()
			return
		}
		// The request is over, or the lane drains, which ends all reads but no request.
	}
}

// goesOn says whether the request still waits for its answer, and lets the next read take as long as that takes.
func (w *watch) goesOn() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.over {
		_ = w.conn.SetReadDeadline(time.Time{}) // a broken connection ends the read too
	}
	return !w.over
}
