package server

import (
	"context"
	"strings"

	"google.golang.org/genproto/googleapis/api/httpbody"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/server/audit"
	"github.com/parley-gateway/parley/server/fault"
	"github.com/parley-gateway/parley/server/rest"
	"github.com/parley-gateway/parley/timeline"
	"github.com/parley-gateway/parley/timeline/query"
)

// auditUnary ends the record of a call with what its caller gets.
func (s *Server) auditUnary(ctx context.Context, req any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (answer any, err error) {
	info, returned := infoOf(ctx), false
	defer func() { s.record(info, returned, err) }()
	answer, err = next(ctx, req)
	returned = true
	if err == nil {
		info.granted.count(answer)
	}
	return answer, err
}

// auditStream does the same for a stream, whose parts it lets pass one by one.
func (s *Server) auditStream(srv any, stream grpc.ServerStream, rpc *grpc.StreamServerInfo, next grpc.StreamHandler) (err error) {
	if !isAPI(rpc.FullMethod) {
		return next(srv, stream)
	}
	info, returned := infoOf(stream.Context()), false
	defer func() { s.record(info, returned, err) }()
	err = next(srv, &guarded{ServerStream: stream, s: s, info: info})
	returned = true
	return err
}

// record ends a call's record; a call that is not on record has none to end. It did not return if it panicked.
func (s *Server) record(info *callInfo, returned bool, err error) {
	if !info.recorded {
		return
	}
	out := audit.Outcome{Code: codeName(codes.OK)}
	if granted := info.granted; granted != nil {
		out.Events, out.Bytes, out.Complete = granted.events, granted.bytes, granted.complete
	}
	switch {
	case !returned:
		out.Code, out.ErrorReason = codeName(codes.Internal), fault.ReasonInternal
	case err != nil:
		st := toStatus(err)
		out.Code, out.ErrorReason = codeName(st.Code()), fault.Reason(st)
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

// guarded is a stream that asks before each part of its answer whether the caller may still have it. Heartbeats are such
// parts, too: a stream that waits for Graph ends as soon as one that is served. Only the checkpoint of a batch that is out, and the
// summary of all that is, come unasked.
type guarded struct {
	grpc.ServerStream

	s    *Server
	info *callInfo
	open bool // a batch is out and its checkpoint is not
}

// SendMsg sends one frame or chunk.
func (g *guarded) SendMsg(message any) error {
	batch, checkpoint, summary := partOf(message)
	if !summary && (batch || !g.open) {
		if err := g.s.recheck(g.info); err != nil {
			return err
		}
	}
	if err := g.ServerStream.SendMsg(message); err != nil {
		return err
	}
	g.open = batch || g.open && !checkpoint
	g.info.granted.count(message)
	return nil
}

// partOf says which part of an answer a message is: one with content, which frames without a name of their own are, a checkpoint or
// the summary.
func partOf(message any) (content, checkpoint, summary bool) {
	frame, ok := message.(frameMessage)
	if !ok {
		return true, false, false
	}
	checkpoint, summary = frame.GetCheckpoint() != nil, frame.GetSummary() != nil
	return !checkpoint && !summary && frame.GetNotice() == nil, checkpoint, summary
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
