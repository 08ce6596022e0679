package server

import (
	"context"

	"google.golang.org/grpc"
)

// Caller is who asks.
type Caller struct {
	// ID names the caller in cursors and audit records.
	ID string
	// ObjectID is the caller's own Entra object id, which `users/me` stands for; empty for applications and anonymous callers.
	ObjectID string
}

// Authenticator finds out who asks, from the metadata and the peer in a call's context. An error refuses the call.
type Authenticator interface {
	Authenticate(ctx context.Context) (Caller, error)
}

// anonymous is the authenticator of PARLEY_AUTH_MODE none: everybody on this machine is the same caller.
type anonymous struct{}

var _ Authenticator = anonymous{}

// Authenticate knows one caller.
func (anonymous) Authenticate(context.Context) (Caller, error) { return Caller{ID: "anonymous"}, nil }

// identify puts the caller into the call's info. Health and reflection are open to whoever reaches the listener.
func (s *Server) identify(ctx context.Context, method string) error {
	if !isAPI(method) {
		return nil
	}
	caller, err := s.auth.Authenticate(ctx)
	if err != nil {
		return err
	}
	infoOf(ctx).caller = caller
	return nil
}

func (s *Server) identifyUnary(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	if err := s.identify(ctx, info.FullMethod); err != nil {
		return nil, err
	}
	return next(ctx, req)
}

func (s *Server) identifyStream(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) error {
	if err := s.identify(stream.Context(), info.FullMethod); err != nil {
		return err
	}
	return next(srv, stream)
}
