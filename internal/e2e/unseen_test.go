package e2e_test

import (
	"net/http"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/testing/protocmp"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/graphsim"
)

// TestNobodyLearnsWhoElseRead: an officer reads a user's chats, calls and messages; the user then asks for the same and cannot
// tell from any header, count or refusal, over gRPC and REST. The officer can. The kinds are headers, counts, and what
// only-if-cached finds, of lists, gets and streams.
func TestNobodyLearnsWhoElseRead(t *testing.T) {
	t.Parallel()
	g := guardedOwners(t, graphsim.Config{Users: 8, Chats: 20, Messages: 300, Interactions: 20, Calls: 20, Days: 10})
	users := slices.Collect(g.sim.Oracle("").Users())
	user := users[1]
	chats := slices.Collect(g.sim.Oracle("").Chats(user.ID))
	officer := g.token(t, graphsim.CallerToken{User: users[2].ID, Roles: []string{"Conversations.Read.All"}})
	own := g.token(t, graphsim.CallerToken{User: user.ID})
	base := "/v1/users/" + user.ID
	ended := "&endTime=" + day(4)
	paths := []string{
		base + "/events?sources=SOURCE_CHAT&startTime=" + day(8) + ended, base + "/events?sources=SOURCE_CALL&startTime=" + day(8) + ended,
		base + "/conversations", base + "/conversations/" + chats[0], base + "/conversations/" + chats[0] + "/events?endTime=" + day(4), // an open end is another window each minute
	}
	headers := func(token, path string, pairs ...string) (code int, reason, cacheStatus, age, body string) {
		code, reason, body, told := g.askAll(t, token, path, pairs...)
		return code, reason, told.Get("Cache-Status"), told.Get("Age"), body
	}
	for _, path := range paths {
		for range 2 {
			if code, reason, held, age, body := headers(officer, path); code != http.StatusOK || held == "" || age == "" {
				t.Errorf("officer: %s: %d %s, %q %q %.200s", path, code, reason, held, age, body)
			}
		}
		if code, reason, _, _, _ := headers(officer, path, "Cache-Control", "only-if-cached"); code != http.StatusOK {
			t.Errorf("officer, only-if-cached: %s: %d %s", path, code, reason)
		}
		for range 2 { // the second time after one's own reading
			code, reason, held, age, body := headers(own, path)
			if code != http.StatusOK || held != "" || age != "" {
				t.Errorf("own: %s: %d %s, %q %q", path, code, reason, held, age)
			}
			var counted struct {
				sources []*parleyv1.SourceReport
			}
			var page parleyv1.ListEventsResponse
			if protojson.Unmarshal([]byte(body), &page) == nil {
				counted.sources = page.GetSources()
			}
			var chats parleyv1.ListConversationsResponse
			if protojson.Unmarshal([]byte(body), &chats) == nil {
				counted.sources = append(counted.sources, chats.GetSources()...)
			}
			for _, s := range counted.sources {
				if n := s.GetCounts(); n.GetFromCache() != 0 || n.GetGraphRequests() != 0 || n.GetPages() != 0 {
					t.Errorf("own: %s: counts %v", path, n)
				}
			}
			if code, reason, _, _, _ := headers(own, path, "Cache-Control", "only-if-cached"); code != http.StatusGatewayTimeout || reason != "NOT_CACHED" {
				t.Errorf("own, only-if-cached: %s: %d %s", path, code, reason)
			}
		}
	}
	// Whoever reads first is answered as whoever reads what the cache holds.
	first := g.token(t, graphsim.CallerToken{User: users[3].ID})
	var answers [2]parleyv1.ListEventsResponse
	for i := range answers {
		_, _, _, _, body := headers(first, "/v1/users/me/events?sources=SOURCE_CHAT&sources=SOURCE_CALL&startTime="+day(8)+ended)
		if err := protojson.Unmarshal([]byte(body), &answers[i]); err != nil {
			t.Fatal(err)
		}
		answers[i].NextPageToken = "" // sealed anew each time
	}
	if diff := cmp.Diff(&answers[0], &answers[1], protocmp.Transform()); diff != "" {
		t.Errorf("the second answer (-first +second):\n%s", diff)
	}
	ctx := metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer "+own)
	var told metadata.MD
	if _, err := g.dial(t).ListEvents(ctx, &parleyv1.ListEventsRequest{Parent: "users/" + user.ID, Sources: []parleyv1.Source{parleyv1.Source_SOURCE_CHAT}}, grpc.Header(&told)); err != nil || len(told.Get("cache-status"))+len(told.Get("age")) > 0 {
		t.Errorf("gRPC: %v %v", told, err)
	}
	only := metadata.AppendToOutgoingContext(ctx, "cache-control", "only-if-cached")
	_, err := g.conversations(t).GetConversation(only, &parleyv1.GetConversationRequest{Name: "users/me/conversations/" + chats[0]})
	if status.Code(err) != codes.FailedPrecondition {
		t.Errorf("gRPC, only-if-cached: %v", err)
	}
	stream, err := g.dial(t).StreamEvents(only, &parleyv1.StreamEventsRequest{Parent: "users/me"})
	if err == nil {
		_, err = stream.Recv()
	}
	if status.Code(err) != codes.FailedPrecondition {
		t.Errorf("gRPC stream, only-if-cached: %v", err)
	}
	if _, summary := g.streamed(t, own, base+"/events:stream?sources=SOURCE_CHAT&startTime="+day(8)+ended); len(summary.GetSources()) != 1 || summary.GetSources()[0].GetCounts().GetFromCache() != 0 ||
		summary.GetSources()[0].GetCounts().GetPages() != 0 || !summary.GetComplete() {
		t.Errorf("stream: %v", summary)
	}
}
