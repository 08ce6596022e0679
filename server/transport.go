package server

import (
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/reflection"

	"github.com/parley-gateway/parley/server/interceptor"
	"github.com/parley-gateway/parley/server/lifetime"
	"github.com/parley-gateway/parley/server/metrics"
	"github.com/parley-gateway/parley/server/rest"
	"github.com/parley-gateway/parley/server/rest/httpmw"
)

const (
	maxRequest       = 64 << 10 // bytes of a gRPC request; a thousand user ids take 38 KiB, a token 16
	maxMetadata      = 32 << 10 // bytes of a call's headers
	maxHTTPHeader    = 64 << 10 // bytes of a REST request's line and headers
	maxStreamsPerTCP = 256      // calls at one time on one connection
)

// publicOptions returns the options of the gRPC listener's server.
func publicOptions(cfg *Config, conns *lifetime.GRPCConns) []grpc.ServerOption {
	creds := insecure.NewCredentials()
	if cfg.TLS != nil {
		creds = credentials.NewTLS(cfg.TLS.Config())
	}
	return []grpc.ServerOption{
		grpc.Creds(conns.Credentials(creds)),
		grpc.ForceServerCodecV2(countedCodec{newCodec(), cfg.Metrics.BytesSent(metrics.TransportGRPC)}),
		grpc.MaxRecvMsgSize(maxRequest),
		grpc.MaxHeaderListSize(maxMetadata),
		grpc.MaxConcurrentStreams(maxStreamsPerTCP),
		// Requests are small: windows of a fixed size spare each call a ping that would measure the line.
		grpc.StaticStreamWindowSize(maxRequest),
		grpc.StaticConnWindowSize(16 * maxRequest),
		grpc.ReadBufferSize(0), // see lifetime.GRPCConns
		grpc.ConnectionTimeout(cfg.HeaderTime),
		// Clients may ping every 10 seconds, also between calls: long streams outlive idle proxies that way.
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 10 * time.Second, PermitWithoutStream: true}),
		// A client that is gone without a word is noticed within 80 seconds; one that holds a connection by half a header, by
		// the connection's age.
		grpc.KeepaliveParams(keepalive.ServerParameters{
			Time: time.Minute, Timeout: 20 * time.Second, MaxConnectionAge: cfg.ConnectionAge, MaxConnectionAgeGrace: cfg.ConnectionGrace,
		}),
	}
}

// newGRPC makes a server with the API, health and reflection.
func (s *Server) newGRPC(list interceptor.List, transport ...grpc.ServerOption) *grpc.Server {
	server := grpc.NewServer(append(transport,
		grpc.ChainUnaryInterceptor(list.Unary()...), grpc.ChainStreamInterceptor(list.Stream()...))...)
	s.services.Register(server)
	grpc_health_v1.RegisterHealthServer(server, healthService{s.health})
	if s.cfg.Reflection {
		reflection.RegisterV1(server)
	}
	return server
}

// hasMethod returns a function that reports whether a server has a method. It may be called once the server is made.
func hasMethod(server func() *grpc.Server) func(method string) bool {
	methods := sync.OnceValue(func() map[string]bool {
		known := make(map[string]bool)
		for service, info := range server().GetServiceInfo() {
			for _, method := range info.Methods {
				known["/"+service+"/"+method.Name] = true
			}
		}
		return known
	})
	return func(method string) bool { return methods()[method] }
}

// newWeb makes the HTTP server of REST. It has no write timeout and no read timeout, since either would end streams. Package rest bounds
// the writing of every other answer, and the reading of the body of a POST.
func newWeb(handler http.Handler, c *Config) *http.Server {
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: c.HeaderTime,
		IdleTimeout:       c.IdleTime,
		MaxHeaderBytes:    maxHTTPHeader,
		ErrorLog:          slog.NewLogLogger(c.Logger.Handler(), slog.LevelDebug),
	}
}

// serveWeb returns a function that serves REST on a listener, over TLS where it is configured.
func (s *Server) serveWeb(listener net.Listener) func() error {
	if s.cfg.TLS != nil {
		s.web.TLSConfig = s.cfg.TLS.Config()
		return func() error { return s.web.ServeTLS(listener, "", "") }
	}
	return func() error { return s.web.Serve(listener) }
}

// front returns the middlewares before REST: pages of named origins may read answers, and without authentication only
// requests that name this machine are answered. Close waits for the requests inside it.
func (s *Server) front(next http.Handler) http.Handler {
	handler := http.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.requests.RLock()
		defer s.requests.RUnlock()
		if !s.ready.Load() { // the client's next request goes to another replica
			w.Header().Set("Connection", "close")
		}
		next.ServeHTTP(w, r)
	}))
	handler = httpmw.CORS(s.cfg.CORSOrigins, handler)
	if s.cfg.TLS != nil || s.cfg.TLSTerminated {
		handler = httpmw.HSTS(handler)
	}
	if s.cfg.mode.open() {
		handler = httpmw.LocalHosts(handler, rest.WrongHost)
	}
	return handler
}

// recovered breaks the connection of a REST request that panics. It logs where the panic happened, and not its value.
func (s *Server) recovered(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			switch p := recover(); p {
			case nil:
			case http.ErrAbortHandler:
				panic(p) //nolint:forbidigo // net/http breaks the connection without a log line
			default:
				interceptor.LogPanic(r.Context(), s.cfg.Logger, "REST", p) // the client sees a broken connection
				panic(http.ErrAbortHandler)                                //nolint:forbidigo // the same
			}
		}()
		next.ServeHTTP(w, r)
	})
}
