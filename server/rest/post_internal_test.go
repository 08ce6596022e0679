package rest

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/server/apierror"
	"github.com/parley-gateway/parley/server/callinfo"
	"github.com/parley-gateway/parley/server/inproc"
)

// oneConn is a listener of one connection.
type oneConn struct {
	net.Listener

	conn   chan net.Conn
	closed chan struct{}
	once   sync.Once
}

// Accept implements net.Listener.
func (l *oneConn) Accept() (net.Conn, error) {
	select {
	case conn := <-l.conn:
		return conn, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (l *oneConn) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

// Addr implements net.Listener.
func (*oneConn) Addr() net.Addr { return &net.TCPAddr{} }

// refuseUnreadable stands for the interceptor reading.
func refuseUnreadable(srv any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, next grpc.StreamHandler) error {
	if request, _ := stream.Context().Value(callinfo.HTTPKey{}).(*callinfo.HTTPRequest); request.Unreadable != nil {
		return request.Unreadable
	}
	return next(srv, stream)
}

// TestABodyThatDoesNotComeIsGivenUp: a client that keeps back the rest of a body is answered after the time that a body has, whether the body
// was admitted or not. One that was not is not read before the answer is known.
func TestABodyThatDoesNotComeIsGivenUp(t *testing.T) {
	t.Parallel()
	type outcome struct {
		Status int
		After  time.Duration
		Asked  int64 // bytes to be admitted
		Held   int   // bodies, at the end
	}
	for name, test := range map[string]struct {
		refusal error
		size    int
		want    outcome
	}{
		"admitted":            {nil, 1000, outcome{http.StatusBadRequest, bodyTimeout, 1000, 0}},
		"not admitted":        {apierror.Invalid(bodyField, "refused"), 1000, outcome{http.StatusBadRequest, bodyTimeout, 1000, 0}},
		"long":                {nil, 300 << 10, outcome{http.StatusBadRequest, bodyTimeout, 300 << 10, 0}},
		"long, not admitted":  {apierror.Invalid(bodyField, "refused"), 300 << 10, outcome{http.StatusBadRequest, 0, 300 << 10, 0}},
		"longer than allowed": {apierror.Invalid(bodyField, "refused"), 2 * maxBody, outcome{http.StatusBadRequest, 0, maxBody, 0}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				conn := inproc.New(nil, []grpc.StreamServerInterceptor{refuseUnreadable})
				parleyv1.RegisterEventServiceServer(conn, &parts{})
				var got outcome
				h, err := New(Config{Conn: conn, AdmitBody: func(_ context.Context, bytes int64) (func(), error) {
					got.Asked = bytes
					if test.refusal != nil {
						return nil, test.refusal
					}
					got.Held++
					return func() { got.Held-- }, nil
				}})
				if err != nil {
					t.Fatal(err)
				}
				listener := &oneConn{conn: make(chan net.Conn, 1), closed: make(chan struct{})}
				server := &http.Server{Handler: h, ReadHeaderTimeout: time.Hour}
				var serving sync.WaitGroup
				serving.Go(func() { _ = server.Serve(listener) })
				client, below := net.Pipe()
				listener.conn <- below
				begun := time.Now()
				if _, err := fmt.Fprintf(client, "POST /v1:streamTenantEvents HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n{", test.size); err != nil {
					t.Fatal(err)
				}
				resp, err := http.ReadResponse(bufio.NewReader(client), nil)
				if err != nil {
					t.Fatal(err)
				}
				text, err := io.ReadAll(resp.Body)
				if err != nil || !strings.Contains(string(text), "INVALID_ARGUMENT") {
					t.Errorf("%v: %s", err, text)
				}
				_ = resp.Body.Close()
				got.Status, got.After = resp.StatusCode, time.Since(begun)
				_ = client.Close()
				_ = server.Shutdown(t.Context())
				serving.Wait()
				if diff := cmp.Diff(test.want, got); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			})
		})
	}
}
