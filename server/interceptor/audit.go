package interceptor

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/internal/reasons"
	"github.com/parley-gateway/parley/server/apierror"
	"github.com/parley-gateway/parley/server/audit"
	"github.com/parley-gateway/parley/server/callinfo"
)

// auditing ends the audit record of a call with the outcome.
type auditing struct{}

func (a auditing) unary(ctx context.Context, req any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (answer any, err error) {
	info, returned := callinfo.FromContext(ctx), false
	defer func() {
		if !returned || err != nil {
			info.Handed = callinfo.Handed{}
		}
		if info.HTTP != nil && info.HTTP.Unchanged {
			info.Handed.Rows = 0 // 304: no data are handed out
		}
		a.record(info, returned, err)
	}()
	answer, err = next(ctx, req)
	returned = true
	return answer, err
}

func (a auditing) stream(srv any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, next grpc.StreamHandler) (err error) {
	info, returned := callinfo.FromContext(stream.Context()), false
	defer func() { a.record(info, returned, err) }()
	err = next(srv, stream)
	returned = true
	return err
}

// record writes the outcome of a call that has an intent on record. A call that did not return has panicked.
func (auditing) record(info *callinfo.Info, returned bool, err error) {
	if !info.Recorded {
		return
	}
	out := audit.Outcome{
		Code: audit.CodeName(codes.OK), Events: info.Handed.Rows, Bytes: info.Handed.Bytes, Complete: info.Handed.Complete,
	}
	switch {
	case !returned:
		out.Code, out.ErrorReason = audit.CodeName(codes.Internal), reasons.Text(parleyv1.ErrorReason_ERROR_REASON_INTERNAL)
	case err != nil:
		st := apierror.FromError(err)
		out.Code, out.ErrorReason = audit.CodeName(st.Code()), apierror.Reason(st)
	}
	info.Record.End(out)
}
