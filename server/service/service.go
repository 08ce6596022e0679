// Package service answers the methods of the API, below the interceptors of both protocols. A method gets the request message, validated
// against the rules in its proto, and the callinfo.Info in its context. It authorizes its call, once (authorize.go), which writes the intent
// into the audit record; only then does it read anything, through the timeline's engine or the grant's sources. It returns a message or
// sends frames; events stay encoded, as a timeline.Page or a timeline.Batch.
package service

import (
	"google.golang.org/grpc"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/server/authz"
	"github.com/parley-gateway/parley/server/lifetime"
	"github.com/parley-gateway/parley/server/metrics"
)

// Config has the dependencies of the services.
type Config struct {
	// Engine answers lists and streams.
	Engine Engine
	// Tenants are the tenants by alias; at least one.
	Tenants map[string]*Tenant
	// Policy decides what callers may read.
	Policy authz.PolicySource
	// Streams ends streams, and Metrics counts the streams that are not complete.
	Streams *lifetime.Streams
	Metrics *metrics.Metrics
}

// Services are the services of the API.
type Services struct {
	engine     Engine
	authorizer *authorizer
	streams    *streams
	running    *runningStreams
}

// New makes the services.
func New(cfg *Config) *Services {
	return &Services{
		engine: cfg.Engine, authorizer: &authorizer{cfg.Tenants, cfg.Policy}, streams: &streams{cfg.Streams, cfg.Metrics}, running: newRunningStreams(),
	}
}

// Register registers the services with a *grpc.Server or an *inproc.Invoker.
func (s *Services) Register(protocol grpc.ServiceRegistrar) {
	parleyv1.RegisterConversationServiceServer(protocol, &conversations{Services: s})
	protocol.RegisterService(eventService(), newEvents(s))
	parleyv1.RegisterCopilotUsageServiceServer(protocol, &usage{Services: s})
	parleyv1.RegisterUserServiceServer(protocol, &users{Services: s})
}
