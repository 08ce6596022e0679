package server_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/server"
)

// TestRapidResetsLeaveRoomForOthers opens and resets streams as fast as one connection can (CVE-2023-44487), over gRPC and over REST. What runs at
// one time stays bounded, and others are served.
func TestRapidResetsLeaveRoomForOthers(t *testing.T) {
	t.Parallel()
	message, err := grpcMessage(&parleyv1.ListEventsRequest{Parent: "users/me"})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	patient := func(c *server.Config) { c.CallTime = time.Hour } // a reset ends a call, its deadline does not
	secure := func(c *server.Config) {
		patient(c)
		c.TLS = testTLS(t, dir, "")
	}
	for name, c := range map[string]struct {
		secure  bool
		change  func(*server.Config)
		address func(*server.Server) string
		headers [][2]string
		body    []byte
	}{
		"gRPC": {false, patient, (*server.Server).GRPCAddr, [][2]string{
			{":method", "POST"},
			{":scheme", "http"},
			{":path", "/parley.v1.EventService/ListEvents"},
			{":authority", "parley"},
			{"content-type", "application/grpc"},
			{"te", "trailers"},
			{"authorization", "Bearer owner"},
		}, message},
		"REST": {true, secure, (*server.Server).HTTPAddr, [][2]string{
			{":method", "GET"},
			{":scheme", "https"},
			{":path", "/v1/users/me/events"},
			{":authority", "127.0.0.1"},
			{"authorization", "Bearer owner"},
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := startGuarded(t, c.change)
			var running, most atomic.Int64
			ran := make(chan struct{})
			first := sync.OnceFunc(func() { close(ran) })
			g.listEvents = func(ctx context.Context) (*parleyv1.ListEventsResponse, error) {
				now := running.Add(1)
				first()
				defer running.Add(-1)
				for before := most.Load(); now > before && !most.CompareAndSwap(before, now); before = most.Load() {
				}
				<-ctx.Done()
				return nil, ctx.Err()
			}
			conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", c.address(g.server))
			if err != nil {
				t.Fatal(err)
			}
			if c.secure {
				conn = tls.Client(conn, &tls.Config{RootCAs: rootsOf(t, dir), ServerName: "127.0.0.1", NextProtos: []string{"h2"}, MinVersion: tls.VersionTLS12})
			}
			resets(t, conn, c.headers, c.body, ran)
			if most.Load() > 256 {
				t.Errorf("%d calls of one connection ran at one time", most.Load())
			}
			others := func() {
				_, err := parleyv1.NewUserServiceClient(g.conn).ListUsers(as(t.Context(), "officer"), &parleyv1.ListUsersRequest{})
				expect(t, "others", err, codes.OK, "")
			}
			if c.secure {
				web := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: rootsOf(t, dir), MinVersion: tls.VersionTLS12}}
				defer web.CloseIdleConnections()
				others = func() { askREST(t, web, "https://"+c.address(g.server)+"/v1/users") }
			}
			others()
			for deadline := time.Now().Add(bearable); running.Load() > 0; { // a busy machine takes long over what was sent
				if time.Now().After(deadline) {
					t.Fatalf("%d calls still run", running.Load())
				}
				others()
			}
		})
	}
}

// askREST sends a request of an officer that is answered.
func askREST(t *testing.T, web http.RoundTripper, address string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer officer")
	resp, err := web.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("others are answered with %d", resp.StatusCode)
	}
}

// rootsOf trusts the authority that testTLS made.
func rootsOf(t *testing.T, dir string) *x509.CertPool {
	t.Helper()
	roots := x509.NewCertPool()
	text, err := os.ReadFile(filepath.Join(dir, "server-ca"))
	if err != nil || !roots.AppendCertsFromPEM(text) {
		t.Fatal("no authority", err)
	}
	return roots
}

// resets opens a stream, waits until its call runs, then opens others and resets each at once, until they are done or the
// server hangs up, and closes the connection.
func resets(t *testing.T, conn net.Conn, headers [][2]string, body []byte, ran <-chan struct{}) {
	t.Helper()
	drained := make(chan struct{})
	defer func() {
		conn.Close()
		<-drained
	}()
	if _, err := io.WriteString(conn, http2.ClientPreface); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(drained)
		_, _ = io.Copy(io.Discard, conn)
	}()
	framer := http2.NewFramer(conn, nil)
	if err := framer.WriteSettings(); err != nil {
		t.Fatal(err)
	}
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	for i := range 4000 {
		block.Reset()
		for _, field := range headers {
			if err := encoder.WriteField(hpack.HeaderField{Name: field[0], Value: field[1]}); err != nil {
				t.Fatal(err)
			}
		}
		id := uint32(2*i + 1)
		err := framer.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: block.Bytes(), EndHeaders: true, EndStream: len(body) == 0})
		if err == nil && len(body) > 0 {
			err = framer.WriteData(id, true, body) // a whole request, so that its handler runs
		}
		switch {
		case err != nil:
		case i == 0:
			waitFor(t, ran)
		default:
			err = framer.WriteRSTStream(id, http2.ErrCodeCancel)
		}
		if err != nil {
			return // the server hung up, which is as good
		}
	}
}

// waitFor waits for a call that must come.
func waitFor(t *testing.T, what <-chan struct{}) {
	t.Helper()
	select {
	case <-what:
	case <-time.After(bearable):
		t.Fatal("no call ran")
	}
}

// grpcMessage is a request as gRPC frames it: not compressed, its length, its bytes.
func grpcMessage(message proto.Message) ([]byte, error) {
	data, err := proto.Marshal(message)
	if err != nil {
		return nil, err
	}
	framed := binary.BigEndian.AppendUint32([]byte{0}, uint32(len(data)))
	return append(framed, data...), nil
}
