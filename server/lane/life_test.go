package lane_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-gateway/parley/server/lane"
)

// pipes is a listener whose connections are in memory, so that a bubble of synctest can hold them.
type pipes struct {
	conns  chan net.Conn
	errs   chan error
	closed chan struct{}
}

func newPipes() *pipes {
	return &pipes{make(chan net.Conn), make(chan error), make(chan struct{})}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case conn := <-p.conns:
		return conn, nil
	case err := <-p.errs:
		return nil, err
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	close(p.closed)
	return nil
}

func (*pipes) Addr() net.Addr { return &net.TCPAddr{} }

func (p *pipes) dial() net.Conn {
	client, server := net.Pipe()
	p.conns <- server
	return client
}

const (
	headerTime = 10 * time.Second
	idleTime   = 2 * time.Minute
)

// bubble holds a lane over pipes, without a server behind it.
type bubble struct {
	*testing.T
	*pipes

	lane *lane.Lane
}

// inBubble runs a test in a bubble of synctest.
func inBubble(t *testing.T, handler http.HandlerFunc, test func(b *bubble)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPipes()
		b := &bubble{t, p, lane.New(p, lane.Config{Handler: handler, Takes: short, HeaderTime: headerTime, IdleTime: idleTime})}
		test(b)
		if err := b.lane.Drain(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// ask sends a request and reads the answer.
func ask(t *testing.T, conn net.Conn, in *bufio.Reader, target string) *http.Response {
	t.Helper()
	if _, err := io.WriteString(conn, get(target)); err != nil {
		t.Fatal(err)
	}
	return read(t, in)
}

func read(t *testing.T, in *bufio.Reader) *http.Response {
	t.Helper()
	resp, err := http.ReadResponse(in, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return resp
}

// endsAfter reads until the server hangs up and says how long that took.
func endsAfter(t *testing.T, conn net.Conn) time.Duration {
	t.Helper()
	start := time.Now()
	if rest, err := io.ReadAll(conn); err != nil || len(rest) > 0 {
		t.Errorf("read %q, %v", rest, err)
	}
	return time.Since(start)
}

// TestTimes lets clients be slow at each step of a connection.
func TestTimes(t *testing.T) {
	inBubble(t, func(http.ResponseWriter, *http.Request) {}, func(b *bubble) {
		silent := b.dial()
		if took := endsAfter(b.T, silent); took != headerTime {
			b.Errorf("a client that says nothing is hung up on after %v", took)
		}
		slow, start := b.dial(), time.Now()
		for _, c := range get("/short/" + strings.Repeat("x", 100)) {
			time.Sleep(time.Second)
			if _, err := io.WriteString(slow, string(c)); err != nil {
				break
			}
		}
		if took := time.Since(start).Round(time.Second); took > 2*headerTime {
			b.Errorf("a slow head is hung up on after %v", took)
		}
		idle := b.dial()
		ask(b.T, idle, bufio.NewReader(idle), "/short")
		if took := endsAfter(b.T, idle); took != idleTime {
			b.Errorf("an idle client is hung up on after %v", took)
		}
		half := b.dial()
		ask(b.T, half, bufio.NewReader(half), "/short")
		time.Sleep(idleTime - time.Second)
		if _, err := io.WriteString(half, "GET /sho"); err != nil {
			b.Fatal(err)
		}
		if took := endsAfter(b.T, half); took != headerTime {
			b.Errorf("half a head is hung up on after %v", took)
		}
	})
}

// TestClientGone ends the request of a client that goes away while it waits; one that asks for more is not taken for gone.
func TestClientGone(t *testing.T) {
	var ended chan time.Duration // of the bubble
	slowly := func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/short/slow" {
			return
		}
		start := time.Now()
		select {
		case <-r.Context().Done():
			w.WriteHeader(http.StatusServiceUnavailable)
		case <-time.After(time.Hour):
		}
		ended <- time.Since(start)
	}
	inBubble(t, slowly, func(b *bubble) {
		ended = make(chan time.Duration, 1)
		for name, after := range map[string]time.Duration{"at once": 0, "in a minute": time.Minute, "after the idle time": 3 * idleTime} {
			conn := b.dial()
			if _, err := io.WriteString(conn, get("/short/slow")); err != nil {
				b.Fatal(err)
			}
			time.Sleep(after)
			conn.Close()
			if took := <-ended; took > after+time.Second {
				b.Errorf("gone %s: the request ends after %v", name, took)
			}
		}
		conn := b.dial()
		if _, err := io.WriteString(conn, get("/short/slow")); err != nil {
			b.Fatal(err)
		}
		go func() {
			time.Sleep(time.Second)
			_, _ = io.WriteString(conn, get("/short/1")+get("/short/2")) // the answers tell
		}()
		in := bufio.NewReader(conn)
		if first := read(b.T, in); first.StatusCode != http.StatusOK || <-ended != time.Hour {
			b.Errorf("a request with others after it is answered with %s", first.Status)
		}
		read(b.T, in)
		read(b.T, in)
		conn.Close()
	})
}

// TestDrain ends connections without a request at once, others with their answer, and cuts what takes too long.
func TestDrain(t *testing.T) {
	var release chan struct{} // of the bubble
	inBubble(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/short/slow":
			<-release
			_, _ = io.WriteString(w, "done") // the client tells
		case "/short/forever":
			<-r.Context().Done()
		default:
		}
	}, func(b *bubble) {
		release = make(chan struct{})
		fresh, idle, slow, forever := b.dial(), b.dial(), b.dial(), b.dial()
		ask(b.T, idle, bufio.NewReader(idle), "/short")
		for conn, target := range map[net.Conn]string{slow: "/short/slow", forever: "/short/forever"} {
			if _, err := io.WriteString(conn, get(target)); err != nil {
				b.Fatal(err)
			}
		}
		synctest.Wait()
		ctx, cancel := context.WithTimeout(b.Context(), time.Minute)
		defer cancel()
		drained, start := make(chan error, 1), time.Now()
		go func() { drained <- b.lane.Drain(ctx) }()
		for name, conn := range map[string]net.Conn{"fresh": fresh, "idle": idle} {
			if took := endsAfter(b.T, conn); took != 0 {
				b.Errorf("the %s connection ends after %v", name, took)
			}
		}
		if conn, err := b.lane.Accept(); !errors.Is(err, net.ErrClosed) {
			b.Errorf("accepted %v, %v", conn, err)
		}
		time.Sleep(30 * time.Second)
		close(release)
		if resp := read(b.T, bufio.NewReader(slow)); resp.StatusCode != http.StatusOK || !resp.Close || resp.ContentLength != 4 {
			b.Errorf("the slow answer is %s, close %t, %d bytes", resp.Status, resp.Close, resp.ContentLength)
		}
		slow.Close()
		if err := <-drained; err != nil || time.Since(start) != time.Minute {
			b.Errorf("drained after %v: %v", time.Since(start), err)
		}
		if rest, err := io.ReadAll(forever); err != nil && !errors.Is(err, io.ErrClosedPipe) || len(rest) > 0 {
			b.Errorf("the endless answer is %q, %v", rest, err)
		}
	})
}

