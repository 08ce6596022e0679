package server_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"github.com/parley-gateway/parley/server"
)

// errEarly says that a connection ended before its client could be slow: the machine was slower than the server's patience.
var errEarly = errors.New("hung up before anything was slow")

// drip sends a text a byte at a time and waits for the server to hang up in between. It fails the test if the server takes
// the whole text.
func drip(t *testing.T, conn net.Conn, text string) error {
	t.Helper()
	const pace = 25 * time.Millisecond
	answer := make([]byte, 1024)
	for sent := 0; ; {
		if err := conn.SetReadDeadline(time.Now().Add(pace)); err != nil {
			t.Fatal(err)
		}
		_, err := conn.Read(answer)
		switch {
		case err == nil: // settings, pings and a farewell
			continue
		case !errors.Is(err, os.ErrDeadlineExceeded):
			if sent == 0 {
				return errors.Join(errEarly, err)
			}
			return nil
		case sent == len(text):
			t.Fatal("the server took it all")
		}
		if _, err := io.WriteString(conn, text[sent:sent+1]); err == nil {
			sent++
			continue
		}
		return nil // hung up between the two
	}
}

// TestSlowClientsAreHungUpOn lets clients begin and never come to an end, byte by byte, at every step of a connection to either listener:
// all of them are hung up on, and others are served.
func TestSlowClientsAreHungUpOn(t *testing.T) {
	t.Parallel()
	const short = 500 * time.Millisecond
	dir := t.TempDir()
	secure := startGuarded(t, func(c *server.Config) {
		c.TLS, c.HeaderTime, c.IdleTime = testTLS(t, dir, ""), short, short
	})
	plain := start(t, func(c *server.Config) {
		c.HeaderTime, c.IdleTime, c.ConnectionAge, c.ConnectionGrace = short, short, short, short
	})
	roots := rootsOf(t, dir)
	hello := "\x16\x03\x01\x40\x00"                                       // a record of 16 KB
	begun := http2.ClientPreface + "\x00\x00\x00\x04\x00\x00\x00\x00\x00" // and settings
	headers := "\x00\x40\x00\x01\x04\x00\x00\x00\x01"                     // 16 KB of them for stream 1
	request := "GET /v1/users HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: "
	much := strings.Repeat("x", 400)
	for name, c := range map[string]struct{ address, protocol, begin, slowly string }{
		"REST, handshake":            {secure.server.HTTPAddr(), "", hello, much},
		"REST, headers over TLS":     {secure.server.HTTPAddr(), "http/1.1", request, much},
		"REST, headers of HTTP/2":    {secure.server.HTTPAddr(), "h2", begun + headers, much},
		"REST, headers in the clear": {plain.server.HTTPAddr(), "", request, much},
		"REST, the first line":       {plain.server.HTTPAddr(), "", "", request[:8] + much},
		"admin, headers":             {plain.server.AdminAddr(), "", request, much},
		"gRPC, handshake":            {secure.server.GRPCAddr(), "", hello, much},
		"gRPC, preface over TLS":     {secure.server.GRPCAddr(), "h2", "", http2.ClientPreface},
		"gRPC, preface":              {plain.server.GRPCAddr(), "", "", http2.ClientPreface},
		"gRPC, settings":             {plain.server.GRPCAddr(), "", http2.ClientPreface, "\x00\x40\x00\x04\x00\x00\x00\x00\x00" + much},
		"gRPC, headers":              {plain.server.GRPCAddr(), "", begun + headers, much},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var err error
			for range 50 {
				if err = beSlow(t, c.address, c.protocol, roots, c.begin, c.slowly); err == nil {
					return
				}
			}
			t.Error(err)
		})
	}
}

// beSlow begins on a connection of its own and comes to no end. Its error says that the server hung up before that.
func beSlow(t *testing.T, address, protocol string, roots *x509.CertPool, begin, slowly string) error {
	t.Helper()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if protocol != "" {
		over := tls.Client(conn, &tls.Config{RootCAs: roots, ServerName: "127.0.0.1", NextProtos: []string{protocol}, MinVersion: tls.VersionTLS12})
		if err := over.HandshakeContext(t.Context()); err != nil {
			return errors.Join(errEarly, err)
		}
		conn = over
	}
	if _, err := io.WriteString(conn, begin); err != nil {
		return errors.Join(errEarly, err)
	}
	return drip(t, conn, slowly)
}
