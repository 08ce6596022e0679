package lane

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
)

// Back is the handler for the server that serves the lane: a short request takes its connection back into the lane, which
// answers it; any other goes to next.
func (l *Lane) Back(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !plainRequest(r) || !l.cfg.Takes(r.RequestURI) || !l.holdOpen() {
			next.ServeHTTP(w, r)
			return
		}
		over, pending, err := http.NewResponseController(w).Hijack()
		if err != nil {
			l.running.Done()
			next.ServeHTTP(w, r)
			return
		}
		defer l.running.Done()
		if !l.takeBack(over, pending.Reader, r) {
			over.Close()
		}
	})
}

// holdOpen keeps Drain from ending until running is done, so that a request which net/http let in is answered here; false if
// the lane drains.
func (l *Lane) holdOpen() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.draining.Load() {
		return false
	}
	l.running.Add(1)
	return true
}

// plainRequest says of a parsed request what plainGet says of a head: a client whose requests are all odd stays where it is.
func plainRequest(r *http.Request) bool {
	if r.Method != http.MethodGet || r.ProtoMajor != 1 || r.ProtoMinor != 1 || r.Close || r.Body != http.NoBody ||
		!strings.HasPrefix(r.RequestURI, "/") || !only(r.RequestURI, visible) || !only(r.Host, hostChar) {
		return false
	}
	for name, values := range r.Header {
		if !only(name, nameChar) {
			return false
		}
		for _, value := range values {
			switch kindOf(name) {
			case connection:
				if !strings.EqualFold(value, "keep-alive") {
					return false
				}
			case framing:
				return false
			default:
				if !only(value, valueChar) {
					return false
				}
			}
		}
	}
	return true
}

// takeBack goes on with a connection whose request r waits for its answer; pending holds what was read after it. It is false
// once Drain cuts what is left.
func (l *Lane) takeBack(over net.Conn, pending *bufio.Reader, r *http.Request) bool {
	early, err := io.ReadAll(io.LimitReader(pending, int64(pending.Buffered())))
	if err != nil {
		return false
	}
	raw := over
	for {
		if again, ok := raw.(*replayed); ok {
			raw, early = again.Conn, append(early, again.read...)
			break
		}
		wrapper, ok := raw.(interface{ NetConn() net.Conn })
		if !ok {
			break
		}
		raw = wrapper.NetConn()
	}
	c := newConn(l, raw)
	c.read = append(c.read, early...)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ctx.Err() != nil {
		return false
	}
	l.run(c, r)
	return true
}
