package interceptor

import (
	"context"
	"errors"
	"log/slog"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/server/admission"
	"github.com/parley-gateway/parley/server/apierror"
	"github.com/parley-gateway/parley/server/authn"
	"github.com/parley-gateway/parley/server/callinfo"
)

// identity finds out who makes a call.
type identity struct {
	auth   authn.Authenticator
	rates  *admission.Rates
	logger *slog.Logger
}

// identify puts the caller into the call's info and counts the call.
func (i *identity) identify(ctx context.Context) error {
	info := callinfo.FromContext(ctx)
	caller, err := i.auth.Authenticate(ctx)
	if err != nil {
		return i.refusal(ctx, info, err)
	}
	info.Caller, info.CallerID = caller, caller.ID()
	info.Admission.Authenticate(info.CallerID)
	if wait := i.rates.Take(info.CallerID); wait > 0 {
		limited := apierror.New(parleyv1.ErrorReason_ERROR_REASON_CALLER_LIMIT, "this caller begins more calls than the gateway allows one caller")
		limited.RetryAfter = wait
		return limited
	}
	return nil
}

// refusal is the error of a caller who is not accepted. The cause is one of a few fixed phrases.
func (i *identity) refusal(ctx context.Context, info *callinfo.Info, err error) error {
	known, ok := errors.AsType[*authn.RefusedError](err)
	if !ok {
		return err
	}
	level := slog.LevelDebug // expected: tokens end
	if known.Why == authn.WhyKeys {
		level = slog.LevelWarn // nobody can be accepted
	}
	i.logger.LogAttrs(ctx, level, "caller refused", slog.String("why", string(known.Why)), slog.String("transport", info.Protocol))
	return errNotAccepted(known)
}

// errNotAccepted is the error of a caller who is not accepted.
func errNotAccepted(refusal *authn.RefusedError) *apierror.Error {
	return errRefused(refusal, "the caller is not accepted: "+string(refusal.Why))
}

// errRefused is the error of a caller who is not accepted, now or any more. Where the issuer's keys are out of reach nothing
// is known against the caller, and the same credential may be accepted later.
func errRefused(refusal *authn.RefusedError, message string) *apierror.Error {
	if refusal.Why == authn.WhyKeys {
		err := apierror.ForReason(parleyv1.ErrorReason_ERROR_REASON_ISSUER_UNAVAILABLE)
		err.RetryAfter = max(err.RetryAfter, refusal.RetryAfter)
		return err
	}
	err := apierror.New(parleyv1.ErrorReason_ERROR_REASON_CALLER_UNAUTHENTICATED, message)
	err.RetryAfter = refusal.RetryAfter
	return err
}
