package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
)

const (
	streams = 8   // at one time
	repeats = 6   // of the chain by each, in a round
	lists   = 300 // unary calls and REST pages in a round

	streamMethod = "/parley.v1.EventService/StreamEvents"
	listMethod   = "/parley.v1.EventService/ListEvents"
)

// warm asks a gateway whose cache holds the chain.
type warm struct {
	at                     map[string]string
	parley, raw            *grpc.ClientConn
	http1, http2           *http.Client
	streamQuery, listQuery []byte
	frames                 [][]byte
}

func newWarm(at map[string]string) (*warm, error) {
	w := &warm{at: at, http1: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: streams, DisableCompression: true}}}
	clear := &http.Transport{Protocols: new(http.Protocols)}
	clear.Protocols.SetUnencryptedHTTP2(true)
	w.http2 = &http.Client{Transport: clear}
	var err error
	for _, to := range []struct {
		conn    **grpc.ClientConn
		address string
	}{{&w.parley, at["grpc"]}, {&w.raw, at["raw"]}} {
		*to.conn, err = grpc.NewClient(to.address, grpc.WithTransportCredentials(insecure.NewCredentials()),
			grpc.WithDefaultCallOptions(grpc.ForceCodecV2(rawCodec{})))
		if err != nil {
			return nil, fmt.Errorf("dial: %w", err)
		}
	}
	interval := func() (*timestamppb.Timestamp, *timestamppb.Timestamp) {
		return timestamppb.New(hour), timestamppb.New(hour.Add(time.Hour))
	}
	start, end := interval()
	parent, chats := "users/"+user, []parleyv1.Source{parleyv1.Source_SOURCE_CHAT}
	if w.streamQuery, err = proto.Marshal(&parleyv1.StreamEventsRequest{Parent: parent, StartTime: start, EndTime: end, Sources: chats}); err != nil {
		return nil, fmt.Errorf("encode: %w", err)
	}
	if w.listQuery, err = proto.Marshal(&parleyv1.ListEventsRequest{Parent: parent, StartTime: start, EndTime: end, Sources: chats, PageSize: pageRows}); err != nil {
		return nil, fmt.Errorf("encode: %w", err)
	}
	return w, nil
}

// restPath is the REST form of both queries.
func (w *warm) restPath(verb string) string {
	q := url.Values{"startTime": {hour.Format(time.RFC3339)}, "endTime": {hour.Add(time.Hour).Format(time.RFC3339)}, "sources": {"SOURCE_CHAT"}}
	if verb == "" {
		q.Set("pageSize", fmt.Sprint(pageRows))
	}
	return "/v1/users/" + user + "/events" + verb + "?" + q.Encode()
}

// prepare fills the cache and gives the peers what Parley answers.
func (w *warm) prepare() error {
	for range 2 {
		w.frames = nil
		err := w.call(w.parley, streamMethod, w.streamQuery, func() any { return new([]byte) }, func(v any) {
			if frame, ok := v.(*[]byte); ok {
				w.frames = append(w.frames, *frame)
			}
		})
		if err != nil {
			return err
		}
	}
	events := 0
	for _, frame := range w.frames {
		var message parleyv1.StreamEventsResponse
		if err := proto.Unmarshal(frame, &message); err != nil {
			return fmt.Errorf("decode: %w", err)
		}
		events += len(message.GetBatch().GetEvents())
		if s := message.GetSummary(); s != nil && !s.GetComplete() {
			return errors.New("the stream is incomplete")
		}
	}
	if _, err := counted(events); err != nil {
		return err
	}
	for _, frame := range w.frames {
		if err := w.post("/set", frame); err != nil {
			return err
		}
	}
	answer, err := fetch(w.http1, "http://"+w.at["http"]+w.restPath(""))
	if err != nil {
		return err
	}
	return w.post("/set?page", answer)
}

func (w *warm) post(path string, body []byte) error {
	answer, err := w.http1.Post("http://"+w.at["peers"]+path, "application/octet-stream", bytes.NewReader(body)) //nolint:noctx // short
	if err != nil {
		return fmt.Errorf("hand over: %w", err)
	}
	return answer.Body.Close() //nolint:wrapcheck // of no interest
}

// call reads a stream to its end.
func (w *warm) call(conn *grpc.ClientConn, method string, query []byte, place func() any, each func(any)) error {
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

// together runs do on all streams at once and returns the events of all.
func together(do func() error) (int, error) {
	var group sync.WaitGroup
	failures := make([]error, streams)
	for i := range streams {
		group.Go(func() {
			for range repeats {
				if failures[i] = do(); failures[i] != nil {
					return
				}
			}
		})
	}
	group.Wait()
	return streams * repeats * pageCount * pageRows, errors.Join(failures...)
}

func (w *warm) overGRPC(conn *grpc.ClientConn, method string) func() (int, error) {
	return func() (int, error) {
		return together(func() error {
			size := 0
			return w.call(conn, method, w.streamQuery, func() any { return &size }, func(any) {})
		})
	}
}

func (w *warm) overHTTP(client *http.Client, address string) func() (int, error) {
	return func() (int, error) { return together(func() error { return drain(client, address) }) }
}

func drain(client *http.Client, address string) error {
	answer, err := client.Get(address) //nolint:noctx // short
	if err != nil {
		return fmt.Errorf("get: %w", err)
	}
	defer answer.Body.Close() //nolint:errcheck // read to its end
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("status %d", answer.StatusCode)
	}
	if _, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, answer.Body, make([]byte, 32<<10)); err != nil {
		return fmt.Errorf("read: %w", err)
	}
	return nil
}

