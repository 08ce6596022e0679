package graphclient_test

import (
	"bytes"
	"io"
	"net/http"
	"testing"

	"github.com/parley-gateway/parley/graphclient"
	"github.com/parley-gateway/parley/graphclient/graph"
)

// flood is a page that goes on for a given number of bytes, and counts what was taken of it.
type flood struct {
	left, taken int64
	closed      bool
}

func (f *flood) Read(p []byte) (int, error) {
	n := min(int64(len(p)), f.left)
	copy(p, bytes.Repeat([]byte(" "), int(n)))
	if f.taken == 0 {
		n = int64(copy(p, `{"value":[`))
	}
	f.left -= n
	f.taken += n
	if n == 0 {
		return 0, io.EOF
	}
	return int(n), nil
}

func (f *flood) Close() error {
	f.closed = true
	return nil
}

// TestAHugeBodyIsReadUpToTheLimit lets Graph answer with 300 MB: what is read of it stays within the limit, and it is not asked for again.
func TestAHugeBodyIsReadUpToTheLimit(t *testing.T) {
	t.Parallel()
	var bodies []*flood
	client := fakeClient(t, func(*http.Request) (*http.Response, error) {
		body := &flood{left: 300 << 20}
		bodies = append(bodies, body)
		return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: body, ContentLength: -1}, nil
	}, quick)
	_, err := client.Page(t.Context(), chats())
	_ = wantError(t, err, graph.KindTooLarge)
	if len(bodies) != 1 || !bodies[0].closed || bodies[0].taken > graphclient.DefaultMaxBody+1<<20 {
		t.Errorf("%d requests, %d bytes read, closed %v", len(bodies), bodies[0].taken, bodies[0].closed)
	}
}
