package conformance

import (
	"context"
	"net"
	"net/http"
	"sync"
	"time"

	"google.golang.org/grpc"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
)

// Server is a stand-in of the gateway that plays one case, over gRPC and REST.
type Server struct {
	// GRPC is host:port, REST a base URL, both in plaintext.
	GRPC, REST string

	script *script
	conns  conns
	ctx    context.Context //nolint:containedctx // of everything that the server does until Close
	stop   context.CancelFunc
	work   sync.WaitGroup

	mu   sync.Mutex
	grpc *grpc.Server
	rest *http.Server
}

// Serve starts a stand-in on free ports; Close ends it.
func Serve(ctx context.Context, c *Case) (*Server, error) {
	ctx, stop := context.WithCancel(ctx)
	s := &Server{script: newScript(c), ctx: ctx, stop: stop, conns: conns{byPeer: map[string]*conn{}}}
	if err := s.start("127.0.0.1:0", "127.0.0.1:0"); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// start serves both addresses.
func (s *Server) start(grpcAddress, restAddress string) error {
	overGRPC, err := s.conns.listen(s.ctx, grpcAddress)
	if err != nil {
		return err
	}
	overREST, err := s.conns.listen(s.ctx, restAddress)
	if err != nil {
		_ = overGRPC.Close()
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.GRPC, s.REST = overGRPC.Addr().String(), "http://"+overREST.Addr().String()
	s.grpc = grpc.NewServer()
	parleyv1.RegisterEventServiceServer(s.grpc, &grpcService{server: s})
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/{path...}", s.serveREST)
	s.rest = &http.Server{
		Handler: mux, ReadHeaderTimeout: time.Minute,
		BaseContext: func(net.Listener) context.Context { return s.ctx },
	}
	grpcServer, restServer := s.grpc, s.rest
	s.work.Go(func() { _ = grpcServer.Serve(overGRPC) }) // ends by Stop
	s.work.Go(func() { _ = restServer.Serve(overREST) }) // ends by Close
	return nil
}

// halt closes listeners and connections.
func (s *Server) halt() {
	s.mu.Lock()
	grpcServer, restServer := s.grpc, s.rest
	s.mu.Unlock()
	if restServer != nil {
		_ = restServer.Close() // it is going
	}
	if grpcServer != nil {
		grpcServer.Stop()
	}
}

// replace has another server take the addresses of this one. It does not wait: a server ends after its calls, and this is one.
func (s *Server) replace() {
	s.work.Go(func() {
		grpcAddress, restAddress := s.GRPC, s.REST[len("http://"):]
		s.halt()
		if err := s.start(grpcAddress, restAddress); err != nil && s.ctx.Err() == nil {
			s.script.complainf("the server is not replaced: %v", err)
		}
	})
}

// Close ends the server and waits for everything that it has started.
func (s *Server) Close() {
	s.stop()
	s.halt()
	s.work.Wait()
	s.halt() // a server that was being replaced
	s.conns.drains.Wait()
}
