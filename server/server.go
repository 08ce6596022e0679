package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/grpc/health"

	"github.com/parley-gateway/parley/internal/fielderror"
	"github.com/parley-gateway/parley/server/admission"
	"github.com/parley-gateway/parley/server/callinfo"
	"github.com/parley-gateway/parley/server/inproc"
	"github.com/parley-gateway/parley/server/interceptor"
	"github.com/parley-gateway/parley/server/lifetime"
	"github.com/parley-gateway/parley/server/metrics"
	"github.com/parley-gateway/parley/server/rest"
	"github.com/parley-gateway/parley/server/rest/httpmw"
	"github.com/parley-gateway/parley/server/service"
)

// Server serves gRPC, REST and the admin pages. Make it with New, run it with Start, end it with Close.
type Server struct {
	cfg       Config
	shutdown  *lifetime.Shutdown
	grpcConns *lifetime.GRPCConns
	// connections bounds the connections of both protocols.
	connections  *admission.Connections
	limits       *interceptor.Limits
	interceptors interceptor.Config
	services     *service.Services
	// handlers waits for the goroutines of streams over gRPC.
	handlers sync.WaitGroup
	health   *health.Server

	public   *grpc.Server // of the gRPC listener
	web      *http.Server // REST
	requests sync.RWMutex // held for reading by each request of web
	admin    *http.Server
	// metricsServer serves metrics and probes alone.
	metricsServer *http.Server
	diag          *grpc.Server // channelz, behind the admin listener

	listeners [listenerCount]net.Listener // set by Start, where they were not open already; nil = not wanted
	tasks     errgroup.Group
	failed    chan error
	ready     atomic.Bool
	// unrecorded is true while audit records cannot be written, so that nobody can be served.
	unrecorded atomic.Bool
	unfollow   func() // ends the reports that set unrecorded; nil without an audit log
	stop       sync.Once
	stopped    error
}

// Places of the listeners in Server.listeners.
const (
	listenerGRPC = iota
	listenerHTTP
	listenerAdmin
	listenerMetrics
	listenerCount
)

// New checks the configuration and builds a server that listens nowhere yet. A bad field is a *ConfigError.
func New(cfg Config) (*Server, error) {
	cfg, err := cfg.complete()
	if err != nil {
		return nil, err
	}
	s := &Server{
		cfg: cfg, shutdown: lifetime.NewShutdown(), health: health.NewServer(),
		connections: admission.NewConnections(cfg.Bounds, func() { cfg.Metrics.Shed(metrics.ShedConnections) }),
		failed:      make(chan error, 1),
	}
	s.grpcConns = lifetime.NewGRPCConns(cfg.ConnectionAge, cfg.ConnectionGrace, cfg.HeaderTime, s.connections)
	s.limits = interceptor.NewLimits(interceptor.LimitsConfig{
		MaxCalls: cfg.MaxCalls, MaxStreams: cfg.MaxStreams, Share: callerShare(&cfg), Policy: cfg.Policy,
		Memory: cfg.Memory, Ledger: cfg.Ledger, Shutdown: s.shutdown, Announced: cfg.DrainDelay > 0, Shed: cfg.Metrics.Shed,
	})
	if err := s.limits.Places(cfg.Metrics); err != nil {
		return nil, fmt.Errorf("server: %w", err)
	}
	s.newServices()
	chain, err := interceptor.Chain(&s.interceptors, callinfo.GRPC)
	if err != nil {
		return nil, fmt.Errorf("server: %w", err)
	}
	s.public = s.newGRPC(chain, append(publicOptions(&cfg, s.grpcConns),
		grpc.InTapHandle(s.grpcConns.Tap(hasMethod(func() *grpc.Server { return s.public }))))...)
	handler, err := s.newREST()
	if err != nil {
		return nil, fmt.Errorf("server: %w", err)
	}
	s.web = newWeb(countRequests(httpmw.RequestID(s.recovered(s.front(handler)))), &cfg)
	s.admitConns(s.web)
	s.diag = newDiagnostics()
	s.admin, s.metricsServer = newAdmin(s.diag, cfg), s.newMetricsServer()
	s.listeners = [...]net.Listener{
		listenerGRPC: cfg.Listeners.GRPC, listenerHTTP: cfg.Listeners.HTTP, listenerAdmin: cfg.Listeners.Admin, listenerMetrics: cfg.Listeners.Metrics,
	}
	return s, nil
}

// newServices makes the services, and the dependencies of the interceptors above them.
func (s *Server) newServices() {
	cfg := &s.cfg
	s.interceptors = interceptor.Config{
		Authenticator: authenticator(cfg), Rates: admission.NewRates(cfg.CallerRate, cfg.CallerBurst, cfg.Now), Policy: cfg.Policy,
		Audit: cfg.Audit, Limits: s.limits, Metrics: cfg.Metrics, Tracer: cfg.Tracer, Logger: cfg.Logger, Now: cfg.Now,
		CallTime: cfg.CallTime, MaxDeadline: cfg.MaxDeadline, StreamStall: cfg.StreamStall,
		Handlers: &s.handlers, Conditional: rest.Conditional,
	}
	s.services = service.New(&service.Config{
		Engine: cfg.Engine, Tenants: cfg.Tenants, Policy: cfg.Policy, Metrics: cfg.Metrics,
		Streams: &lifetime.Streams{Shutdown: s.shutdown, Conns: s.grpcConns, MaxAge: cfg.StreamAge, Stall: cfg.StreamStall},
	})
}

