package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
)

const (
	streamMethod = "/parley.v1.EventService/StreamEvents"
	listMethod   = "/parley.v1.EventService/ListEvents"

	// fills is how often a chain is read at most until all of it is cached: a walk learns how dense the messages lie, and
	// splits the interval into other windows then.
	fills = 6
)

// warm measures a gateway that has cached the chains.
type warm struct {
	at           map[string]string
	parley, raw  *grpc.ClientConn
	http1, http2 *http.Client
	profiler     *profiler
}

// cachedChain is a chain whose windows the gateway has cached, and the size of the stream that it sends, which the peers send, too.
type cachedChain struct {
	*chain

	query   []byte // a StreamEventsRequest
	frames  int    // messages on the wire
	batches int    // messages with events
	bytes   int64  // of all messages
}

func newWarm(at map[string]string) (*warm, error) {
	w := &warm{at: at, http1: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: streams, DisableCompression: true}}}
	plaintext := &http.Transport{Protocols: new(http.Protocols), DisableCompression: true}
	plaintext.Protocols.SetUnencryptedHTTP2(true)
	w.http2 = &http.Client{Transport: plaintext}
	var err error
	for _, to := range []struct {
		conn    **grpc.ClientConn
		address string
	}{{&w.parley, at["grpc"]}, {&w.raw, at["raw"]}} {
		// Windows of a fixed size: pings by which a client measures the line would count as the server's allocations.
		*to.conn, err = grpc.NewClient(to.address, grpc.WithTransportCredentials(insecure.NewCredentials()),
			grpc.WithStaticStreamWindowSize(1<<20), grpc.WithStaticConnWindowSize(8<<20),
			grpc.WithDefaultCallOptions(grpc.ForceCodecV2(rawCodec{})))
		if err != nil {
			return nil, fmt.Errorf("dial: %w", err)
		}
	}
	return w, nil
}

func chatsOnly() []parleyv1.Source { return []parleyv1.Source{parleyv1.Source_SOURCE_CHAT} }

// listQuery asks for the first page of the short chain.
func listQuery() ([]byte, error) {
	query, err := proto.Marshal(&parleyv1.ListEventsRequest{
		Parent: "users/" + short.user, StartTime: timestamppb.New(short.start), EndTime: timestamppb.New(short.end()), Sources: chatsOnly(), PageSize: pageRows,
	})
	if err != nil {
		return nil, fmt.Errorf("encode: %w", err)
	}
	return query, nil
}

// restPath is the path of a stream over REST (verb ":stream", pageSize 0), or of a list.
func restPath(c *chain, verb string, pageSize int) string {
	q := url.Values{"startTime": {c.start.Format(time.RFC3339)}, "endTime": {c.end().Format(time.RFC3339)}, "sources": {"SOURCE_CHAT"}}
	if pageSize > 0 {
		q.Set("pageSize", strconv.Itoa(pageSize))
	}
	return "/v1/users/" + c.user + "/events" + verb + "?" + q.Encode()
}

// prepare fills the cache with a chain and gives the peers what Parley answers then.
func (w *warm) prepare(c *chain) (*cachedChain, error) {
	query, err := proto.Marshal(&parleyv1.StreamEventsRequest{
		Parent: "users/" + c.user, StartTime: timestamppb.New(c.start), EndTime: timestamppb.New(c.end()), Sources: chatsOnly(),
	})
	if err != nil {
		return nil, fmt.Errorf("encode: %w", err)
	}
	s := &cachedChain{chain: c, query: query}
	for range fills {
		var frames [][]byte
		err := call(w.parley, streamMethod, query, func() any { return new([]byte) }, func(v any) {
			if frame, ok := v.(*[]byte); ok {
				frames = append(frames, *frame)
			}
		})
		if err != nil {
			return nil, err
		}
		asked, err := s.count(frames)
		if err != nil {
			return nil, err
		}
		if asked > 0 {
			continue
		}
		for _, frame := range frames {
			if err := w.post("/set?chain="+c.name, frame); err != nil {
				return nil, err
			}
		}
		return s, nil
	}
	return nil, fmt.Errorf("the %s chain is still asked for after %d readings", c.name, fills)
}

// count checks the frames of a stream and returns how many requests it took to Graph.
func (s *cachedChain) count(frames [][]byte) (asked int64, err error) {
	s.frames, s.batches, s.bytes = len(frames), 0, 0
	events, complete := 0, false
	for _, frame := range frames {
		var message parleyv1.StreamEventsResponse
		if err := proto.Unmarshal(frame, &message); err != nil {
			return 0, fmt.Errorf("decode: %w", err)
		}
		s.bytes += int64(len(frame))
		if batch := message.GetBatch(); batch != nil {
			s.batches++
			events += len(batch.GetEvents())
		}
		complete = complete || message.GetSummary().GetComplete()
		for _, source := range message.GetSummary().GetSources() {
			asked += source.GetCounts().GetGraphRequests()
		}
	}
	if events != s.rows || !complete {
		return 0, fmt.Errorf("the %s chain has %d events, complete: %v", s.name, events, complete)
	}
	return asked, nil
}

// preparePage gives the peers the REST answer with the first page of the short chain.
func (w *warm) preparePage() error {
	answer, err := fetch(w.http1, "http://"+w.at["http"]+restPath(short, "", pageRows))
	if err != nil {
		return err
	}
	return w.post("/set", answer)
}

func (w *warm) post(path string, body []byte) error {
	answer, err := w.http1.Post("http://"+w.at["peers"]+path, "application/octet-stream", bytes.NewReader(body)) //nolint:noctx // short
	if err != nil {
		return fmt.Errorf("hand over: %w", err)
	}
	return answer.Body.Close()
}

// call reads a stream to its end. Each message is received into what place returns, and handed to each.
func call(conn *grpc.ClientConn, method string, query []byte, place func() any, each func(any)) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	stream, err := conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true}, method)
	if err != nil {
		return fmt.Errorf("open: %w", err)
	}
	if err := stream.SendMsg(&query); err != nil {
		return fmt.Errorf("send: %w", err)
	}
	if err := stream.CloseSend(); err != nil {
		return fmt.Errorf("close: %w", err)
	}
	for {
		message := place()
		if err := stream.RecvMsg(message); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("receive: %w", err)
		}
		each(message)
	}
}
