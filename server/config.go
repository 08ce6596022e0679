package server

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/server/metrics"
	"github.com/parley-gateway/parley/timeline"
)

// Config describes a Server. Addresses are host:port; port 0 takes a free one.
type Config struct {
	// GRPCAddr, HTTPAddr and AdminAddr are the listeners. Without authentication each host must be loopback.
	GRPCAddr, HTTPAddr, AdminAddr string
	// AuthMode says how callers are known; only "none" (or empty) exists: everybody is anonymous.
	AuthMode string
	// Tenants are the tenants by alias; at least one.
	Tenants map[string]*Tenant
	// Engine answers lists and streams.
	Engine Engine
	// Metrics receives what is counted; nil = metrics of our own, labelled with Version.
	Metrics *metrics.Metrics
	// Logger receives one line per call and the failures; nil = none.
	Logger *slog.Logger
	// Version is shown by the metrics and the documents.
	Version string
	// OpenAPI and Descriptor are the files behind /openapi.json and /descriptor.binpb.
	OpenAPI, Descriptor []byte
	// CallTime is the deadline of a List or Get that has none; 0 = 20 s.
	CallTime time.Duration
	// MaxCalls and MaxStreams bound what runs at one time, more is refused with OVERLOADED; 0 = 1024 and 512.
	MaxCalls, MaxStreams int
	// DrainTime bounds Close when its context has no deadline; 0 = 20 s.
	DrainTime time.Duration
}

// Tenant is one Microsoft 365 tenant as the server sees it.
type Tenant struct {
	// ID is the Entra tenant id; cursors are bound to it.
	ID string
	// Sources read through the cache. Users may be nil: user principal names are then passed on as they are.
	Sources timeline.Sources
	// Reports downloads the usage report; nil where there is none.
	Reports ReportDownloader
	// Unavailable are sources that the tenant's cloud lacks, with the state to report.
	Unavailable map[parleyv1.Source]parleyv1.SourceState
}

// SettingError says which setting keeps the server from starting, and what to do.
type SettingError struct {
	// Key is the setting's environment name.
	Key string
	// Problem says what is wrong and how to mend it.
	Problem string
}

// Error is the key and the problem.
func (e *SettingError) Error() string { return e.Key + ": " + e.Problem }

var _ error = (*SettingError)(nil)

// Environment names of the listeners.
const (
	keyGRPC  = "PARLEY_GRPC_ADDR"
	keyHTTP  = "PARLEY_HTTP_ADDR"
	keyAdmin = "PARLEY_ADMIN_ADDR"
	keyAuth  = "PARLEY_AUTH_MODE"
)

// complete checks the configuration and fills the defaults in.
func (c Config) complete() (Config, error) {
	if c.AuthMode != "" && c.AuthMode != "none" {
		return c, &SettingError{keyAuth, fmt.Sprintf("%q is not available in this version; use none, with loopback addresses", c.AuthMode)}
	}
	for _, l := range []struct{ key, addr string }{{keyGRPC, c.GRPCAddr}, {keyHTTP, c.HTTPAddr}, {keyAdmin, c.AdminAddr}} {
		if err := checkLoopback(l.key, l.addr); err != nil {
			return c, err
		}
	}
	if len(c.Tenants) == 0 {
		return c, errors.New("server: no tenant")
	}
	for alias, tenant := range c.Tenants {
		if tenant == nil {
			return c, fmt.Errorf("server: tenant %q is nil", alias)
		}
	}
	if c.Engine == nil {
		return c, errors.New("server: no engine")
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Version == "" {
		c.Version = "devel"
	}
	if c.Metrics == nil {
		own, err := metrics.New(c.Version, "")
		if err != nil {
			return c, fmt.Errorf("server: %w", err)
		}
		c.Metrics = own
	}
	setDefault(&c.CallTime, 20*time.Second)
	setDefault(&c.DrainTime, 20*time.Second)
	setDefault(&c.MaxCalls, 1024)
	setDefault(&c.MaxStreams, 512)
	return c, nil
}

func setDefault[T int | time.Duration](field *T, value T) {
	if *field <= 0 {
		*field = value
	}
}

// checkLoopback refuses an address that others could reach: nobody is asked who they are.
func checkLoopback(key, addr string) error {
	host, port, err := net.SplitHostPort(addr)
	if err != nil || port == "" {
		return &SettingError{key, "is not of the form host:port, such as 127.0.0.1:9090"}
	}
	if host == "localhost" {
		return nil
	}
	if ip := net.ParseIP(host); ip == nil || !ip.IsLoopback() {
		return &SettingError{key, keyAuth + " is none, so the host must be loopback: 127.0.0.1, ::1 or localhost"}
	}
	return nil
}

// checkBound refuses a listener that did not end up on loopback, whatever its name resolved to.
func checkBound(key string, listener net.Listener) error {
	if addr, ok := listener.Addr().(*net.TCPAddr); ok && addr.IP.IsLoopback() {
		return nil
	}
	return &SettingError{key, keyAuth + " is none and the address is not loopback; give 127.0.0.1"}
}