func (w *warm) overTCP() (int, error) {
	total := int64(0)
	for _, frame := range w.frames {
		total += int64(len(frame))
	}
	return together(func() error {
		conn, err := net.Dial("tcp", w.at["tcp"])
		if err != nil {
			return fmt.Errorf("dial: %w", err)
		}
		defer conn.Close() //nolint:errcheck // read to its end
		if _, err := conn.Write([]byte{1}); err != nil {
			return fmt.Errorf("ask: %w", err)
		}
		if _, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, io.LimitReader(conn, total), make([]byte, 32<<10)); err != nil {
			return fmt.Errorf("read: %w", err)
		}
		return nil
	})
}

func (w *warm) unary() (int, error) {
	for range lists {
		size := 0
		if err := w.parley.Invoke(context.Background(), listMethod, &w.listQuery, &size); err != nil {
			return 0, fmt.Errorf("list: %w", err)
		}
	}
	return lists, nil
}

func (w *warm) pages(address string) func() (int, error) {
	return func() (int, error) {
		for range lists {
			if err := drain(w.http1, address); err != nil {
				return 0, err
			}
		}
		return lists, nil
	}
}

// warmBars measures bars 4 to 8.
func warmBars(ctx context.Context, t *table, rounds int, graph string) error {
	at, stop, err := startChild(ctx, "-child", "gateway", "-graph", graph)
	if err != nil {
		return err
	}
	defer stop()
	w, err := newWarm(at)
	if err != nil {
		return err
	}
	if err := w.prepare(); err != nil {
		return err
	}
	side := func(name string, run func() (int, error)) *contender {
		return &contender{name: name, run: run, elsewhere: func() (spent, error) { return askSpent("http://" + at["peers"]) }}
	}
	stream := side("Parley gRPC", w.overGRPC(w.parley, streamMethod))
	raw := side("bare codec gRPC", w.overGRPC(w.raw, rawMethod))
	h2c := side("h2c", w.overHTTP(w.http2, "http://"+at["h2c"]))
	tcp := side("raw TCP", w.overTCP)
	unary := side("ListEvents", w.unary)
	rest := side("REST list", w.pages("http://"+at["http"]+w.restPath("")))
	static := side("static bytes", w.pages("http://"+at["peers"]+"/static"))
	ndjson := side("REST stream", w.overHTTP(w.http1, "http://"+at["http"]+w.restPath(":stream")))
	plain := side("grpc-gateway stream", w.overHTTP(w.http1, "http://"+at["gateway"]+w.restPath(":stream")))
	if err := race(rounds, stream, raw, h2c, tcp, unary, rest, static); err != nil {
		return err
	}
	if err := race(2, ndjson, plain); err != nil {
		return err
	}
	perPage := stream.allocs * pageRows
	t.row("4", "cached gRPC stream vs bare codec", percent(raw.cpu/stream.cpu), atLeast(raw.cpu/stream.cpu, .9, "≥ 90 %"), atLeast(raw.cpu/stream.cpu, .97, "≥ 97 %"))
	t.row("5", "that stream vs h2c", times(h2c.cpu/stream.cpu), atLeast(h2c.cpu/stream.cpu, 1.2, "≥ 1.2×"), atLeast(h2c.cpu/stream.cpu, 1.5, "≥ 1.5×"))
	t.row("5", "that stream vs raw TCP", percent(tcp.cpu/stream.cpu), atLeast(tcp.cpu/stream.cpu, .4, "≥ 40 %"), atLeast(tcp.cpu/stream.cpu, .6, "≥ 60 %"))
	t.row("6", "allocations per cached page of 50 in a stream", fmt.Sprintf("%.1f", perPage), atMost(perPage, 8, "≤ 8"), atMost(perPage, 4, "≤ 4"))
	t.row("6", "allocations per cached unary call", fmt.Sprintf("%.0f", unary.allocs), atMost(unary.allocs, 70, "≤ 70"), atMost(unary.allocs, 60, "≤ 60"))
	t.row("7", "REST cached page vs static bytes", percent(static.other/rest.other), atLeast(static.other/rest.other, .9, "≥ 90 %"), atLeast(static.other/rest.other, .97, "≥ 97 %"))
	t.row("8", "REST stream vs grpc-gateway's own", times(plain.other/ndjson.other)+" less", atLeast(plain.other/ndjson.other, 12, "≥ 12×"), atLeast(plain.other/ndjson.other, 25, "≥ 25×"))
	for _, c := range []*contender{stream, raw, h2c, tcp, unary, rest, static, ndjson, plain} {
		t.note("  %-20s %9.2f µs, of it the server %9.2f µs, %7.2f allocations a unit", c.name, c.cpu/1e3, c.other/1e3, c.allocs)
	}
	return nil
}
