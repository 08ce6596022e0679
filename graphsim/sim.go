package graphsim

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/parley-gateway/parley/graphsim/data"
	"github.com/parley-gateway/parley/graphsim/entra"
	"github.com/parley-gateway/parley/graphsim/faults"
)

// Sim is one simulator: a Graph root with its token authority, and the host of report downloads.
type Sim struct {
	cfg       Config
	worlds    []*data.World
	signer    *entra.Signer
	cert      func() (*entra.Certificate, error)
	faults    *faults.Engine
	log       *requestLog
	limits    *throttle
	reportKey []byte // seals report links
	routes    []route
	buffers   sync.Pool // of *[]byte, the bodies being written

	standings   sync.Map // of Standing, by object id
	recordClock atomic.Pointer[func() time.Time]

	mu        sync.Mutex
	servers   []*http.Server
	baseURL   string
	reportURL string
	serving   sync.WaitGroup
}

// New checks the configuration and prepares a simulator; nothing listens and no record is made yet.
func New(cfg Config) (*Sim, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	signer := &entra.Signer{Keys: entra.NewKeyring(cfg.SigningKey), Tenant: cfg.Tenants[0].ID, ClientID: DemoClientID, Lifetime: cfg.TokenLifetime}
	s := &Sim{cfg: cfg, signer: signer, cert: sync.OnceValues(entra.NewCertificate), log: newRequestLog(), limits: newThrottle(), routes: routeTable()}
	s.moveClock(s.firstClock())
	if s.faults, err = faults.New(cfg.Faults, cfg.Seed, cfg.Now); err != nil {
		return nil, err
	}
	if s.reportKey, err = randomKey(); err != nil {
		return nil, err
	}
	for i, t := range cfg.Tenants {
		s.worlds = append(s.worlds, data.NewWorld(data.Config{
			Tenant: t.ID, Number: i, Seed: cfg.Seed, Users: cfg.Users, Chats: cfg.Chats, Messages: cfg.Messages, Interactions: cfg.Interactions,
			Calls: cfg.Calls, Notes: cfg.Notes, Days: cfg.Days, Now: s.Clock,
		}))
	}
	return s, nil
}

// Start opens both listeners and serves until Close; ctx bounds the start alone.
func (s *Sim) Start(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.servers) > 0 {
		return errors.New("graphsim: already started")
	}
	scheme, tlsConfig, err := s.transport()
	if err != nil {
		return err
	}
	graph, err := (&net.ListenConfig{}).Listen(ctx, "tcp", s.cfg.Addr)
	if err != nil {
		return fmt.Errorf("graphsim: Graph listener: %w", err)
	}
	report, err := (&net.ListenConfig{}).Listen(ctx, "tcp", s.cfg.ReportAddr)
	if err != nil {
		return errors.Join(fmt.Errorf("graphsim: report listener: %w", err), graph.Close())
	}
	s.baseURL = scheme + "://" + graph.Addr().String()
	s.reportURL = scheme + "://" + report.Addr().String()
	s.serve(graph, s.Handler(), tlsConfig)
	s.serve(report, http.HandlerFunc(s.serveReport), tlsConfig)
	return nil
}

func (s *Sim) transport() (string, *tls.Config, error) {
	if s.cfg.Plain {
		return "http", nil, nil
	}
	c, err := s.cert()
	if err != nil {
		return "", nil, err
	}
	return "https", &tls.Config{Certificates: []tls.Certificate{c.Leaf}, MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}}, nil
}

func (s *Sim) serve(l net.Listener, h http.Handler, tlsConfig *tls.Config) {
	server := &http.Server{
		Handler: h, TLSConfig: tlsConfig.Clone(), ReadHeaderTimeout: 10 * time.Second, MaxHeaderBytes: 64 << 10,
		ErrorLog: slog.NewLogLogger(s.cfg.Logger.Handler(), slog.LevelDebug), // broken handshakes and the like
	}
	s.servers = append(s.servers, server)
	s.serving.Go(func() {
		var err error
		if tlsConfig != nil {
			err = server.ServeTLS(l, "", "")
		} else {
			err = server.Serve(l)
		}
		if !errors.Is(err, http.ErrServerClosed) {
			s.cfg.Logger.Error("graphsim: listener stopped", "error", err)
		}
	})
}

// closeGrace is how long Close waits for clients to let go of their connections. A client that gave up while it was still
// connecting may hold an idle connection for minutes.
const closeGrace = time.Second

// Close stops the listeners, lets requests finish for a second at most or until ctx ends, and waits for everything the
// simulator started.
func (s *Sim) Close(ctx context.Context) error {
	s.mu.Lock()
	servers := s.servers
	s.servers = nil
	s.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, closeGrace)
	defer cancel()
	var errs []error
	for _, server := range servers {
		if server.Shutdown(ctx) != nil {
			errs = append(errs, server.Close())
		}
	}
	s.serving.Wait()
	return errors.Join(errs...)
}

// URL is the Graph root and the token authority, without a trailing slash; empty before Start.
func (s *Sim) URL() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.baseURL
}

// ReportURL is the host of report downloads; empty before Start.
func (s *Sim) ReportURL() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.reportURL
}

// CertPool trusts the simulator's certificate; it is empty for a plain simulator.
func (s *Sim) CertPool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(s.CACertPEM())
	return pool
}

// CACertPEM is the certificate authority made for this simulator, in PEM; nil for a plain simulator.
func (s *Sim) CACertPEM() []byte {
	if s.cfg.Plain {
		return nil
	}
	c, err := s.cert()
	if err != nil {
		return nil
	}
	return c.CAPEM
}

// TenantID is the first tenant's id.
func (s *Sim) TenantID() string { return s.cfg.Tenants[0].ID }

// Person is a user of the directory.
type Person struct{ ID, UPN, Name string }

// DemoUser is the first user of the first tenant. With the default sizes this user has conversations of every kind
// and recent events of every source.
func (s *Sim) DemoUser() Person { return person(s.worlds[0], 0) }

func person(w *data.World, r data.Ref) Person {
	return Person{ID: w.People.ID(r), UPN: w.People.UPN(r), Name: w.People.Name(r)}
}

func (s *Sim) world(tenant string) (*data.World, *Tenant) {
	for i, w := range s.worlds {
		if strings.EqualFold(w.ID, tenant) || strings.EqualFold(w.Domain, tenant) {
			return w, &s.cfg.Tenants[i]
		}
	}
	return nil, nil
}

// SetFaults replaces all faults and forgets their counts. An unknown kind is an error and changes nothing.
func (s *Sim) SetFaults(planned []faults.Fault) error { return s.faults.Set(planned) }

// HandlerWithFaults is Handler with faults of its own, so that many rehearsals can share one simulator's data. Their schedules run
// by the system's clock.
func (s *Sim) HandlerWithFaults(planned []faults.Fault, seed uint64) (http.Handler, error) {
	own, err := faults.New(planned, seed, time.Now)
	if err != nil {
		return nil, err
	}
	return s.handler(own), nil
}

func randomKey() ([]byte, error) {
	b := make([]byte, 32)
	if _, err := rand.Read(b); err != nil {
		return nil, fmt.Errorf("graphsim: random key: %w", err)
	}
	return b, nil
}
