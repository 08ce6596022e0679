package callinfo_test

import (
	"testing"

	"google.golang.org/grpc/metadata"

	"github.com/parley-gateway/parley/cache"
	"github.com/parley-gateway/parley/graphclient/ratelimit"
	"github.com/parley-gateway/parley/server/callinfo"
	"github.com/parley-gateway/parley/server/requestid"
)

// TestInfoHasWhatTheTransportKnows: the info of a call has what its transport knows, and its context tells the floors below who calls.
func TestInfoHasWhatTheTransportKnows(t *testing.T) {
	t.Parallel()
	incoming := metadata.NewIncomingContext(t.Context(), metadata.Pairs(requestid.Header, "mine", callinfo.HeaderTenant, "contoso"))
	ctx := callinfo.NewContext(incoming, "/parley.v1.EventService/ListEvents", callinfo.GRPC)
	info := callinfo.FromContext(ctx)
	if info.ID != "mine" || info.RPC != "ListEvents" || info.Protocol != callinfo.GRPC || info.HTTP != nil || info.Reconnecting() {
		t.Errorf("%+v", info)
	}
	if callinfo.Header(ctx, callinfo.HeaderTenant) != "contoso" || callinfo.Header(ctx, callinfo.HeaderReason) != "" {
		t.Error("headers")
	}
	if ctx.Value(ratelimit.CallerKey{}) != nil || ctx.Value(cache.RecorderKey{}) != nil {
		t.Error("the floors below know of a caller or recorder that is not there")
	}
	info.CallerID, info.Recording = "caller", true
	if id, ok := ctx.Value(ratelimit.CallerKey{}).(*string); !ok || *id != "caller" || ctx.Value(cache.RecorderKey{}) != &info.Recorder {
		t.Error("the floors below do not know of the caller or the recorder")
	}
	if info.NoteGrant(callinfo.Grant{AllUsers: true}); !info.Grant.AllUsers {
		t.Error("the grant is lost")
	}
}

// TestInfoOfRESTHasTheRequestsID: over REST the request id is that of the HTTP request, and a stream is cut by its writer.
func TestInfoOfRESTHasTheRequestsID(t *testing.T) {
	t.Parallel()
	cut := 0
	request := &callinfo.HTTPRequest{Reconnect: true, Writing: callinfo.Writing{Abort: func() { cut++ }}}
	ctx := callinfo.NewContext(requestid.NewContext(callinfo.WithHTTP(t.Context(), request), "http"), "/a/B", callinfo.REST)
	info := callinfo.FromContext(ctx)
	if info.ID != "http" || info.HTTP != request || !info.Reconnecting() {
		t.Errorf("%+v", info)
	}
	if info.AbortStream(nil); cut != 1 {
		t.Error("the writer goes on")
	}
}

// TestOnWrittenRunsAtOnceWithoutAHold: what a call does not hold is given back at once; what it holds, at its end.
func TestOnWrittenRunsAtOnceWithoutAHold(t *testing.T) {
	t.Parallel()
	info, ended := callinfo.FromContext(t.Context()), 0
	info.EndSoon()
	if info.OnWritten(func() { ended++ }); ended != 1 {
		t.Error("not at once")
	}
	hold := info.BeginHold()
	if info.OnWritten(func() { ended++ }); ended != 1 || info.BeginHold() != hold {
		t.Error("at once, although it is held")
	}
	if hold.End(); ended != 2 {
		t.Error("not at the end")
	}
}
