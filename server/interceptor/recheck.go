package interceptor

import (
	"errors"
	"time"

	"google.golang.org/grpc"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/server/apierror"
	"github.com/parley-gateway/parley/server/authn"
	"github.com/parley-gateway/parley/server/authz"
	"github.com/parley-gateway/parley/server/callinfo"
	"github.com/parley-gateway/parley/server/lifetime"
)

// recheck authorizes the caller of a stream again before each part: since the stream began the credential may have expired or been
// withdrawn, and the policy may have changed.
type recheck struct {
	policy authz.PolicySource
	now    func() time.Time
}

func (r recheck) stream(srv any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, next grpc.StreamHandler) error {
	return next(srv, &rechecked{ServerStream: stream, by: r, info: callinfo.FromContext(stream.Context())})
}

// check returns the error of a caller who may not read on; nil = they may. An expired credential ends the stream with its token, and a
// new one goes on from there. A withdrawn credential, or one whose issuer or authority was withdrawn, is refused.
func (r recheck) check(info *callinfo.Info) error {
	if err := info.Caller.Recheck(r.now()); err != nil {
		refusal, ok := errors.AsType[*authn.RefusedError](err)
		if !ok {
			return err
		}
		if refusal.Why == authn.WhyExpired {
			return lifetime.ErrStreamEnded("the credential that began this stream has ended; bring a new one")
		}
		return errRefused(refusal, "the credential that began this stream is not accepted any more: "+string(refusal.Why)+
			"; go on from the resume token with a new one")
	}
	if granted := info.Grant; granted != nil {
		decision := r.policy.Current().Decide(info.Caller, granted.Request)
		if decision.Answer != authz.Allowed || decision.OnBehalf != granted.OnBehalf || granted.AllUsers && !decision.AllUsers {
			return apierror.ForReason(parleyv1.ErrorReason_ERROR_REASON_POLICY_DENIED) // under a narrower rule more would have to be proved
		}
	}
	return nil
}

// rechecked is a stream whose caller is checked before each part, checkpoints too that only say that the stream goes on, so that a stream that
// waits for Graph ends as soon as one that sends. Only the checkpoint after a sent batch, and the summary, go out unchecked: they hold nothing
// but what was sent.
type rechecked struct {
	grpc.ServerStream

	by               recheck
	info             *callinfo.Info
	awaitsCheckpoint bool // a batch was sent and its checkpoint was not
}

// SendMsg sends one frame or chunk.
func (s *rechecked) SendMsg(message any) error {
	part := lifetime.PartOf(message)
	if part != lifetime.Summary && (part == lifetime.Content || !s.awaitsCheckpoint) {
		if err := s.by.check(s.info); err != nil {
			return err
		}
	}
	if err := s.ServerStream.SendMsg(message); err != nil {
		return err
	}
	s.awaitsCheckpoint = part == lifetime.Content || s.awaitsCheckpoint && part != lifetime.Checkpoint
	return nil
}
