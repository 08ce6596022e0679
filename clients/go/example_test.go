package parleyclient_test

import (
	"context"
	"fmt"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"

	parleyclient "github.com/parley-gateway/parley/clients/go"
	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
)

// A program reads a user's events and keeps its place, at which it would go on when it is started again. The stream comes to a
// planned end on its way, of which the program sees nothing.
func ExampleEvents() {
	// In a program: parleyv1.NewEventServiceClient(conn), with a connection over TLS.
	client := &gateway{connections: []connection{
		{frames: []*frame{batch("first"), checkpoint("place 1"), batch("second")}, err: refusal(codes.Unavailable, "STREAM_ENDED", 0)},
		{frames: []*frame{batch("second", "third"), checkpoint("place 2"), summary("place 3")}},
	}}
	place := "" // from where the last run left it
	keep := func(token string) error {
		place = token
		return nil
	}
	stream := parleyclient.Events(client, &parleyv1.StreamEventsRequest{Parent: "users/me", ResumeToken: place}, parleyclient.Options{
		Token:    func(_ context.Context, _ string) (string, error) { return "an access token", nil },
		OnNotice: func(notice *parleyv1.Notice) { fmt.Println("notice:", notice.GetCode()) },
		// Every event before the checkpoint is stored: the next run need not read it.
		OnCheckpoint: func(_ context.Context, c *parleyv1.Checkpoint) error { return keep(c.GetResumeToken()) },
	})
	for event, err := range stream.All(context.Background()) {
		if err != nil {
			fmt.Println(parleyclient.ErrorInfo(err).GetReason(), err)
			return
		}
		fmt.Println("store", event.GetUid()) // an upsert
	}
	if err := keep(stream.ResumeToken()); err != nil {
		fmt.Println(err)
	}
	for _, report := range stream.Summary().GetSources() {
		for _, gap := range report.GetGaps() {
			fmt.Println("gap:", report.GetSource(), gap.GetReason(), gap.GetInterval())
		}
	}
	fmt.Println("complete:", stream.Summary().GetComplete(), "- the next run begins at", place)
	// Output:
	// store first
	// store second
	// store third
	// complete: true - the next run begins at place 3
}

// The stream of another method: the rows of the Copilot usage report.
func ExampleNew() {
	var client parleyv1.CopilotUsageServiceClient = usage{}
	stream := parleyclient.New(parleyclient.Method[*parleyv1.StreamCopilotUsageResponse, *parleyv1.CopilotUsageRow]{
		Open: func(ctx context.Context, resumeToken string) (parleyclient.Receiver[*parleyv1.StreamCopilotUsageResponse], error) {
			return client.StreamCopilotUsage(ctx, &parleyv1.StreamCopilotUsageRequest{ResumeToken: resumeToken})
		},
		Items: func(frame *parleyv1.StreamCopilotUsageResponse) []*parleyv1.CopilotUsageRow {
			return frame.GetBatch().GetRows()
		},
	}, "", parleyclient.Options{})
	for row, err := range stream.All(context.Background()) {
		fmt.Println(row.GetUserPrincipalName(), err)
	}
	// Output: someone@example.com <nil>
}

// usage is a report of one row.
type usage struct {
	parleyv1.CopilotUsageServiceClient
}

// StreamCopilotUsage implements parleyv1.CopilotUsageServiceClient.
func (usage) StreamCopilotUsage(context.Context, *parleyv1.StreamCopilotUsageRequest, ...grpc.CallOption,
) (grpc.ServerStreamingClient[parleyv1.StreamCopilotUsageResponse], error) {
	return &listed[parleyv1.StreamCopilotUsageResponse]{left: []*parleyv1.StreamCopilotUsageResponse{
		{Frame: &parleyv1.StreamCopilotUsageResponse_Batch{Batch: &parleyv1.CopilotUsageBatch{Rows: []*parleyv1.CopilotUsageRow{{UserPrincipalName: "someone@example.com"}}}}},
		{Frame: &parleyv1.StreamCopilotUsageResponse_Summary{Summary: &parleyv1.Summary{Complete: true}}},
	}}, nil
}
