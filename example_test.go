package parley_test

import (
	"context"
	"errors"
	"fmt"
	"os"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/parley-gateway/parley"
	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/graphsim"
)

// listEvents starts a gateway over a Microsoft Graph at an address, lists three messages of a user with the generated client, and stops
// the gateway.
func listEvents(ctx context.Context, graph, user string) (events []*parleyv1.Event, err error) {
	gateway, err := parley.New(parley.Config{
		Tenants:   map[string]parley.Tenant{"contoso": {BaseURL: graph, Credential: "none"}},
		AuditFile: os.DevNull,
	})
	if err != nil {
		return nil, err
	}
	if err := gateway.Start(ctx); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, gateway.Close(ctx)) }()
	conn, err := grpc.NewClient(gateway.Addrs().GRPC, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	answer, err := parleyv1.NewEventServiceClient(conn).ListEvents(ctx, &parleyv1.ListEventsRequest{
		Parent: "users/" + user, Sources: []parleyv1.Source{parleyv1.Source_SOURCE_CHAT}, PageSize: 3,
	})
	return answer.GetEvents(), err
}

// A program embeds a gateway. The simulator stands in for Microsoft Graph here.
func Example() {
	ctx := context.Background()
	graph, err := graphsim.New(graphsim.Config{Plain: true})
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := graph.Start(ctx); err != nil {
		fmt.Println(err)
		return
	}
	events, err := listEvents(ctx, graph.URL(), graph.DemoUser().ID)
	if err := errors.Join(err, graph.Close(ctx)); err != nil {
		fmt.Println(err)
		return
	}
	for _, event := range events {
		fmt.Println(event.GetSource().GetSource())
	}
	// Output:
	// SOURCE_CHAT
	// SOURCE_CHAT
	// SOURCE_CHAT
}
