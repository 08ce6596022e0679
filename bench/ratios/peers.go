package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/mem"

	"github.com/parley-gateway/parley"
	gatewayv1 "github.com/parley-gateway/parley/gen/gateway/parley/v1"
	"github.com/parley-gateway/parley/internal/config"
)

// rawCodec carries bytes as they are.
type rawCodec struct{}

var _ encoding.CodecV2 = rawCodec{}

var errRaw = errors.New("not bytes")

// Name is protobuf's, so that a server takes the messages for its own.
func (rawCodec) Name() string { return "proto" }

func (rawCodec) Marshal(v any) (mem.BufferSlice, error) {
	if b, ok := v.(*[]byte); ok {
		return mem.BufferSlice{mem.SliceBuffer(*b)}, nil
	}
	return nil, errRaw
}

// Unmarshal keeps the bytes if there is a place for them, and their number otherwise.
func (rawCodec) Unmarshal(data mem.BufferSlice, v any) error {
	switch v := v.(type) {
	case *[]byte:
		*v = data.Materialize()
	case *int:
		*v = data.Len()
	default:
		return errRaw
	}
	return nil
}

const rawService = "bench.Raw"

// rawMethod sends the frames of a chain.
func rawMethod(c *chain) string { return "/" + rawService + "/" + c.name }

// frames are what the peers send, set by the parent: the very messages that Parley sent.
type frames struct {
	mu    sync.RWMutex
	lists map[string][][]byte // of streams, by the name of the chain
	page  []byte              // a REST answer
}

func (f *frames) list(name string) [][]byte {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.lists[name]
}

// set takes the frames from the parent: each POST adds one to the list of a chain, or is the page.
func (f *frames) set(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if name := r.URL.Query().Get("chain"); name != "" {
		f.lists[name] = append(f.lists[name], body)
	} else {
		f.page = body
	}
}

// peers are the servers that Parley is compared with.
type peers struct {
	frames
}

// stream sends the frames through a codec that does nothing.
func (p *peers) stream(name string) grpc.StreamHandler {
	return func(_ any, stream grpc.ServerStream) error {
		var request []byte
		if err := stream.RecvMsg(&request); err != nil {
			return fmt.Errorf("receive: %w", err)
		}
		list := p.list(name)
		for i := range list {
			if err := stream.SendMsg(&list[i]); err != nil {
				return fmt.Errorf("send: %w", err)
			}
		}
		return nil
	}
}

func (p *peers) grpcServer() *grpc.Server {
	server := grpc.NewServer(grpc.ForceServerCodecV2(rawCodec{}))
	server.RegisterService(&grpc.ServiceDesc{
		ServiceName: rawService, HandlerType: (*any)(nil),
		Streams: []grpc.StreamDesc{
			{StreamName: short.name, Handler: p.stream(short.name), ServerStreams: true},
			{StreamName: long.name, Handler: p.stream(long.name), ServerStreams: true},
		},
	}, p)
	return server
}

// h2c streams the frames of the chain that the path names over HTTP/2 without TLS, a flush each.
func (p *peers) h2c(w http.ResponseWriter, r *http.Request) {
	flusher := http.NewResponseController(w)
	for _, frame := range p.list(strings.TrimPrefix(r.URL.Path, "/")) {
		if _, err := w.Write(frame); err != nil {
			return
		}
		if err := flusher.Flush(); err != nil {
			return
		}
	}
}

// static answers with the page as a server of files does: with its length, in one piece.
func (p *peers) static(w http.ResponseWriter, _ *http.Request) {
	p.mu.RLock()
	page := p.page
	p.mu.RUnlock()
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(page)))
	_, _ = w.Write(page) // the client measures, not we
}

