package main

import (
	"context"
	"io"
	"net"
	"sync"
	"sync/atomic"
)

// proxy forwards TCP connections and ends two of them in the middle. The first connection on which the server has sent limit bytes
// ends by a plain close, the second one by a reset. All later connections pass. Clients show with it that they resume after either.
type proxy struct {
	target string
	limit  int64        // bytes of the server until a cut
	full   atomic.Int64 // connections that have reached the limit

	address string // host:port that it listens on
	stop    func() // ends it and waits for its connections
}

// allCuts is how many connections a proxy ends: one by a close, one by a reset.
const allCuts = 2

// startProxy listens on a free port; stop ends it.
func startProxy(ctx context.Context, target string, limit int64) (*proxy, error) {
	listener, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	var connections sync.WaitGroup
	p := &proxy{target: target, limit: limit, address: listener.Addr().String()}
	p.stop = func() {
		cancel()
		_ = listener.Close() // it was only accepting
		connections.Wait()
	}
	connections.Go(func() { p.accept(ctx, listener, &connections) })
	return p, nil
}

// cuts returns how many connections were ended in the middle.
func (p *proxy) cuts() int {
	return int(min(p.full.Load(), allCuts))
}

func (p *proxy) accept(ctx context.Context, listener *net.TCPListener, connections *sync.WaitGroup) {
	for {
		client, err := listener.AcceptTCP()
		if err != nil {
			return
		}
		connections.Go(func() { p.forward(ctx, client) })
	}
}

// forward copies both ways until one side ends, the connection is cut or ctx is done.
func (p *proxy) forward(ctx context.Context, client *net.TCPConn) {
	server, err := new(net.Dialer).DialContext(ctx, "tcp", p.target)
	if err != nil {
		_ = client.Close()
		return
	}
	stop := context.AfterFunc(ctx, func() { _, _ = client.Close(), server.Close() })
	defer stop()
	var requests sync.WaitGroup
	requests.Go(func() {
		_, _ = io.Copy(server, client) // ends with either connection
		_ = server.Close()
		_, _ = io.Copy(io.Discard, client) // the kernel makes a reset of a close that leaves bytes unread
	})
	reset := p.answer(client, server)
	_ = server.Close()
	if reset {
		_ = client.SetLinger(0)
	} else {
		_ = client.CloseWrite()
		requests.Wait() // until the client closes its side
	}
	_ = client.Close()
	requests.Wait()
}

// answer copies what the server sends until its end or a cut, and reports whether the cut is a reset.
func (p *proxy) answer(client *net.TCPConn, server net.Conn) (reset bool) {
	if _, err := io.CopyN(client, server, p.limit); err != nil {
		return false
	}
	reached := p.full.Add(1)
	if reached > allCuts {
		_, _ = io.Copy(client, server)
	}
	return reached == allCuts
}
