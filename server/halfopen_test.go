package server_test

import (
	"errors"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
)

// TestHalfOpenConnectionsAreBounded is of the kind "nobody has to say who they are": one address opens more connections than
// either listener takes and says nothing. Another address is served at once, over both doors.
func TestHalfOpenConnectionsAreBounded(t *testing.T) {
	t.Parallel()
	h := start(t, nil)
	from := func(address string) *net.Dialer {
		return &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}}
	}
	silent := make([]net.Conn, 0, 2200)
	t.Cleanup(func() {
		for _, conn := range silent {
			_ = conn.Close()
		}
	})
	for _, listener := range []string{h.server.GRPCAddr(), h.server.HTTPAddr()} {
		for range 1100 {
			conn, err := from("127.0.0.2").DialContext(t.Context(), "tcp", listener)
			if err != nil {
				t.Fatal(err)
			}
			silent = append(silent, conn)
		}
	}
	client := &http.Client{Transport: &http.Transport{DialContext: from("127.0.0.3").DialContext, DisableKeepAlives: true}}
	for range 8 {
		resp, err := client.Get(h.base + "/healthz")
		if err != nil {
			t.Fatal(err)
		}
		if text := body(t, resp); resp.StatusCode != http.StatusOK {
			t.Errorf("%d %s", resp.StatusCode, text)
		}
		conn, err := grpc.NewClient(h.server.GRPCAddr(), grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := grpc_health_v1.NewHealthClient(conn).Check(t.Context(), &grpc_health_v1.HealthCheckRequest{}); err != nil {
			t.Errorf("over gRPC: %v", err)
		}
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	}
	var group sync.WaitGroup
	var hungUp atomic.Int64
	for _, conn := range silent {
		group.Go(func() {
			_ = conn.SetReadDeadline(time.Now().Add(time.Second)) // it fails for closed ones, as reading does
			for buffer := make([]byte, 1024); ; {
				if _, err := conn.Read(buffer); err != nil { // gRPC says its settings first
					if !errors.Is(err, os.ErrDeadlineExceeded) {
						hungUp.Add(1)
					}
					return
				}
			}
		})
	}
	group.Wait()
	if n, least := hungUp.Load(), int64(2*(1100-1024)); n < least || n > least+200 {
		t.Errorf("%d connections that say nothing were hung up on, want about %d", n, least)
	}
}