// TestClientGoneWhileDraining ends the request of a client that goes away after the lane began to drain.
func TestClientGoneWhileDraining(t *testing.T) {
	inBubble(t, func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
		case <-time.After(time.Hour):
		}
	}, func(b *bubble) {
		conn := b.dial()
		if _, err := io.WriteString(conn, get("/short/slow")); err != nil {
			b.Fatal(err)
		}
		time.Sleep(time.Second)
		drained, start := make(chan error, 1), time.Now()
		go func() { drained <- b.lane.Drain(b.Context()) }()
		time.Sleep(time.Second)
		conn.Close()
		if err := <-drained; err != nil || time.Since(start) > time.Minute {
			b.Errorf("drained after %v: %v", time.Since(start), err)
		}
	})
}

// hijacked is a net/http answer whose connection can be taken over; meanwhile something happens.
type hijacked struct {
	http.ResponseWriter

	conn      net.Conn
	meanwhile func()
}

func (h *hijacked) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	h.meanwhile()
	return h.conn, bufio.NewReadWriter(bufio.NewReader(h.conn), bufio.NewWriter(h.conn)), nil
}

// TestDrainWhileTakingBack answers a request that net/http let in before the lane began to drain, unless the time for that is over.
func TestDrainWhileTakingBack(t *testing.T) {
	t.Parallel()
	for name, grace := range map[string]time.Duration{"in time": time.Minute, "too late": 0} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(http.ResponseWriter, *http.Request) {}, func(b *bubble) {
				client, server := net.Pipe()
				ctx, cancel := context.WithTimeout(b.Context(), grace)
				defer cancel()
				drained := make(chan error, 1)
				r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(get("/short"))))
				if err != nil {
					b.Fatal(err)
				}
				b.lane.Back(http.NotFoundHandler()).ServeHTTP(&hijacked{conn: server, meanwhile: func() {
					go func() { drained <- b.lane.Drain(ctx) }()
					synctest.Wait()
				}}, r)
				if grace > 0 {
					if resp := read(b.T, bufio.NewReader(client)); resp.StatusCode != http.StatusOK || !resp.Close {
						b.Errorf("the answer is %s, close %t", resp.Status, resp.Close)
					}
				}
				if took := endsAfter(b.T, client); took != 0 {
					b.Errorf("hung up after %v", took)
				}
				if err := <-drained; err != nil {
					b.Error(err)
				}
			})
		})
	}
}

