package source_test

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/graphclient"
	"github.com/parley-gateway/parley/graphclient/graph"
	"github.com/parley-gateway/parley/source"
)

// recorder is a Graph that has nothing and remembers what it was asked.
type recorder struct{ asked []graph.Request }

var _ source.Graph = (*recorder)(nil)

func (r *recorder) Page(_ context.Context, request graph.Request) (*graphclient.Page, error) {
	r.asked = append(r.asked, request)
	return &graphclient.Page{}, nil
}

func (r *recorder) Object(_ context.Context, request graph.Request) (*graphclient.Object, error) {
	r.asked = append(r.asked, request)
	return &graphclient.Object{Body: []byte(`{"id":"x"}`)}, nil
}

func (r *recorder) Download(_ context.Context, request graph.Request) (*graphclient.Download, error) {
	r.asked = append(r.asked, request)
	return nil, &graph.Error{Kind: graph.KindThrottled}
}

// TestRequestsCountInTheBudgetsOfTheirAPI holds which budgets a request is counted in: its API, user and resource, and its priority.
func TestRequestsCountInTheBudgetsOfTheirAPI(t *testing.T) {
	t.Parallel()
	type label struct {
		API, User, Resource string
		Priority            graph.Priority
	}
	q := source.EventQuery{Owner: userID, User: userID, Start: start, End: end}
	own := q
	own.Conversation = chatID
	for _, tc := range []struct {
		name string
		ask  func(ctx context.Context, g source.Graph)
		want []label
	}{
		{"copilot", func(ctx context.Context, g source.Graph) {
			_, _ = source.NewCopilot(g, source.Options{}).Events(ctx, q, "")
		}, []label{{API: "copilot", User: userID}}},
		{"chat", func(ctx context.Context, g source.Graph) {
			_, _ = source.NewChat(g, source.Options{}).Events(ctx, q, "")
		}, []label{{API: "chat", User: userID}}},
		{"own messages", func(ctx context.Context, g source.Graph) {
			_, _ = source.NewChat(g, source.Options{}).Events(ctx, own, "")
		}, []label{{API: "chat", User: userID, Resource: chatID}}},
		{"message", func(ctx context.Context, g source.Graph) {
			_, _ = source.NewChat(g, source.Options{}).Event(ctx, userID, userID, source.Ref{Chat: chatID, ID: "1"})
		}, []label{{API: "conversations", User: userID, Resource: chatID}}},
		{"calls", func(ctx context.Context, g source.Graph) {
			_, _ = source.NewCall(g, source.Options{}).Events(ctx, q, "")
		}, []label{{API: "call", User: userID}}},
		{"call", func(ctx context.Context, g source.Graph) {
			_, _ = source.NewCall(g, source.Options{}).Event(ctx, "-", "", source.Ref{Source: parleyv1.Source_SOURCE_CALL, ID: "c"})
		}, []label{{API: "call", Resource: "c"}, {API: "call", Resource: "c"}, {API: "call", Resource: "c"}}},
		{"chats", func(ctx context.Context, g source.Graph) {
			_, _ = source.NewConversations(g, source.Options{}).Conversations(ctx, source.ConversationQuery{User: userID}, "")
		}, []label{{API: "conversations", User: userID}}},
		{"a chat", func(ctx context.Context, g source.Graph) {
			_, _ = source.NewConversations(g, source.Options{}).Conversation(ctx, userID, userID, chatID)
		}, []label{{API: "conversations", User: userID, Resource: chatID}, {API: "conversations", User: userID, Resource: chatID}}},
		{"usage", func(ctx context.Context, g source.Graph) {
			_, _ = source.NewUsage(g, source.Options{}).Usage(ctx, source.UsageQuery{Period: "D7"}, "")
		}, []label{{API: "usage"}}},
		{"users", func(ctx context.Context, g source.Graph) {
			_, _ = source.NewUsers(g, source.Options{}).Users(ctx, source.UserQuery{}, "")
		}, []label{{API: "users"}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			for _, priority := range []source.Priority{source.Interactive, source.Background} {
				g := &recorder{}
				tc.ask(source.WithPriority(t.Context(), priority), g)
				got := make([]label, 0, len(g.asked))
				for _, r := range g.asked {
					got = append(got, label{r.API, r.User, r.Resource, r.Priority})
				}
				want := append([]label(nil), tc.want...)
				for i := range want {
					want[i].Priority = graph.Priority(priority)
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("priority %d (-want +got):\n%s", priority, diff)
				}
			}
		})
	}
}