// newREST makes REST: the services behind their chain, the mux over them, and the pages.
func (s *Server) newREST() (http.Handler, error) {
	chain, err := interceptor.Chain(&s.interceptors, callinfo.REST)
	if err != nil {
		return nil, err
	}
	conn := inproc.New(chain.Unary(), chain.Stream())
	s.services.Register(conn)
	pages, err := s.pages()
	if err != nil {
		return nil, err
	}
	bodies := interceptor.NewBodies(s.interceptors.Authenticator, !s.cfg.mode.open(), s.cfg.Metrics.Shed)
	return rest.New(rest.Config{
		Conn: conn, Pages: pages, AdmitBody: bodies.Admit, Logger: s.cfg.Logger, CountBytes: s.cfg.Metrics.BytesSent(metrics.TransportREST),
	})
}

// Start opens the listeners and serves until Close. It returns when calls are accepted; ctx bounds the opening only. When
// one listener cannot be opened, the error is a *ConfigError and the server is closed.
func (s *Server) Start(ctx context.Context) error {
	if err := s.listen(ctx); err != nil {
		s.closeListeners()
		return errors.Join(err, s.Close(ctx))
	}
	s.serve("gRPC", func() error { return s.public.Serve(s.listeners[listenerGRPC]) })
	s.serve("HTTP", s.serveWeb(s.listeners[listenerHTTP]))
	s.serve("admin", func() error { return s.admin.Serve(s.listeners[listenerAdmin]) })
	if s.listeners[listenerMetrics] != nil {
		s.serve("metrics", func() error { return s.metricsServer.Serve(boundMetricsConns(s.listeners[listenerMetrics])) })
	}
	if s.cfg.Audit != nil {
		s.unfollow = s.cfg.Audit.Follow(s.setRecording)
	} else {
		s.setRecording(true)
	}
	s.ready.Store(true)
	s.cfg.Logger.LogAttrs(ctx, slog.LevelInfo, "serving", slog.String("version", s.cfg.Version), slog.String("revision", s.cfg.Revision), slog.String("grpc", s.GRPCAddr()),
		slog.String("http", s.HTTPAddr()), slog.String("admin", s.AdminAddr()), slog.String("metrics", s.MetricsAddr()))
	return nil
}

// listen opens the listeners.
func (s *Server) listen(ctx context.Context) error {
	var config net.ListenConfig
	for i, at := range [listenerCount]struct{ field, addr string }{
		listenerGRPC: {fieldGRPC, s.cfg.GRPCAddr}, listenerHTTP: {fieldHTTP, s.cfg.HTTPAddr},
		listenerAdmin: {fieldAdmin, s.cfg.AdminAddr}, listenerMetrics: {fieldMetrics, s.cfg.MetricsAddr},
	} {
		if s.listeners[i] != nil || at.addr == "" { // it was open already, or is not wanted
			continue
		}
		listener, err := config.Listen(ctx, "tcp", at.addr)
		if err != nil {
			return fielderror.New(at.field, "cannot listen on this address: %s", reason(err))
		}
		s.listeners[i] = listener
		if err := checkListener(&s.cfg, at.field, at.addr, listener); err != nil {
			return err
		}
	}
	return nil
}

// serve runs one listener in a goroutine that Close waits for. Failed receives its failure.
func (s *Server) serve(name string, run func() error) {
	s.tasks.Go(func() error {
		err := run()
		if err == nil || errors.Is(err, http.ErrServerClosed) || errors.Is(err, grpc.ErrServerStopped) {
			return nil
		}
		err = fmt.Errorf("server: %s listener: %w", name, err)
		select {
		case s.failed <- err:
		default:
		}
		return err
	})
}

// Failed receives the error of a listener that breaks while the server serves: at most one error. It is never closed.
func (s *Server) Failed() <-chan error { return s.failed }

// GRPCAddr is where gRPC is served, as host:port; before Start what was configured.
func (s *Server) GRPCAddr() string { return s.addr(listenerGRPC, s.cfg.GRPCAddr) }

// HTTPAddr is where REST and the documents are served.
func (s *Server) HTTPAddr() string { return s.addr(listenerHTTP, s.cfg.HTTPAddr) }

// AdminAddr is where metrics, pprof and channelz are served.
func (s *Server) AdminAddr() string { return s.addr(listenerAdmin, s.cfg.AdminAddr) }

// MetricsAddr is where metrics and probes alone are served; empty = nowhere.
func (s *Server) MetricsAddr() string { return s.addr(listenerMetrics, s.cfg.MetricsAddr) }

func (s *Server) addr(i int, configured string) string {
	if listener := s.listeners[i]; listener != nil {
		return listener.Addr().String()
	}
	return configured
}

func (s *Server) closeListeners() {
	for i, listener := range s.listeners {
		if listener != nil {
			listener.Close()
			s.listeners[i] = nil
		}
	}
}

// reason is the cause of a listen error without the address, which the key names already.
func reason(err error) string {
	var op *net.OpError
	if errors.As(err, &op) && op.Err != nil {
		return op.Err.Error()
	}
	return err.Error()
}