// TestListenerErrors reach the server above, which waits as it likes; the lane goes on.
func TestListenerErrors(t *testing.T) {
	inBubble(t, func(http.ResponseWriter, *http.Request) {}, func(b *bubble) {
		broken := errors.New("too many open files")
		b.errs <- broken
		if _, err := b.lane.Accept(); !errors.Is(err, broken) {
			b.Errorf("the error is %v", err)
		}
		conn := b.dial()
		ask(b.T, conn, bufio.NewReader(conn), "/short")
		conn.Close()
	})
}

// TestHandOverWhenClosed hangs up on what nobody serves any more.
func TestHandOverWhenClosed(t *testing.T) {
	inBubble(t, func(http.ResponseWriter, *http.Request) {}, func(b *bubble) {
		conn := b.dial()
		if _, err := io.WriteString(conn, get("/other")); err != nil {
			b.Fatal(err)
		}
		if err := b.lane.Close(); err != nil {
			b.Fatal(err)
		}
		if took := endsAfter(b.T, conn); took != 0 {
			b.Errorf("hung up after %v", took)
		}
	})
}

// TestWriteDeadline ends an answer that its client does not read.
func TestWriteDeadline(t *testing.T) {
	var failed chan error // of the bubble
	inBubble(t, func(w http.ResponseWriter, _ *http.Request) {
		if err := http.NewResponseController(w).SetWriteDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Error(err)
		}
		w.Header().Set("Content-Length", "5")
		_, err := io.WriteString(w, "hello")
		failed <- err
		if _, again := io.WriteString(w, "more"); !errors.Is(again, err) {
			t.Errorf("the next write fails with %v", again)
		}
	}, func(b *bubble) {
		failed = make(chan error, 1)
		conn, start := b.dial(), time.Now()
		if _, err := io.WriteString(conn, get("/short")); err != nil {
			b.Fatal(err)
		}
		if err := <-failed; !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(start) != time.Minute {
			b.Errorf("after %v: %v", time.Since(start), err)
		}
		endsAfter(b.T, conn)
	})
}
