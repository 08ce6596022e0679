package doors_test

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/parley-gateway/parley/server/doors"
)

// counted counts the writes of a connection; it is no TCP connection, so several buffers are several writes.
type counted struct {
	net.Conn

	mu     sync.Mutex
	writes []int
}

func (c *counted) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.writes = append(c.writes, len(b))
	return len(b), nil
}

// oneConn is a listener with one connection.
type oneConn struct {
	net.Listener

	conn net.Conn
}

func (o oneConn) Accept() (net.Conn, error) { return o.conn, nil }

func TestCork(t *testing.T) {
	t.Parallel()
	inner := &counted{}
	accepted, err := doors.Cork(oneConn{conn: inner}).Accept()
	if err != nil {
		t.Fatal(err)
	}
	conn := doors.CorkedOf(doors.WithConn(t.Context(), accepted))
	if conn == nil || doors.CorkedOf(t.Context()) != nil || doors.CorkedOf(doors.WithConn(t.Context(), inner)) != nil {
		t.Fatal("another connection is found")
	}
	write := func(size int) {
		if n, err := conn.Write(make([]byte, size)); n != size || err != nil {
			t.Fatalf("%d of %d bytes: %v", n, size, err)
		}
	}
	expect := func(name string, want ...int) {
		t.Helper()
		if len(inner.writes) != len(want) {
			t.Fatalf("%s: writes %v, want %v", name, inner.writes, want)
		}
		for i := range want {
			if inner.writes[i] != want[i] {
				t.Fatalf("%s: writes %v, want %v", name, inner.writes, want)
			}
		}
		inner.writes = nil
	}
	write(10)
	expect("not held", 10)
	conn.Hold()
	write(4096)
	expect("held")
	write(9000)
	expect("with the next", 4096, 9000)
	write(5000)
	expect("a large first write", 5000)
	write(100)
	conn.Release()
	expect("released", 100)
	conn.Release()
	write(1)
	expect("after it", 1)
	var none *doors.Corked
	none.Hold()
	none.Release()
}

// TestCorkedAnswers reads answers of all sizes around net/http's buffers over a corked listener.
func TestCorkedAnswers(t *testing.T) {
	t.Parallel()
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn := doors.CorkedOf(r.Context())
		conn.Hold()
		defer conn.Release()
		_, _ = io.WriteString(w, strings.Repeat("x", len(r.URL.Path)*64)) // the client tells
	})
	server := httptest.NewUnstartedServer(handler)
	server.Listener = doors.Cork(server.Listener)
	server.Config.ConnContext = doors.WithConn
	server.Start()
	defer server.Close()
	for size := 1; size < 160; size += 3 {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+"/"+strings.Repeat("a", size-1), http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := server.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		if closed := resp.Body.Close(); err != nil || closed != nil || !bytes.Equal(body, bytes.Repeat([]byte("x"), size*64)) {
			t.Errorf("%d of %d bytes: %v, %v", len(body), size*64, err, closed)
		}
	}
}
