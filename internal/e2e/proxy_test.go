package e2e_test

import (
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"
)

// weather is what a network does to the connections through a proxy. The zero value is fair.
type weather struct {
	latency time.Duration // of each piece, each way
	chunk   int           // bytes of a piece; 0 = as they come
	cut     int           // a connection ends in good order after about so many bytes towards the client; 0 = never
	reset   bool          // it is reset instead
	freeze  time.Duration // it falls silent for so long first, both ways: nobody is told
	times   int           // connections that are cut; 0 = all
}

// proxy is a bad network in front of an address.
type proxy struct {
	t        *testing.T
	to       string
	weather  weather
	listener net.Listener
	all      sync.WaitGroup

	mu   sync.Mutex
	open map[net.Conn]bool
	cuts int
	done bool
}

// through starts a proxy on a free port; it ends with the test.
func through(t *testing.T, to string, w weather) *proxy {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{t: t, to: to, weather: w, listener: l, open: map[net.Conn]bool{}}
	p.all.Go(p.serve)
	t.Cleanup(p.close)
	return p
}

func (p *proxy) addr() string { return p.listener.Addr().String() }

// struck is how many connections were cut.
func (p *proxy) struck() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cuts
}

func (p *proxy) close() {
	_ = p.listener.Close() // ends serve
	p.mu.Lock()
	p.done = true
	for c := range p.open {
		_ = c.Close() // ends the copying
	}
	p.mu.Unlock()
	p.all.Wait()
}

func (p *proxy) serve() {
	for {
		near, err := p.listener.Accept()
		if err != nil {
			return
		}
		far, err := (&net.Dialer{}).DialContext(p.t.Context(), "tcp", p.to)
		if err != nil {
			_ = near.Close() // as if nobody listened
			continue
		}
		p.mu.Lock()
		p.open[near], p.open[far] = true, true
		late := p.done
		p.mu.Unlock()
		if late {
			_, _ = near.Close(), far.Close()
			return
		}
		w := p.draw()
		p.all.Go(func() { p.carry(far, near, weather{latency: w.latency, chunk: w.chunk}) })
		p.all.Go(func() { p.carry(near, far, w) })
	}
}

// draw decides the fate of a connection.
func (p *proxy) draw() weather {
	p.mu.Lock()
	defer p.mu.Unlock()
	w := p.weather
	if w.cut == 0 || w.times > 0 && p.cuts >= w.times {
		w.cut = 0
		return w
	}
	p.cuts++
	w.cut = w.cut/2 + rand.IntN(w.cut)
	return w
}

// carry copies one direction until it ends or the weather ends it; both ends of the connection then close.
func (p *proxy) carry(to, from net.Conn, w weather) {
	defer func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		for _, c := range []net.Conn{to, from} {
			if tcp, ok := c.(*net.TCPConn); ok && w.reset && w.cut > 0 {
				_ = tcp.SetLinger(0) // RST in place of FIN
			}
			_ = c.Close() // twice is no harm
			delete(p.open, c)
		}
	}()
	size := 32 << 10
	if w.chunk > 0 {
		size = w.chunk
	}
	buffer, passed := make([]byte, size), 0
	for {
		n, err := from.Read(buffer)
		time.Sleep(w.latency) // what is tested
		if w.cut > 0 && passed+n > w.cut {
			_, _ = to.Write(buffer[:w.cut-passed]) // the end of it
			time.Sleep(w.freeze)
			return
		}
		if _, bad := to.Write(buffer[:n]); err != nil || bad != nil {
			return
		}
		passed += n
	}
}
