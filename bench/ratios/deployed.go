package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"github.com/parley-gateway/parley"
	"github.com/parley-gateway/parley/docs/policies"
	gatewayv1 "github.com/parley-gateway/parley/gen/gateway/parley/v1"
	"github.com/parley-gateway/parley/graphsim"
	"github.com/parley-gateway/parley/internal/config"
	"github.com/parley-gateway/parley/server/audit"
	"github.com/parley-gateway/parley/server/authn"
)

// deployment is what a gateway has around it in production: a directory that issues tokens, TLS, a policy, audit records in a
// file. The files lie in a folder that ends with the process.
type deployment struct {
	folder    string
	directory *graphsim.Sim
	tls       tls.Certificate
	roots     *x509.CertPool // the gateway's certificate
}

func newDeployment(ctx context.Context, folder string) (*deployment, error) {
	directory, err := graphsim.New(graphsim.Config{Users: 5, Chats: 1, Messages: 1, Interactions: 1, Calls: 1, TokenLifetime: 24 * time.Hour})
	if err == nil {
		err = directory.Start(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("directory: %w", err)
	}
	d := &deployment{folder: folder, directory: directory, roots: x509.NewCertPool()}
	certificate, key, err := selfSigned()
	if err != nil {
		return nil, err
	}
	d.roots.AppendCertsFromPEM(certificate)
	if d.tls, err = tls.X509KeyPair(certificate, key); err != nil {
		return nil, fmt.Errorf("certificate: %w", err)
	}
	for name, content := range map[string][]byte{
		"cert.pem": certificate, "key.pem": key, "ca.pem": directory.CACertPEM(), "policy.yaml": policies.EntraAppRoles(),
	} {
		if err := os.WriteFile(d.path(name), content, 0o600); err != nil {
			return nil, fmt.Errorf("deployment: %w", err)
		}
	}
	return d, nil
}

func (d *deployment) path(name string) string { return filepath.Join(d.folder, name) }

// selfSigned makes a certificate for loopback, in PEM.
func selfSigned() (certificate, key []byte, err error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, fmt.Errorf("key: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "bench"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	signed, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		return nil, nil, fmt.Errorf("certificate: %w", err)
	}
	encoded, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, nil, fmt.Errorf("key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: signed}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: encoded}), nil
}

// settings returns the settings of the gateway, over the Graph at an address.
func (d *deployment) settings(graph string) (config.Settings, error) {
	settings, err := config.Defaults()
	if err != nil {
		return settings, fmt.Errorf("settings: %w", err)
	}
	settings.GRPCAddr, settings.HTTPAddr, settings.AdminAddr = "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0"
	settings.GraphURL, settings.GraphCredential, settings.GraphTenantID = graph, "none", graphsim.DemoTenantID
	settings.AuthMode, settings.OIDCIssuer, settings.OIDCAudience = "oidc", d.directory.CallerIssuer(), graphsim.DemoAudience
	settings.OIDCCAFile, settings.PolicyFile, settings.AuditFile = d.path("ca.pem"), d.path("policy.yaml"), d.path("audit.jsonl")
	settings.CallerRate, settings.CallerBurst = 1_000_000, 1_000_000 // one caller makes all the load
	settings.TLSCertFile, settings.TLSKeyFile = d.path("cert.pem"), d.path("key.pem")
	if err := settings.Check(); err != nil {
		return settings, fmt.Errorf("settings: %w", err)
	}
	return settings, nil
}

// token returns a token of an export job, which may read every user.
func (d *deployment) token() (string, error) {
	token, err := d.directory.SignCaller(graphsim.CallerToken{Roles: []string{"Conversations.Export.All"}})
	if err != nil {
		return "", fmt.Errorf("token: %w", err)
	}
	return token, nil
}

// guarded is a server of static bytes with the product's own token verifier and audit log around them: what the contract asks
// for around a page, with nothing worked out.
type guarded struct {
	tokens *authn.Tokens
	audit  *audit.Log
	answer http.HandlerFunc
}

func (d *deployment) guard(p *peers) (*guarded, error) {
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(d.directory.CACertPEM())
	tokens, err := authn.NewTokens(authn.TokensConfig{
		Issuer: d.directory.CallerIssuer(), Audiences: []string{graphsim.DemoAudience}, Tenants: []string{graphsim.DemoTenantID},
		RootCAs: roots, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return nil, fmt.Errorf("tokens: %w", err)
	}
	file, err := audit.OpenFile(d.path("guarded.jsonl"), nil)
	if err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	return &guarded{tokens: tokens, audit: audit.New(file, audit.Options{}), answer: p.answered()}, nil
}

// ServeHTTP implements http.Handler.
func (g *guarded) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	bearer, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	caller, err := g.tokens.Verify(r.Context(), bearer)
	if err != nil {
		http.Error(w, "who are you?", http.StatusUnauthorized)
		return
	}
	var call audit.Call
	call.Open(g.audit)
	err = call.Intent(audit.Intent{
		RequestID: "EX2HJUIZXVCIGAGI3556VRUR", Caller: audit.RecordedCaller{ID: caller.ID(), Kind: caller.Kind.String(), Application: caller.AppID},
		Rule: "export", Policy: strings.Repeat("0", 64), RPC: "ListEvents", Protocol: "rest", Tenant: "default", TenantID: graphsim.DemoTenantID,
		Owner: short.user, Sources: []string{"chat"}, Start: short.start, End: short.end(), View: "basic",
	})
	if err != nil {
		http.Error(w, "not recorded", http.StatusServiceUnavailable)
		return
	}
	g.answer(w, r)
	complete := false
	call.End(audit.Outcome{Code: "OK", Events: deployedRows, Complete: &complete})
}

// childDeployed serves Parley as it is deployed over the Graph at the address, and its peers behind the same TLS.
func childDeployed(ctx context.Context, graph string) error {
	folder, err := os.MkdirTemp("", "parley-bench")
	if err != nil {
		return fmt.Errorf("deployment: %w", err)
	}
	defer os.RemoveAll(folder) //nolint:errcheck // a leftover of a benchmark
	d, err := newDeployment(ctx, folder)
	if err != nil {
		return err
	}
	settings, err := d.settings(graph)
	if err != nil {
		return err
	}
	running, err := settings.NewGateway(parley.Config{Logger: slog.New(slog.DiscardHandler), Version: "bench"})
	if err == nil {
		err = running.Start(ctx)
	}
	if err != nil {
		return fmt.Errorf("gateway: %w", err)
	}
	p := &peers{frames{lists: map[string][][]byte{}}}
	static, err := d.guard(p)
	if err != nil {
		return err
	}
	usual, err := d.usualGateway(ctx, running.Addrs().GRPC)
	if err != nil {
		return err
	}
	token, err := d.token()
	if err != nil {
		return err
	}
	addresses := map[string]string{"https": running.Addrs().HTTP, "token": token, "ca": string(mustRead(d.path("cert.pem")))}
	control := http.NewServeMux()
	control.HandleFunc("/spent", serveSpent)
	control.HandleFunc("/profile", new(profiled).serve)
	control.HandleFunc("/set", p.set)
	for name, handler := range map[string]http.Handler{"peers": control, "guarded": static, "usual": usual} {
		listener, err := listen()
		if err != nil {
			return err
		}
		addresses[name] = listener.Addr().String()
		server := &http.Server{Handler: handler, ReadHeaderTimeout: time.Minute}
		if name == "peers" {
			go func() { _ = server.Serve(listener) }() // all end with the process
			continue
		}
		server.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{d.tls}}
		go func() { _ = server.ServeTLS(listener, "", "") }()
	}
	return serving(addresses)
}

// usualGateway is grpc-gateway as it comes: its mux with its marshaler, over a connection to the same server.
func (d *deployment) usualGateway(ctx context.Context, address string) (http.Handler, error) {
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(credentials.NewClientTLSFromCert(d.roots, "")))
	if err != nil {
		return nil, fmt.Errorf("dial: %w", err)
	}
	mux := runtime.NewServeMux()
	if err := gatewayv1.RegisterEventServiceHandler(ctx, mux, conn); err != nil {
		return nil, errors.Join(fmt.Errorf("register: %w", err), conn.Close())
	}
	return mux, nil
}

func mustRead(path string) []byte {
	content, _ := os.ReadFile(path) // the client fails without it
	return content
}
