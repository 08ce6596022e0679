package main

import (
	"errors"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
)

// TestCut holds that the first connection ends by a close after the limit, the second one by a reset, and that a third one passes whole.
// A connection that stays below the limit counts for nothing.
func TestCut(t *testing.T) {
	t.Parallel()
	const limit = 40_000
	server, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	answers := make(chan string, 1)
	go func() {
		for {
			connection, err := server.AcceptTCP()
			if err != nil {
				return
			}
			_, _ = io.WriteString(connection, <-answers) // fails after a cut
			_ = connection.CloseWrite()
			_, _ = io.Copy(io.Discard, connection)
			_ = connection.Close()
		}
	}()
	p, err := startProxy(t.Context(), server.Addr().String(), limit)
	if err != nil {
		t.Fatal(err)
	}
	defer p.stop()
	for _, step := range []struct {
		name         string
		bytes        int
		reset        bool
		least, most  int // bytes that arrive
		cuts         int // so far
		sendsForever bool
	}{
		{name: "below the limit", bytes: limit - 1, least: limit - 1, most: limit - 1},
		// Bytes that a client sends after the cut must not turn the close into a reset.
		{name: "a close", bytes: 100_000, least: limit, most: limit, cuts: 1, sendsForever: true},
		// A reset discards what the kernel has not sent yet.
		{name: "a reset", bytes: 100_000, reset: true, most: limit, cuts: 2},
		{name: "whole", bytes: 100_000, least: 100_000, most: 100_000, cuts: 2},
	} {
		connection, err := new(net.Dialer).DialContext(t.Context(), "tcp", p.address)
		if err != nil {
			t.Fatal(err)
		}
		if step.sendsForever {
			go func() { _, _ = io.Copy(connection, endless{}) }() // ends when the connection is closed
		}
		answers <- strings.Repeat("x", step.bytes)
		got, err := io.ReadAll(connection)
		if errors.Is(err, syscall.ECONNRESET) != step.reset || (err != nil) != step.reset {
			t.Errorf("%s: it ended with %v", step.name, err)
		}
		if len(got) < step.least || len(got) > step.most {
			t.Errorf("%s: %d bytes, want %d to %d", step.name, len(got), step.least, step.most)
		}
		if p.cuts() != step.cuts {
			t.Errorf("%s: %d cuts, want %d", step.name, p.cuts(), step.cuts)
		}
		_ = connection.Close()
	}
}

// endless is a reader without an end.
type endless struct{}

func (endless) Read(b []byte) (int, error) { return len(b), nil }