// answerHeaders are those of a REST answer beside what static sends, with values of their usual length.
var answerHeaders = map[string]string{
	"Age": "12", "Cache-Control": "private, no-cache", "Cache-Status": "parley; hit",
	"Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'", "Etag": `W/"28cc54abc5c2ebb8d3165f32c4b296b5"`,
	"Referrer-Policy": "no-referrer", "Vary": "Authorization, Parley-Tenant, Accept-Encoding", "X-Content-Type-Options": "nosniff",
	"X-Frame-Options": "DENY", "X-Request-Id": "EX2HJUIZXVCIGAGI3556VRUR",
}

// answered is static with the headers of an answer.
func (p *peers) answered() http.HandlerFunc {
	headers := make(http.Header, len(answerHeaders))
	for name, value := range answerHeaders {
		headers[name] = []string{value}
	}
	return func(w http.ResponseWriter, r *http.Request) {
		maps.Copy(w.Header(), headers)
		p.static(w, r)
	}
}

// tcp sends the frames of a chain to whoever connects and writes its number.
func (p *peers) tcp(listener net.Listener) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		go func() {
			defer conn.Close()
			ask := make([]byte, 1)
			for {
				if _, err := io.ReadFull(conn, ask); err != nil {
					return
				}
				name := short.name
				if ask[0] == 'l' {
					name = long.name
				}
				for _, frame := range p.list(name) {
					if _, err := conn.Write(frame); err != nil {
						return
					}
				}
			}
		}()
	}
}

// childGateway serves Parley over the Graph at the address, and its peers.
func childGateway(ctx context.Context, graph string) error {
	settings, err := config.Defaults()
	if err != nil {
		return fmt.Errorf("settings: %w", err)
	}
	settings.GRPCAddr, settings.HTTPAddr, settings.AdminAddr = "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0"
	settings.GraphURL, settings.GraphCredential = graph, "none"
	folder, err := os.MkdirTemp("", "parley-bench")
	if err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	defer os.RemoveAll(folder) //nolint:errcheck // a leftover of a benchmark
	settings.AuditFile = filepath.Join(folder, "audit.jsonl")
	if err := settings.Check(); err != nil {
		return fmt.Errorf("settings: %w", err)
	}
	running, err := settings.NewGateway(parley.Config{Logger: slog.New(slog.DiscardHandler), Version: "bench"})
	if err != nil {
		return fmt.Errorf("gateway: %w", err)
	}
	if err := running.Start(ctx); err != nil {
		return fmt.Errorf("gateway: %w", err)
	}
	p := &peers{frames{lists: map[string][][]byte{}}}
	listeners := map[string]net.Listener{}
	addresses := map[string]string{"grpc": running.Addrs().GRPC, "http": running.Addrs().HTTP}
	for _, name := range []string{"raw", "h2c", "tcp", "peers", "gateway"} {
		if listeners[name], err = listen(); err != nil {
			return err
		}
		addresses[name] = listeners[name].Addr().String()
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/spent", serveSpent)
	mux.HandleFunc("/profile", new(profiled).serve)
	mux.HandleFunc("/set", p.set)
	mux.HandleFunc("/static", p.static)
	conn, err := grpc.NewClient(running.Addrs().GRPC, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return fmt.Errorf("dial: %w", err)
	}
	own := runtime.NewServeMux()
	if err := gatewayv1.RegisterEventServiceHandler(ctx, own, conn); err != nil {
		return fmt.Errorf("register: %w", err)
	}
	plaintext := &http.Server{Handler: http.HandlerFunc(p.h2c), ReadHeaderTimeout: time.Minute, Protocols: new(http.Protocols)}
	plaintext.Protocols.SetUnencryptedHTTP2(true)
	go func() { _ = p.grpcServer().Serve(listeners["raw"]) }() // all end with the process
	go func() { _ = plaintext.Serve(listeners["h2c"]) }()      //
	go p.tcp(listeners["tcp"])                                 //
	go func() { _ = http.Serve(listeners["peers"], mux) }()    //nolint:gosec // a benchmark's own client
	go func() { _ = http.Serve(listeners["gateway"], own) }()  //nolint:gosec // a benchmark's own client
	return serving(addresses)
}
