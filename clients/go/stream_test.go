package parleyclient_test

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	parleyclient "github.com/parley-gateway/parley/clients/go"
	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type frame = parleyv1.StreamEventsResponse

// connection is what a call brings: frames, and then an error. Without one it is silent until its context ends.
type connection struct {
	frames []*frame
	err    error
}

// call is a call that came.
type call struct {
	at    time.Time
	token string
	ctx   context.Context
}

// gateway brings one connection after the other; the last one again and again.
type gateway struct {
	parleyv1.EventServiceClient

	connections []connection
	calls       []call
}

// StreamEvents implements parleyv1.EventServiceClient.
func (g *gateway) StreamEvents(ctx context.Context, request *parleyv1.StreamEventsRequest, _ ...grpc.CallOption,
) (grpc.ServerStreamingClient[frame], error) {
	g.calls = append(g.calls, call{at: time.Now(), token: request.GetResumeToken(), ctx: ctx})
	next := g.connections[min(len(g.calls), len(g.connections))-1]
	return &received{ctx: ctx, left: next}, nil
}

// waits returns how long the helper waited before each call but the first.
func (g *gateway) waits() (waits []time.Duration) {
	for i := 1; i < len(g.calls); i++ {
		waits = append(waits, g.calls[i].at.Sub(g.calls[i-1].at))
	}
	return waits
}

type received struct {
	grpc.ClientStream

	ctx  context.Context
	left connection
}

// Recv implements grpc.ServerStreamingClient.
func (r *received) Recv() (*frame, error) {
	if len(r.left.frames) > 0 {
		next := r.left.frames[0]
		r.left.frames = r.left.frames[1:]
		return next, nil
	}
	if r.left.err != nil {
		return nil, r.left.err
	}
	<-r.ctx.Done()
	return nil, status.FromContextError(r.ctx.Err()).Err()
}

func batch(uids ...string) *frame {
	events := &parleyv1.EventBatch{}
	for _, uid := range uids {
		events.Events = append(events.Events, &parleyv1.Event{Uid: uid, Version: 1})
	}
	return &frame{Frame: &parleyv1.StreamEventsResponse_Batch{Batch: events}}
}

func checkpoint(token string) *frame {
	return &frame{Frame: &parleyv1.StreamEventsResponse_Checkpoint{Checkpoint: &parleyv1.Checkpoint{ResumeToken: token}}}
}

func summary(token string) *frame {
	return &frame{Frame: &parleyv1.StreamEventsResponse_Summary{Summary: &parleyv1.Summary{Complete: true, ResumeToken: token}}}
}

// refusal is an error of the gateway; a negative delay is none.
func refusal(code codes.Code, reason string, delay time.Duration) error {
	st, err := status.New(code, "no").WithDetails(&errdetails.ErrorInfo{Reason: reason, Domain: "parley.v1"})
	if err == nil && delay >= 0 {
		st, err = st.WithDetails(&errdetails.RetryInfo{RetryDelay: durationpb.New(delay)})
	}
	return errors.Join(err, st.Err())
}

// read reads a stream to its end and returns the uids that came.
func read(ctx context.Context, stream *parleyclient.Stream[*frame, *parleyv1.Event]) (uids string, err error) {
	var all []string
	for event, err := range stream.All(ctx) {
		if err != nil {
			return strings.Join(all, " "), err
		}
		all = append(all, event.GetUid())
	}
	return strings.Join(all, " "), nil
}

var errGone = status.Error(codes.Unavailable, "connection refused")

// TestWaitsDoubleUpToHalfAMinute: the waits double from half a second to half a minute, vary by half, and end after ten of them.
func TestWaitsDoubleUpToHalfAMinute(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := &gateway{connections: []connection{{err: errGone}}}
		stream := parleyclient.Events(g, &parleyv1.StreamEventsRequest{ResumeToken: "t"}, parleyclient.Options{})
		if _, err := read(t.Context(), stream); !errors.Is(err, parleyclient.ErrCut) || status.Code(err) != codes.Unavailable {
			t.Errorf("%v, want a cut with its cause", err)
		}
		most := []time.Duration{500e6, 1e9, 2e9, 4e9, 8e9, 16e9, 30e9, 30e9, 30e9, 30e9}
		waits := g.waits()
		if len(waits) != len(most) {
			t.Fatalf("%d waits, want %d", len(waits), len(most))
		}
		for i, wait := range waits {
			if wait < most[i]/2 || wait > most[i] {
				t.Errorf("wait %d is %v, want %v to %v", i+1, wait, most[i]/2, most[i])
			}
		}
		if stream.ResumeToken() != "t" || stream.Summary() != nil {
			t.Errorf("token %q, summary %v", stream.ResumeToken(), stream.Summary())
		}
	})
}

