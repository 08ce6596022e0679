package parleyclient_test

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"

	parleyclient "github.com/parley-gateway/parley/clients/go"
	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
)

type tenantFrame = parleyv1.StreamTenantEventsResponse

// tenantGateway brings one connection after the other.
type tenantGateway struct {
	parleyv1.EventServiceClient

	connections []tenantConnection
	tokens      []string
}

type tenantConnection struct {
	frames []*tenantFrame
	err    error
}

// StreamTenantEvents implements parleyv1.EventServiceClient.
func (g *tenantGateway) StreamTenantEvents(_ context.Context, request *parleyv1.StreamTenantEventsRequest, _ ...grpc.CallOption,
) (grpc.ServerStreamingClient[tenantFrame], error) {
	g.tokens = append(g.tokens, request.GetResumeToken())
	next := g.connections[len(g.tokens)-1]
	return &tenantReceived{left: next}, nil
}

type tenantReceived struct {
	grpc.ClientStream

	left tenantConnection
}

// Recv implements grpc.ServerStreamingClient.
func (r *tenantReceived) Recv() (*tenantFrame, error) {
	if len(r.left.frames) == 0 {
		return nil, r.left.err
	}
	next := r.left.frames[0]
	r.left.frames = r.left.frames[1:]
	return next, nil
}

func eventsOf(owner string, uids ...string) *tenantFrame {
	events := &parleyv1.EventBatch{}
	for _, uid := range uids {
		events.Events = append(events.Events, &parleyv1.Event{Owner: "users/" + owner, Uid: uid})
	}
	return &tenantFrame{Frame: &parleyv1.StreamTenantEventsResponse_Batch{Batch: events}}
}

func endOf(user string, state parleyv1.UserState) *tenantFrame {
	return &tenantFrame{Frame: &parleyv1.StreamTenantEventsResponse_User{User: &parleyv1.UserSummary{User: "users/" + user, State: state}}}
}

func tenantPlace(token string) *tenantFrame {
	return &tenantFrame{Frame: &parleyv1.StreamTenantEventsResponse_Checkpoint{Checkpoint: &parleyv1.TenantCheckpoint{ResumeToken: token}}}
}

// twoConnections are a night that a planned end cuts, which leaves one user unread.
func twoConnections() []tenantConnection {
	return []tenantConnection{
		{frames: []*tenantFrame{
			{Frame: &parleyv1.StreamTenantEventsResponse_Notice{Notice: &parleyv1.Notice{Code: "END_CUT_TO_NOW"}}},
			eventsOf("a", "1", "2"), endOf("a", parleyv1.UserState_USER_STATE_READ), tenantPlace("place 1"),
		}, err: refusal(codes.Unavailable, "STREAM_ENDED", 0)},
		{frames: []*tenantFrame{
			eventsOf("b", "2"), endOf("b", parleyv1.UserState_USER_STATE_INCOMPLETE), tenantPlace("place 2"),
			{Frame: &parleyv1.StreamTenantEventsResponse_Summary{Summary: &parleyv1.TenantSummary{
				Outcome: parleyv1.TenantOutcome_TENANT_OUTCOME_INCOMPLETE, IncompleteUsers: []string{"users/b"}, ResumeToken: "end",
			}}},
		}},
	}
}

// A program reads what happened in the tenant, and asks once more for the users who could not be read.
func ExampleTenantEvents() {
	client := &tenantGateway{connections: twoConnections()} // in a program: parleyv1.NewEventServiceClient(conn)
	stream := parleyclient.TenantEvents(client, &parleyv1.StreamTenantEventsRequest{}, parleyclient.Options{})
	for frame, err := range stream.All(context.Background()) {
		if err != nil {
			fmt.Println(err)
			return
		}
		for _, event := range frame.GetBatch().GetEvents() {
			fmt.Println("store", event.GetOwner(), event.GetUid())
		}
		if user := frame.GetUser(); user != nil {
			fmt.Println(user.GetUser(), user.GetState())
		}
	}
	fmt.Println(stream.Outcome().GetOutcome(), "- ask again for", stream.Outcome().GetIncompleteUsers())
	// Output:
	// store users/a 1
	// store users/a 2
	// users/a USER_STATE_READ
	// store users/b 2
	// users/b USER_STATE_INCOMPLETE
	// TENANT_OUTCOME_INCOMPLETE - ask again for [users/b]
}

// TestTenantEventsGoOnAfterAPlannedEnd goes on behind a planned end, tells of notices and checkpoints, and leaves the request as it is.
func TestTenantEventsGoOnAfterAPlannedEnd(t *testing.T) {
	t.Parallel()
	g := &tenantGateway{connections: twoConnections()}
	var places, notices []string
	request := &parleyv1.StreamTenantEventsRequest{ResumeToken: "begin"}
	stream := parleyclient.TenantEvents(g, request, parleyclient.Options{
		OnNotice: func(notice *parleyv1.Notice) { notices = append(notices, notice.GetCode()) },
		OnCheckpoint: func(_ context.Context, c *parleyv1.Checkpoint) error {
			places = append(places, c.GetResumeToken())
			return nil
		},
	})
	frames := 0
	for _, err := range stream.All(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if frames++; stream.Outcome() != nil {
			t.Error("the outcome is known before the end")
		}
	}
	if frames != 4 || !slices.Equal(g.tokens, []string{"begin", "place 1"}) || !slices.Equal(places, []string{"place 1", "place 2"}) ||
		!slices.Equal(notices, []string{"END_CUT_TO_NOW"}) || request.GetResumeToken() != "begin" {
		t.Errorf("%d frames, tokens %q, places %q, notices %q, request %v", frames, g.tokens, places, notices, request)
	}
	if stream.ResumeToken() != "end" || stream.Summary().GetComplete() || len(stream.Outcome().GetIncompleteUsers()) != 1 {
		t.Errorf("token %q, outcome %v", stream.ResumeToken(), stream.Outcome())
	}
	again := parleyclient.TenantEvents(&tenantGateway{connections: []tenantConnection{{err: refusal(codes.Aborted, "ALREADY_RUNNING", -1)}}},
		request, parleyclient.Options{})
	for _, err := range again.All(t.Context()) {
		if parleyclient.ErrorInfo(err).GetReason() != "ALREADY_RUNNING" {
			t.Errorf("%v", err)
		}
	}
	if again.Outcome() != nil || again.ResumeToken() != "begin" {
		t.Errorf("token %q, outcome %v", again.ResumeToken(), again.Outcome())
	}
}
