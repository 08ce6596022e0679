package interceptor

import (
	"context"
	"errors"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/internal/reasons"
	"github.com/parley-gateway/parley/server/apierror"
	"github.com/parley-gateway/parley/server/audit"
	"github.com/parley-gateway/parley/server/callinfo"
	"github.com/parley-gateway/parley/server/inproc"
	"github.com/parley-gateway/parley/server/metrics"
)

// auditing owns the audit record of a call: it opens the record, into which the service writes what the call is about to read, and ends it
// with the outcome, which counts the rows and bytes of the answer.
type auditing struct {
	log     *audit.Log // nil = nothing is recorded
	metrics *metrics.Metrics
}

func (a auditing) unary(ctx context.Context, req any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (answer any, err error) {
	info, returned := callinfo.FromContext(ctx), false
	info.Record.Open(a.log)
	out := handout{metrics: a.metrics, protocol: info.Protocol}
	defer func() { a.end(info, out, returned, err) }()
	answer, err = next(ctx, req)
	if returned = true; err != nil {
		return nil, err
	}
	unchanged := info.HTTP != nil && info.HTTP.Unchanged // 304: no data are handed out
	if unchanged {
		out.metrics = nil
	}
	out.add(answer)
	if unchanged {
		out.rows = 0
	}
	info.Rows, info.Complete = out.rows, out.complete
	return answer, nil
}

func (a auditing) stream(srv any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, next grpc.StreamHandler) (err error) {
	info, returned := callinfo.FromContext(stream.Context()), false
	info.Record.Open(a.log)
	sent := &audited{ServerStream: stream, out: handout{metrics: a.metrics, protocol: info.Protocol}}
	defer func() { a.end(info, sent.out, returned, err) }()
	err = next(srv, sent)
	returned = true
	info.Rows, info.Complete = sent.out.rows, sent.out.complete
	return err
}

// audited is a stream that counts the data that it sends.
type audited struct {
	grpc.ServerStream

	out handout
}

// SendMsg implements grpc.ServerStream. A message counts if some of it may be out: over REST a caller who leaves within a batch has a part of
// it. Over gRPC nothing of a message goes out that SendMsg fails for.
func (s *audited) SendMsg(message any) error {
	err := s.ServerStream.SendMsg(message)
	if err == nil || errors.Is(err, inproc.ErrTaken) {
		s.out.add(message)
	}
	return err
}

// end writes the outcome of a call that has an intent on record or was denied. A call that did not return has panicked.
func (auditing) end(info *callinfo.Info, handed handout, returned bool, err error) {
	if !info.Record.NeedsOutcome() {
		return
	}
	out := audit.Outcome{Code: audit.CodeName(codes.OK), Events: handed.rows, Bytes: handed.bytes, Complete: handed.complete}
	switch {
	case !returned:
		out.Code, out.ErrorReason = audit.CodeName(codes.Internal), reasons.Text(parleyv1.ErrorReason_ERROR_REASON_INTERNAL)
	case err != nil:
		st := apierror.FromError(err)
		out.Code, out.ErrorReason = audit.CodeName(st.Code()), apierror.Reason(st)
	}
	info.Record.End(out)
}
