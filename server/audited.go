package server

import (
	"context"
	"strings"

	"google.golang.org/genproto/googleapis/api/httpbody"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/internal/reasons"
	"github.com/parley-gateway/parley/server/apierror"
	"github.com/parley-gateway/parley/server/audit"
	"github.com/parley-gateway/parley/server/rest"
	"github.com/parley-gateway/parley/timeline"
	"github.com/parley-gateway/parley/timeline/query"
)

// auditing ends the record of a call with what its caller gets.
type auditing struct{}

func (a auditing) unary(ctx context.Context, req any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (answer any, err error) {
	info, returned := infoOf(ctx), false
	defer func() { a.record(info, returned, err) }()
	answer, err = next(ctx, req)
	returned = true
	if err == nil {
		info.granted.count(answer)
	}
	return answer, err
}

func (a auditing) stream(srv any, stream grpc.ServerStream, rpc *grpc.StreamServerInfo, next grpc.StreamHandler) (err error) {
	if !isAPI(rpc.FullMethod) {
		return next(srv, stream)
	}
	info, returned := infoOf(stream.Context()), false
	defer func() { a.record(info, returned, err) }()
	err = next(srv, &counted{stream, info})
	returned = true
	return err
}

// record ends a call's record; a call that is not on record has none to end. It did not return if it panicked.
func (auditing) record(info *callInfo, returned bool, err error) {
	if !info.recorded {
		return
	}
	out := audit.Outcome{Code: codeName(codes.OK)}
	if granted := info.granted; granted != nil {
		out.Events, out.Bytes, out.Complete = granted.events, granted.bytes, granted.complete
	}
	switch {
	case !returned:
		out.Code, out.ErrorReason = codeName(codes.Internal), reasons.Text(parleyv1.ErrorReason_ERROR_REASON_INTERNAL)
	case err != nil:
		st := toStatus(err)
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

// counted is a stream whose parts are counted as they are handed out.
type counted struct {
	grpc.ServerStream

	info *callInfo
}

// SendMsg sends one frame or chunk.
func (c *counted) SendMsg(message any) error {
	if err := c.ServerStream.SendMsg(message); err != nil {
		return err
	}
	c.info.granted.count(message)
	return nil
}

// count adds an answer, or a part of one, to what was handed out.
func (g *grant) count(message any) {
	if g == nil {
		return
	}
	unchanged, same := message.(rest.Unchanged)
	if same {
		message = unchanged.Answer
	}
	if page, ok := message.(*timeline.Page); ok {
		message = page.Message
		if !same {
			g.events += int64(page.Count)
		}
	}
	if whole, ok := message.(interface{ GetComplete() bool }); ok {
		g.is(whole.GetComplete())
	}
	if frame, ok := message.(frameMessage); ok && frame.GetSummary() != nil {
		g.is(frame.GetSummary().GetComplete())
	}
	if same {
		return // nothing was handed out but that it is the same
	}
	switch m := message.(type) {
	case *parleyv1.Event, *parleyv1.Conversation:
		g.events++
	case *parleyv1.ListConversationsResponse:
		g.events += int64(len(m.GetConversations()))
	case *parleyv1.ListCopilotUsageResponse:
		g.events += int64(len(m.GetRows()))
	case *parleyv1.ListUsersResponse:
		g.events += int64(len(m.GetUsers()))
	case *parleyv1.StreamEventsResponse:
		g.events += int64(len(m.GetBatch().GetEvents()))
	case *query.Batch:
		g.events += int64(m.Count)
	case *parleyv1.StreamConversationsResponse:
		g.events += int64(len(m.GetBatch().GetConversations()))
	case *parleyv1.StreamCopilotUsageResponse:
		g.events += int64(len(m.GetBatch().GetRows()))
	case *httpbody.HttpBody:
		g.bytes += int64(len(m.GetData()))
	}
}
