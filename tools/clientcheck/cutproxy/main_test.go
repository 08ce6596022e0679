package main

import (
	"bufio"
	"io"
	"net"
	"strings"
	"testing"
)

// TestCut holds that the first connection ends after the limit, that a second one passes whole, and that the proxy ends with its
// input.
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
	input, stop := io.Pipe()
	output, printed := io.Pipe()
	done := make(chan error, 1)
	go func() { done <- run(server.Addr().String(), 40_000, input, printed) }()
	address, err := bufio.NewReader(output).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []int{40_000, 100_000} {
		connection, err := new(net.Dialer).DialContext(t.Context(), "tcp", strings.TrimSpace(address))
		if err != nil {
			t.Fatal(err)
		}
		got, _ := io.ReadAll(connection) // a cut may be a reset
		if len(got) != want {
			t.Errorf("%d bytes, want %d", len(got), want)
		}
	}
	_ = stop.Close()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
