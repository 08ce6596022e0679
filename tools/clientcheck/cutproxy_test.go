package main

import (
	"io"
	"net"
	"strings"
	"testing"
)

// TestCut holds that the first connection ends after the limit, that a second one passes whole.
func TestCut(t *testing.T) {
	t.Parallel()
	text := strings.Repeat("x", 100_000)
	server, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	go func() {
		for {
			connection, err := server.Accept()
			if err != nil {
				return
			}
			_, _ = io.WriteString(connection, text)
			_ = connection.Close()
		}
	}()
	p, err := startProxy(t.Context(), server.Addr().String(), 40_000)
	if err != nil {
		t.Fatal(err)
	}
	defer p.stop()
	for _, want := range []int{40_000, 100_000} {
		connection, err := new(net.Dialer).DialContext(t.Context(), "tcp", p.address)
		if err != nil {
			t.Fatal(err)
		}
		got, _ := io.ReadAll(connection) // a cut may be a reset
		if len(got) != want {
			t.Errorf("%d bytes, want %d", len(got), want)
		}
	}
}
