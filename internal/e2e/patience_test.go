package e2e_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// patience is the deadline of lists and gets whose test names none: while the machine is busy, the usual 20 seconds may pass before one is
// answered. It is shorter than the Retry-After of a throttled Graph in tests, 10 minutes, so that such calls end at once.
const patience = 5 * time.Minute

// farDeadline is the longest deadline that gateways under test grant. It is no less than the usual age of a stream, which it bounds, too.
const farDeadline = 30 * time.Minute

// patient sends requests for lists and gets with the deadline. It leaves streams and downloads alone, which have none by default.
type patient struct{ *http.Transport }

// RoundTrip implements http.RoundTripper.
func (p patient) RoundTrip(r *http.Request) (*http.Response, error) {
	streams := strings.HasSuffix(r.URL.Path, ":stream") || strings.HasSuffix(r.URL.Path, ":download")
	if strings.HasPrefix(r.URL.Path, "/v1/") && !streams && r.Header.Get("Grpc-Timeout") == "" {
		r = r.Clone(r.Context())
		r.Header.Set("Grpc-Timeout", "5M")
	}
	return p.Transport.RoundTrip(r)
}

// webClient is a client of REST whose connections end with the test.
func webClient(t *testing.T) *http.Client {
	t.Helper()
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: patient{transport}}
}

// dialGRPC connects to a gateway over gRPC until the test ends.
func dialGRPC(t *testing.T, addr string) *grpc.ClientConn {
	t.Helper()
	wait := func(ctx context.Context, method string, req, reply any, conn *grpc.ClientConn, call grpc.UnaryInvoker, opts ...grpc.CallOption) error {
		if _, ok := ctx.Deadline(); !ok {
			bounded, cancel := context.WithTimeout(ctx, patience)
			defer cancel()
			ctx = bounded
		}
		return call(ctx, method, req, reply, conn, opts...)
	}
	conn, err := grpc.NewClient(addr, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithUnaryInterceptor(wait))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	})
	return conn
}