// TestARetryDelayIsWaitedFor: a delay is waited for to the moment, and up to ten minutes.
func TestARetryDelayIsWaitedFor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := &gateway{connections: []connection{
			{err: refusal(codes.ResourceExhausted, "GRAPH_THROTTLED", 7*time.Second)},
			{err: refusal(codes.Unavailable, "OVERLOADED", 10*time.Minute)},
			{frames: []*frame{batch("a")}, err: refusal(codes.Unavailable, "STREAM_ENDED", 0)},
			{err: refusal(codes.ResourceExhausted, "CALLER_LIMIT", 10*time.Minute+1)},
		}}
		uids, err := read(t.Context(), parleyclient.Events(g, &parleyv1.StreamEventsRequest{}, parleyclient.Options{}))
		if uids != "a" || parleyclient.ErrorInfo(err).GetReason() != "CALLER_LIMIT" || errors.Is(err, parleyclient.ErrCut) {
			t.Errorf("%q, %v", uids, err)
		}
		if want := []time.Duration{7 * time.Second, 10 * time.Minute, 0}; !slices.Equal(g.waits(), want) {
			t.Errorf("waits %v, want %v", g.waits(), want)
		}
	})
}

// TestASilentConnectionIsCut: a silent connection is cut after a minute; a program that takes its time is no silence.
func TestASilentConnectionIsCut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := &gateway{connections: []connection{
			{frames: []*frame{batch("a"), checkpoint("t1"), batch("b")}},
			{frames: []*frame{summary("t2")}},
		}}
		stream := parleyclient.Events(g, &parleyv1.StreamEventsRequest{}, parleyclient.Options{})
		for _, err := range stream.All(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Hour)
		}
		if wait := g.waits()[0]; wait < 2*time.Hour+time.Minute || wait > 2*time.Hour+time.Minute+time.Second {
			t.Errorf("the silent connection was cut after %v", wait)
		}
		if g.calls[1].token != "t1" || stream.ResumeToken() != "t2" {
			t.Errorf("it went on at %q, to %q", g.calls[1].token, stream.ResumeToken())
		}
	})
}

// TestAStreamEndsWithItsContext: the end of the context ends a stream while it waits and while it reads, with the context's own error.
func TestAStreamEndsWithItsContext(t *testing.T) {
	t.Parallel()
	for name, bring := range map[string]connection{"waiting": {err: errGone}, "reading": {frames: []*frame{batch("a")}}} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer cancel()
			g := &gateway{connections: []connection{bring}}
			_, err := read(ctx, parleyclient.Events(g, &parleyv1.StreamEventsRequest{}, parleyclient.Options{}))
			if !errors.Is(err, context.DeadlineExceeded) || len(g.calls) != 1 {
				t.Errorf("%s: %v after %d calls", name, err, len(g.calls))
			}
		})
	}
}

// TestAProgramThatStopsEndsTheCall: a program that stops ends the call.
func TestAProgramThatStopsEndsTheCall(t *testing.T) {
	t.Parallel()
	g := &gateway{connections: []connection{{frames: []*frame{batch("a", "b"), summary("t")}}}}
	stream := parleyclient.Events(g, &parleyv1.StreamEventsRequest{}, parleyclient.Options{})
	for event, err := range stream.All(t.Context()) {
		if event.GetUid() != "a" || err != nil {
			t.Error(event, err)
		}
		break
	}
	if g.calls[0].ctx.Err() == nil || stream.Summary() != nil {
		t.Errorf("the call goes on, or the summary %v was read", stream.Summary())
	}
}

// TestErrorsOfTheProgramEndTheStream: errors of the program's own functions end the stream, as they are and at once.
func TestErrorsOfTheProgramEndTheStream(t *testing.T) {
	t.Parallel()
	own := status.Error(codes.Unavailable, "one's own")
	for name, options := range map[string]parleyclient.Options{
		"token":      {Token: func(context.Context, string) (string, error) { return "", own }},
		"checkpoint": {OnCheckpoint: func(context.Context, *parleyv1.Checkpoint) error { return own }},
	} {
		g := &gateway{connections: []connection{{frames: []*frame{checkpoint("t1"), summary("t2")}}}}
		stream := parleyclient.Events(g, &parleyv1.StreamEventsRequest{}, options)
		if _, err := read(t.Context(), stream); !errors.Is(err, own) || errors.Is(err, parleyclient.ErrCut) || len(g.calls) > 1 {
			t.Errorf("%s: %v after %d calls", name, err, len(g.calls))
		}
	}
}

