package main

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/parley-gateway/parley"
	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/graphsim"
	"github.com/parley-gateway/parley/internal/config"
)

// running is a gateway that runs in this process, with a client of each kind.
type running struct {
	gateway *parley.Gateway
	folder  string
	conn    *grpc.ClientConn
	events  parleyv1.EventServiceClient
	web     *http.Client
	base    string
	users   []string
}

// newGateway starts a gateway as an operator would, with a cache too small for the load, so that it is full and Graph is asked.
func newGateway(ctx context.Context, sim *graph) (*running, error) {
	folder, err := os.MkdirTemp("", "parley-soak-")
	if err != nil {
		return nil, err
	}
	g := &running{folder: folder, users: sim.Users}
	secret, ca := filepath.Join(folder, "secret"), filepath.Join(folder, "ca.pem")
	s, err := config.Defaults()
	if err := errors.Join(err, os.WriteFile(secret, []byte(graphsim.DemoClientSecret), 0o600), os.WriteFile(ca, sim.ca, 0o600)); err != nil {
		return nil, err
	}
	s.GRPCAddr, s.HTTPAddr, s.AdminAddr = "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0"
	s.GraphURL, s.GraphAuthorityURL, s.GraphCAFile = sim.URL, sim.URL, ca
	s.GraphCredential, s.GraphClientSecretFile = "client-secret", secret
	s.GraphTenantID, s.GraphClientID = graphsim.DemoTenantID, graphsim.DemoClientID
	s.CacheSize, s.CacheMaxAge = "4MiB", 5*time.Minute
	s.AuditFile = os.DevNull
	if err := s.Check(); err != nil {
		return nil, err
	}
	if g.gateway, err = s.NewGateway(parley.Config{Logger: slog.New(slog.DiscardHandler), Version: "soak"}); err != nil {
		return nil, err
	}
	if err := g.gateway.Start(ctx); err != nil {
		return nil, err
	}
	if g.conn, err = grpc.NewClient(g.gateway.Addrs().GRPC, grpc.WithTransportCredentials(insecure.NewCredentials())); err != nil {
		return nil, errors.Join(err, g.close())
	}
	g.events = parleyv1.NewEventServiceClient(g.conn)
	g.web = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 16}}
	g.base = "http://" + g.gateway.Addrs().HTTP
	return g, nil
}

// close drains the gateway and ends the clients.
func (g *running) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	err := g.gateway.Close(ctx)
	if g.conn != nil {
		err = errors.Join(err, g.conn.Close())
		g.web.CloseIdleConnections()
	}
	return errors.Join(err, os.RemoveAll(g.folder))
}
