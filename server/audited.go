package server

import (
	"context"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/internal/reasons"
	"github.com/parley-gateway/parley/server/apierror"
	"github.com/parley-gateway/parley/server/audit"
)

// auditing ends the record of a call with what its caller gets.
type auditing struct{}

func (a auditing) unary(ctx context.Context, req any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (answer any, err error) {
	info, returned := infoOf(ctx), false
	defer func() {
		if !returned || err != nil {
			info.handed = handed{}
		}
		if info.web != nil && info.web.Unchanged {
			info.handed.events = 0 // nothing is handed out but that it is the same
		}
		a.record(info, returned, err)
	}()
	answer, err = next(ctx, req)
	returned = true
	return answer, err
}

func (a auditing) stream(srv any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, next grpc.StreamHandler) (err error) {
	info, returned := infoOf(stream.Context()), false
	defer func() { a.record(info, returned, err) }()
	err = next(srv, stream)
	returned = true
	return err
}

// record ends a call's record; a call that is not on record has none to end. It did not return if it panicked.
func (auditing) record(info *callInfo, returned bool, err error) {
	if !info.recorded {
		return
	}
	out := audit.Outcome{
		Code: codeName(codes.OK), Events: info.handed.events, Bytes: info.handed.bytes, Complete: info.handed.complete,
	}
	switch {
	case !returned:
		out.Code, out.ErrorReason = codeName(codes.Internal), reasons.Text(parleyv1.ErrorReason_ERROR_REASON_INTERNAL)
	case err != nil:
		st := apierror.FromError(err)
		out.Code, out.ErrorReason = codeName(st.Code()), apierror.Reason(st)
	}
	info.record.End(out)
}

// codeName is a code as the contract writes it, such as PERMISSION_DENIED.
func codeName(code codes.Code) string {
	if code == codes.OK {
		return "OK"
	}
	var name strings.Builder
	for i, c := range code.String() {
		if 'A' <= c && c <= 'Z' && i > 0 {
			name.WriteByte('_')
		}
		name.WriteRune(c)
	}
	return strings.ToUpper(name.String())
}
