// Command cutproxy forwards TCP connections and kills one of them in the middle: the first connection on which the server has
// sent BYTES is closed on both sides. All later connections pass. Clients show with it that they resume.
//
// Usage: cutproxy TARGET BYTES
//
// It prints the address that it listens on, a line, and runs until its standard input ends.
package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: cutproxy TARGET BYTES")
		os.Exit(2)
	}
	limit, err := strconv.ParseInt(os.Args[2], 10, 64)
	if err == nil {
		err = run(os.Args[1], limit, os.Stdin, os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "cutproxy:", err)
		os.Exit(1)
	}
}

// run serves until in ends.
func run(target string, limit int64, in io.Reader, out io.Writer) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintln(out, listener.Addr()); err != nil {
		return err
	}
	var connections sync.WaitGroup
	p := &proxy{target: target, limit: limit}
	connections.Go(func() { p.accept(ctx, listener, &connections) })
	_, err = io.Copy(io.Discard, in)
	cancel()
	_ = listener.Close() // it was only accepting
	connections.Wait()
	return err
}

type proxy struct {
	target string
	limit  int64       // bytes of the server until the cut
	cut    atomic.Bool // one connection has been killed
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
