package server

import (
	"context"
	"errors"
	"log/slog"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"

	"github.com/parley-gateway/parley/graphclient"
	"github.com/parley-gateway/parley/server/callers"
	"github.com/parley-gateway/parley/server/fault"
)

// Doors through which a call may come, as audit records name them.
const (
	doorGRPC = "grpc"
	doorREST = "rest"
)

// identity finds out who makes a call on one of the two gRPC servers.
type identity struct {
	s    *Server
	auth callers.Authenticator
	door string
	// handover is set on the inner server, where every call belongs to a request of the REST face.
	handover *callers.Handover
}

// authenticator is what the configuration asks for; peer finds the TLS state of a call.
func (s *Server) authenticator(peer callers.PeerFunc) callers.Authenticator {
	mode := s.cfg.mode
	if mode.open() {
		return callers.Open{}
	}
	doors := &callers.Doors{Peer: peer}
	if mode.oidc {
		doors.Tokens = s.cfg.Tokens
	}
	if mode.mtls {
		doors.Certificates = &callers.Certificates{Roots: s.cfg.TLS.Roots}
	}
	return doors
}

// identify puts the caller into the call's info and counts the call. Health and reflection are open to whoever reaches
// the listener.
func (i *identity) identify(ctx context.Context, method string) (context.Context, error) {
	if !isAPI(method) {
		return ctx, nil
	}
	info := infoOf(ctx)
	info.door = i.door
	caller, err := i.caller(ctx)
	if err != nil {
		return ctx, i.refusal(ctx, info, err)
	}
	info.caller = caller
	if wait := i.s.rates.Take(caller.ID()); wait > 0 {
		return ctx, &fault.Error{
			Code: codes.ResourceExhausted, Reason: fault.ReasonCallerLimit, RetryAfter: wait,
			Message: "this caller begins more calls than the gateway allows one caller",
		}
	}
	if i.handover != nil {
		ctx = callers.WithoutTicket(ctx)
	}
	return graphclient.WithCaller(ctx, caller.ID()), nil
}

func (i *identity) caller(ctx context.Context) (*callers.Caller, error) {
	if i.handover != nil && !i.handover.Knows(ctx) {
		return nil, &callers.RefusedError{Why: callers.WhyMissing}
	}
	return i.auth.Authenticate(ctx)
}

// refusal is the error of a caller who is not accepted. The cause is one of a few fixed phrases.
func (i *identity) refusal(ctx context.Context, info *callInfo, err error) error {
	known, ok := errors.AsType[*callers.RefusedError](err)
	if !ok {
		return err
	}
	i.s.cfg.Logger.LogAttrs(ctx, slog.LevelInfo, "caller refused",
		slog.String("why", string(known.Why)), slog.String("door", i.door), slog.String("request_id", info.id))
	return &fault.Error{
		Code: codes.Unauthenticated, Reason: fault.ReasonUnauthenticated, RetryAfter: known.RetryAfter,
		Message: "the caller is not accepted: " + string(known.Why),
	}
}

func (i *identity) unary(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	ctx, err := i.identify(ctx, info.FullMethod)
	if err != nil {
		return nil, err
	}
	return next(ctx, req)
}

func (i *identity) stream(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) error {
	ctx, err := i.identify(stream.Context(), info.FullMethod)
	if err != nil {
		return err
	}
	return next(srv, &streamWith{stream, ctx})
}
