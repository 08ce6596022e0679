package main

import (
	"context"
	"io"
	"net"
	"sync"
	"sync/atomic"
)

// proxy forwards TCP connections and kills one of them in the middle: the first connection on which the server has sent limit bytes
// is closed on both sides. All later connections pass. Clients show with it that they resume.
type proxy struct {
	target string
	limit  int64       // bytes of the server until the cut
	cut    atomic.Bool // one connection has been killed

	address string // host:port that it listens on
	stop    func() // ends it and waits for its connections
}

// startProxy listens on a free port; stop ends it.
func startProxy(ctx context.Context, target string, limit int64) (*proxy, error) {
	ctx, cancel := context.WithCancel(ctx)
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		cancel()
		return nil, err
	}
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

func (p *proxy) accept(ctx context.Context, listener net.Listener, connections *sync.WaitGroup) {
	for {
		client, err := listener.Accept()
		if err != nil {
			return
		}
		connections.Go(func() { p.forward(ctx, client) })
	}
}

// forward copies both ways until one side ends, the limit is reached or ctx is done.
func (p *proxy) forward(ctx context.Context, client net.Conn) {
	server, err := new(net.Dialer).DialContext(ctx, "tcp", p.target)
	if err != nil {
		_ = client.Close()
		return
	}
	stop := context.AfterFunc(ctx, func() { closeBoth(client, server) })
	defer stop()
	var copies sync.WaitGroup
	copies.Go(func() {
		_, _ = io.Copy(server, client) // ends with either connection
		closeBoth(client, server)
	})
	if _, err := io.CopyN(client, server, p.limit); err != nil || p.cut.Swap(true) {
		_, _ = io.Copy(client, server)
	}
	closeBoth(client, server)
	copies.Wait()
}

func closeBoth(client, server net.Conn) {
	_ = client.Close()
	_ = server.Close()
}
