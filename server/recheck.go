package server

import (
	"errors"
	"time"

	"google.golang.org/grpc"

	"github.com/parley-gateway/parley/server/authn"
	"github.com/parley-gateway/parley/server/authz"
)

// recheck asks before each part of a stream whether its caller may still have it: since the stream began a credential may have
// ended, what vouched for it may have been withdrawn, and the policy may have changed.
type recheck struct {
	policy authz.Source
	now    func() time.Time
}

func (r recheck) stream(srv any, stream grpc.ServerStream, rpc *grpc.StreamServerInfo, next grpc.StreamHandler) error {
	if !isAPI(rpc.FullMethod) {
		return next(srv, stream)
	}
	return next(srv, &rechecked{ServerStream: stream, by: r, info: infoOf(stream.Context())})
}

// still returns why the caller of a call may not read on; nil = they may. That a credential has ended is foreseen: who brings a
// new one goes on. That it or what vouched for it was withdrawn is a refusal.
func (r recheck) still(info *callInfo) error {
	if refusal, ok := errors.AsType[*authn.RefusedError](info.caller.Again(r.now())); ok {
		if refusal.Why == authn.WhyExpired {
			return errStreamEnded("the credential that began this stream has ended; bring a new one")
		}
		return errRefused(refusal, "the credential that began this stream is not accepted any more: "+string(refusal.Why)+
			"; go on from the resume token with a new one")
	}
	if granted := info.granted; granted != nil {
		decision := r.policy.Current().Decide(info.caller, granted.request)
		if !decision.Allowed || decision.OnBehalf != granted.onBehalf || granted.allUsers && !decision.AllUsers {
			return errDenied() // under a narrower rule more would have to be proved
		}
	}
	return nil
}

// rechecked is a stream whose caller is checked again before each part. Heartbeats are such parts, too: a stream that waits
// for Graph ends as soon as one that is served. Only the checkpoint of a batch that is out, and the summary of all that is,
// come unchecked.
type rechecked struct {
	grpc.ServerStream

	by   recheck
	info *callInfo
	open bool // a batch is out and its checkpoint is not
}

// SendMsg sends one frame or chunk.
func (s *rechecked) SendMsg(message any) error {
	batch, checkpoint, summary := partOf(message)
	if !summary && (batch || !s.open) {
		if err := s.by.still(s.info); err != nil {
			return err
		}
	}
	if err := s.ServerStream.SendMsg(message); err != nil {
		return err
	}
	s.open = batch || s.open && !checkpoint
	return nil
}

// partOf tells which part of an answer a message is: one with content, which frames without a name of their own are, a
// checkpoint or the summary.
func partOf(message any) (content, checkpoint, summary bool) {
	frame, ok := message.(frameMessage)
	if !ok {
		return true, false, false
	}
	checkpoint, summary = frame.GetCheckpoint() != nil, frame.GetSummary() != nil
	return !checkpoint && !summary && frame.GetNotice() == nil, checkpoint, summary
}