// TestTheProviderLearnsOfARefusedToken: the provider is told which token was refused, and only then.
func TestTheProviderLearnsOfARefusedToken(t *testing.T) {
	t.Parallel()
	unauthenticated := refusal(codes.Unauthenticated, "CALLER_UNAUTHENTICATED", -1)
	g := &gateway{connections: []connection{
		{err: unauthenticated},
		{frames: []*frame{batch("a")}, err: refusal(codes.Unavailable, "STREAM_ENDED", 0)},
		{err: unauthenticated},
		{err: unauthenticated},
	}}
	var refused []string
	given := 0
	_, err := read(t.Context(), parleyclient.Events(g, &parleyv1.StreamEventsRequest{}, parleyclient.Options{
		Token: func(_ context.Context, last string) (string, error) {
			refused = append(refused, last)
			given++
			return strings.Repeat("x", given), nil
		},
	}))
	if want := []string{"", "x", "", "xxx"}; status.Code(err) != codes.Unauthenticated || !slices.Equal(refused, want) {
		t.Errorf("%v; refused tokens %q, want %q", err, refused, want)
	}
	for i, call := range g.calls {
		header, _ := metadata.FromOutgoingContext(call.ctx)
		if got, want := header.Get("authorization"), []string{"Bearer " + strings.Repeat("x", i+1)}; !slices.Equal(got, want) {
			t.Errorf("call %d carries %q", i+1, got)
		}
	}
}

// TestRequestIsCopied: the caller's request stays as it is.
func TestRequestIsCopied(t *testing.T) {
	t.Parallel()
	g := &gateway{connections: []connection{{frames: []*frame{checkpoint("t2")}, err: io.EOF}, {frames: []*frame{summary("t3")}}}}
	request := &parleyv1.StreamEventsRequest{ResumeToken: "t1"}
	stream := parleyclient.Events(g, request, parleyclient.Options{Backoff: 1})
	if _, err := read(t.Context(), stream); err != nil {
		t.Fatal(err)
	}
	if request.GetResumeToken() != "t1" || g.calls[0].token != "t1" || g.calls[1].token != "t2" {
		t.Errorf("the request has %q, the calls had %q and %q", request.GetResumeToken(), g.calls[0].token, g.calls[1].token)
	}
	if uids, err := read(t.Context(), stream); uids != "" || err != nil || len(g.calls) != 2 {
		t.Errorf("a stream that was read gives %q, %v after %d calls", uids, err, len(g.calls))
	}
}

// conversations brings the same conversation on two connections.
type conversations struct {
	parleyv1.ConversationServiceClient

	tokens []string
}

// listed is a stream of the frames in a list.
type listed[F any] struct {
	grpc.ClientStream

	left []*F
}

// Recv implements grpc.ServerStreamingClient.
func (l *listed[F]) Recv() (*F, error) {
	if len(l.left) == 0 {
		return nil, io.EOF
	}
	next := l.left[0]
	l.left = l.left[1:]
	return next, nil
}

// StreamConversations implements parleyv1.ConversationServiceClient.
func (c *conversations) StreamConversations(_ context.Context, request *parleyv1.StreamConversationsRequest, _ ...grpc.CallOption,
) (grpc.ServerStreamingClient[parleyv1.StreamConversationsResponse], error) {
	c.tokens = append(c.tokens, request.GetResumeToken())
	left := []*parleyv1.StreamConversationsResponse{
		{Frame: &parleyv1.StreamConversationsResponse_Checkpoint{Checkpoint: &parleyv1.Checkpoint{ResumeToken: "t1"}}},
		{Frame: &parleyv1.StreamConversationsResponse_Batch{Batch: &parleyv1.ConversationBatch{Conversations: []*parleyv1.Conversation{{Name: "c"}}}}},
	}
	if len(c.tokens) > 1 {
		left = append(left, &parleyv1.StreamConversationsResponse{Frame: &parleyv1.StreamConversationsResponse_Summary{Summary: &parleyv1.Summary{}}})
	}
	return &listed[parleyv1.StreamConversationsResponse]{left: left}, nil
}

// TestConversationsGoOnAfterACut: conversations go on, too, and none is dropped.
func TestConversationsGoOnAfterACut(t *testing.T) {
	t.Parallel()
	c := &conversations{}
	stream := parleyclient.Conversations(c, &parleyv1.StreamConversationsRequest{}, parleyclient.Options{Backoff: 1})
	count := 0
	for conversation, err := range stream.All(t.Context()) {
		if err != nil || conversation.GetName() != "c" {
			t.Fatal(conversation, err)
		}
		count++
	}
	if count != 2 || !slices.Equal(c.tokens, []string{"", "t1"}) || stream.Summary().GetComplete() {
		t.Errorf("%d conversations, tokens %q, summary %v", count, c.tokens, stream.Summary())
	}
}
