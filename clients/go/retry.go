package parleyclient

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

var errIdle = errors.New("nothing came for too long")

// programError is an error of the program's own functions; it is not tried again.
type programError struct{ error }

// ErrorInfo returns what the gateway says about an error: its reason and metadata. It is nil, which is safe to read, for errors that are
// not the gateway's.
func ErrorInfo(err error) *errdetails.ErrorInfo {
	info, _ := details(err)
	return info
}

// details returns what the gateway says about an error, and after which time the call may be repeated; nil where it does not say.
func details(err error) (info *errdetails.ErrorInfo, retry *errdetails.RetryInfo) {
	for _, detail := range status.Convert(err).Details() {
		switch detail := detail.(type) {
		case *errdetails.ErrorInfo:
			if detail.GetDomain() == "parley.v1" {
				info = detail
			}
		case *errdetails.RetryInfo:
			retry = detail
		}
	}
	return info, retry
}

// next decides what follows the error of a connection, which has brought a frame or not: another one after a time, or the
// error that ends the stream.
func (s *Stream[F, T]) next(err error, brought bool) (time.Duration, error) {
	if own, ok := errors.AsType[programError](err); ok {
		return 0, own.error
	}
	refused := s.refused
	if s.refused = ""; brought {
		refused = ""
	}
	code := status.Code(err)
	info, retry := details(err)
	if token := info.GetMetadata()["resume_token"]; token != "" {
		s.token = token
	}
	delay := retry.GetRetryDelay().AsDuration()
	cut := info == nil && failed(code)
	if cut {
		err = fmt.Errorf("%w: %w", ErrCut, err)
	}
	switch {
	case info.GetReason() == "STREAM_ENDED" && brought:
		return 0, nil
	case code == codes.Unauthenticated && retry == nil:
		if s.options.Token == nil || refused != "" {
			return 0, err
		}
		s.refused = s.sent
		return 0, nil
	case !cut && (info == nil || retry == nil), delay > s.options.MaxWait:
		return 0, err
	}
	if s.failures == s.options.Retries {
		return 0, err
	}
	s.failures++
	if delay > 0 {
		return delay, nil
	}
	return s.backoff(), nil
}

// failed reports whether an error that is not the gateway's is one of the connection.
func failed(code codes.Code) bool {
	switch code {
	case codes.Unavailable, codes.Internal, codes.Unknown, codes.Canceled:
		return true
	default:
		return false
	}
}

// backoff returns how long to wait after the failures in a row, at random between half of it and all.
func (s *Stream[F, T]) backoff() time.Duration {
	wait := s.options.Backoff
	for i := 1; i < s.failures && wait < maxBackoff; i++ {
		wait *= 2
	}
	wait = max(min(wait, maxBackoff), time.Nanosecond)
	return wait/2 + rand.N(wait/2+1) //nolint:gosec // spreads clients, protects nothing
}

func sleep(ctx context.Context, wait time.Duration) error {
	if wait <= 0 {
		return nil
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("parley: waiting to go on with a stream: %w", context.Cause(ctx))
	}
}
