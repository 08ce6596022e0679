package server_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"google.golang.org/protobuf/proto"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
)

// TestRapidResets opens and resets streams as fast as one connection can (CVE-2023-44487). What runs at one time stays
// bounded, and others are served.
func TestRapidResets(t *testing.T) {
	t.Parallel()
	h := start(t, nil)
	var running, most atomic.Int64
	h.listEvents = func(ctx context.Context) (*parleyv1.ListEventsResponse, error) {
		now := running.Add(1)
		defer running.Add(-1)
		for before := most.Load(); now > before && !most.CompareAndSwap(before, now); before = most.Load() {
		}
		<-ctx.Done()
		return nil, ctx.Err()
	}
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", h.server.GRPCAddr())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		_, _ = io.Copy(io.Discard, conn)
	}()
	if _, err := io.WriteString(conn, http2.ClientPreface); err != nil {
		t.Fatal(err)
	}
	framer := http2.NewFramer(conn, nil)
	if err := framer.WriteSettings(); err != nil {
		t.Fatal(err)
	}
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	const streams = 4000
	for i := range streams {
		block.Reset()
		for _, field := range [][2]string{
			{":method", "POST"},
			{":scheme", "http"},
			{":path", "/parley.v1.EventService/ListEvents"},
			{":authority", "parley"},
			{"content-type", "application/grpc"},
			{"te", "trailers"},
		} {
			if err := encoder.WriteField(hpack.HeaderField{Name: field[0], Value: field[1]}); err != nil {
				t.Fatal(err)
			}
		}
		id := uint32(2*i + 1)
		err := framer.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: block.Bytes(), EndHeaders: true})
		if err == nil {
			// A whole request, so that its handler runs.
			message, errMarshal := grpcMessage(&parleyv1.ListEventsRequest{Parent: anna})
			if errMarshal != nil {
				t.Fatal(errMarshal)
			}
			err = framer.WriteData(id, true, message)
		}
		if err == nil {
			err = framer.WriteRSTStream(id, http2.ErrCodeCancel)
		}
		if err != nil {
			break // the server hung up, which is as good
		}
	}
	if most.Load() > 256 {
		t.Errorf("%d calls of one connection ran at one time", most.Load())
	}
	if resp := h.get(t, "/v1/users"); resp.StatusCode != http.StatusOK {
		t.Errorf("others are answered with %d", resp.StatusCode)
	}
	conn.Close()
	<-drained
	for deadline := time.Now().Add(10 * time.Second); running.Load() > 0; {
		if time.Now().After(deadline) {
			t.Fatalf("%d calls still run", running.Load())
		}
		h.get(t, "/healthz")
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
