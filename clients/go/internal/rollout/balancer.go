package main

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
)

// Ports of a replica and of the balancer.
const (
	portGRPC = iota
	portREST
	ports
)

// balancer hands each new connection to a replica that is ready, in turn, as a Service of Kubernetes does. It knows nothing of
// what is in a connection, and leaves those that are open where they are.
type balancer struct {
	listeners [ports]net.Listener
	tasks     sync.WaitGroup

	mu       sync.Mutex
	replicas []*replica
	turn     int
	open     map[net.Conn]struct{}
	closed   bool
}

// newBalancer listens on free ports of the loopback until close.
func newBalancer(ctx context.Context) (*balancer, error) {
	b := &balancer{open: make(map[net.Conn]struct{})}
	var config net.ListenConfig
	for port := range b.listeners {
		listener, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			b.close()
			return nil, err
		}
		b.listeners[port] = listener
		b.tasks.Go(func() { b.serve(ctx, listener, port) })
	}
	return b, nil
}

// addr is where the balancer listens.
func (b *balancer) addr(port int) string { return b.listeners[port].Addr().String() }

// add adds a replica, which gets connections while it says that it is ready.
func (b *balancer) add(r *replica) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.replicas = append(b.replicas, r)
}

// serve accepts connections until the listener is closed.
func (b *balancer) serve(ctx context.Context, listener net.Listener, port int) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		b.tasks.Go(func() { b.forward(ctx, conn, port) })
	}
}

// forward connects a client with a replica until both have closed. A client that no replica can take is hung up on.
func (b *balancer) forward(ctx context.Context, client net.Conn, port int) {
	if !b.note(client) {
		return
	}
	defer b.forget(client)
	server, err := b.dial(ctx, port)
	if err != nil || !b.note(server) {
		return
	}
	defer b.forget(server)
	var both sync.WaitGroup
	for from, to := range map[net.Conn]net.Conn{client: server, server: client} {
		both.Go(func() {
			_, _ = io.Copy(to, from) // the other side learns it from the end
			if half, ok := to.(*net.TCPConn); ok {
				_ = half.CloseWrite()
			}
		})
	}
	both.Wait()
}

// dial connects to a ready replica, the next one in turn. Another one is tried where the first does not take connections any more: the
// balancer has not heard of that yet.
func (b *balancer) dial(ctx context.Context, port int) (net.Conn, error) {
	b.mu.Lock()
	ready := make([]*replica, 0, len(b.replicas))
	for i := range b.replicas {
		if r := b.replicas[(b.turn+i)%len(b.replicas)]; r.ready.Load() {
			ready = append(ready, r)
		}
	}
	b.turn++
	b.mu.Unlock()
	err := errors.New("no replica is ready")
	for _, r := range ready {
		var conn net.Conn
		if conn, err = new(net.Dialer).DialContext(ctx, "tcp", r.addrs[port]); err == nil {
			return conn, nil
		}
	}
	return nil, err
}

// note notes an open connection. After close it closes the connection and returns false.
func (b *balancer) note(conn net.Conn) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		_ = conn.Close()
		return false
	}
	b.open[conn] = struct{}{}
	return true
}

func (b *balancer) forget(conn net.Conn) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.open, conn)
	_ = conn.Close()
}

// close cuts what is open and waits for all goroutines.
func (b *balancer) close() {
	b.mu.Lock()
	b.closed = true
	for conn := range b.open {
		_ = conn.Close()
	}
	b.mu.Unlock()
	for _, listener := range b.listeners {
		if listener != nil {
			_ = listener.Close()
		}
	}
	b.tasks.Wait()
}
