package export_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"

	"github.com/parley-gateway/parley/export"
	"github.com/parley-gateway/parley/export/internal/dataset"
)

var start = time.Date(2026, 11, 30, 0, 0, 0, 0, time.UTC)

// gateway is a gateway of its own making: a tenant whose frames are the same each time, and failures on request.
type gateway struct {
	parleyv1.UnimplementedEventServiceServer
	parleyv1.UnimplementedUserServiceServer
	parleyv1.UnimplementedConversationServiceServer
	parleyv1.UnimplementedCopilotUsageServiceServer

	users int
	// refused and incomplete say of users how a first reading ends; incomplete ones lack half of their events until they are named.
	refused, incomplete map[int]bool
	// late says that named users have a message in a newer version.
	late bool
	// afterFrame is called after each frame with how many were sent; its error ends the connection.
	afterFrame func(sent int) error
	// overlap is how many frames before its place a resumed stream begins, when they are batches.
	overlap int
	// chats, by user, is how the stream of the user's conversations ends: "", "cut" once in the middle, "refused", "down", "broken" or "incomplete".
	chats map[int]string
	// usage is the error of the usage report.
	usage error
	// listing is the error of ListUsers.
	listing error
	// notices are those of a stream of all users, when it begins: a resumed stream does not repeat them. One of the directory makes it incomplete.
	notices []*parleyv1.Notice
	// doubtful says that neither the list of users nor the usage report is whole.
	doubtful bool

	mu       sync.Mutex
	sent     int
	requests []*parleyv1.StreamTenantEventsRequest
}

func userID(n int) string { return fmt.Sprintf("00000000-0000-0000-0000-%012d", n) }

// event is the i-th event of a user. Neighbours share their messages.
func event(user, i int, version int64) *parleyv1.Event {
	at := timestamppb.New(start.Add(time.Duration(user*60+i)*time.Second + 123456700))
	e := &parleyv1.Event{
		Owner: "users/" + userID(user), Version: version, EventTime: at, CreateTime: at,
		Source: &parleyv1.EventSource{Source: parleyv1.Source_SOURCE_CHAT, Id: strconv.Itoa(i)},
	}
	switch i % 4 {
	case 0:
		e.Uid, e.Kind = fmt.Sprintf("message-%d-%d", user/2, i), parleyv1.EventKind_EVENT_KIND_MESSAGE
		e.Body = &parleyv1.Body{ContentType: parleyv1.ContentType_CONTENT_TYPE_HTML, Content: "<p>hello</p>", PlainText: "hello", ContentSize: 12}
		e.Detail = &parleyv1.Event_Chat{Chat: &parleyv1.ChatDetail{Reactions: []*parleyv1.Reaction{{ReactionType: "like"}}}}
	case 1:
		e.Uid, e.Kind, e.CorrelationId = fmt.Sprintf("prompt-%d-%d", user, i), parleyv1.EventKind_EVENT_KIND_PROMPT, strconv.Itoa(i/4)
		e.Detail = &parleyv1.Event_Copilot{Copilot: &parleyv1.CopilotDetail{AppClass: "Word", SessionId: "s"}}
	case 2:
		e.Uid, e.Kind, e.CorrelationId = fmt.Sprintf("answer-%d-%d", user, i), parleyv1.EventKind_EVENT_KIND_ANSWER, strconv.Itoa(i/4)
		e.Detail = &parleyv1.Event_Copilot{Copilot: &parleyv1.CopilotDetail{AppClass: "Word", SessionId: "s"}}
	case 3:
		e.Uid, e.Kind = fmt.Sprintf("call-%d-%d", user, i), parleyv1.EventKind_EVENT_KIND_CALL
		e.Detail = &parleyv1.Event_Call{Call: &parleyv1.CallDetail{StartTime: at, Quality: &parleyv1.CallQuality{Participants: []*parleyv1.ParticipantQuality{
			{ParticipantId: "a", Quality: &parleyv1.Quality{WorstPacketLossRate: new(float32(0.25)), WorstJitter: durationpb.New(time.Second / 4)}}, {ParticipantId: "b"},
		}}}}
	}
	e.Name = e.GetOwner() + "/events/" + e.GetUid()
	return e
}

const eventsEach = 12

// frames are all frames of a reading. Two users are read side by side; a user's events come in batches of two.
func (g *gateway) frames(request *parleyv1.StreamTenantEventsRequest) []*parleyv1.StreamTenantEventsResponse {
	var users []int
	for n := range g.users {
		named := request.GetUserIds() == nil || slices.Contains(request.GetUserIds(), userID(n))
		if shard := request.GetShard(); named && (shard == nil || export.ShardOf(userID(n), int(shard.GetCount())) == int(shard.GetIndex())) {
			users = append(users, n)
		}
	}
	var frames []*parleyv1.StreamTenantEventsResponse
	counts := map[parleyv1.UserState]int64{}
	add := func(f *parleyv1.StreamTenantEventsResponse) {
		checkpoint := &parleyv1.TenantCheckpoint{ResumeToken: strconv.Itoa(len(frames) + 2), UsersTotal: int64(len(users))}
		for _, n := range counts {
			checkpoint.UsersFinished += n
		}
		frames = append(frames, f, &parleyv1.StreamTenantEventsResponse{Frame: &parleyv1.StreamTenantEventsResponse_Checkpoint{Checkpoint: checkpoint}})
	}
	for pair := range slices.Chunk(users, 2) {
		for i := 0; i < eventsEach; i += 2 {
			for _, user := range pair {
				if g.missing(user, i, request) {
					continue
				}
				version := int64(1)
				if g.late && request.GetUserIds() != nil && i == 0 {
					version = 2
				}
				add(&parleyv1.StreamTenantEventsResponse{Frame: &parleyv1.StreamTenantEventsResponse_Batch{Batch: &parleyv1.EventBatch{
					Events: []*parleyv1.Event{event(user, i, version), event(user, i+1, 1)},
				}}})
			}
		}
		for _, user := range pair {
			summary := g.summary(user, request)
			counts[summary.GetState()]++
			add(&parleyv1.StreamTenantEventsResponse{Frame: &parleyv1.StreamTenantEventsResponse_User{User: summary}})
		}
	}
	end := &parleyv1.TenantSummary{
		Outcome: parleyv1.TenantOutcome_TENANT_OUTCOME_COMPLETE, ResumeToken: strconv.Itoa(len(frames)),
		UsersIncomplete: counts[parleyv1.UserState_USER_STATE_INCOMPLETE],
		Sources:         []*parleyv1.TenantSourceReport{{Source: parleyv1.Source_SOURCE_CHAT, Counts: &parleyv1.SourceCounts{GraphRequests: 7}, SettledUntil: timestamppb.New(start)}},
	}
	ofDirectory := func(n *parleyv1.Notice) bool { return n.GetSource() == parleyv1.Source_SOURCE_USER }
	if end.GetUsersIncomplete() > 0 || request.GetUserIds() == nil && slices.ContainsFunc(g.notices, ofDirectory) {
		end.Outcome = parleyv1.TenantOutcome_TENANT_OUTCOME_INCOMPLETE
	}
	return append(frames, &parleyv1.StreamTenantEventsResponse{Frame: &parleyv1.StreamTenantEventsResponse_Summary{Summary: end}})
}

func (g *gateway) missing(user, i int, request *parleyv1.StreamTenantEventsRequest) bool {
	return g.refused[user] || g.incomplete[user] && request.GetUserIds() == nil && i >= eventsEach/2
}

func (g *gateway) summary(user int, request *parleyv1.StreamTenantEventsRequest) *parleyv1.UserSummary {
	report := &parleyv1.SourceReport{
		Source: parleyv1.Source_SOURCE_CHAT, State: parleyv1.SourceState_SOURCE_STATE_READ,
		SettledUntil: timestamppb.New(start), Counts: &parleyv1.SourceCounts{Events: eventsEach},
	}
	summary := &parleyv1.UserSummary{User: "users/" + userID(user), State: parleyv1.UserState_USER_STATE_READ, Complete: true, Sources: []*parleyv1.SourceReport{report}}
	switch {
	case g.refused[user]:
		summary.State, summary.Complete, summary.Reason = parleyv1.UserState_USER_STATE_REFUSED, false, "USER_NOT_LICENSED"
		report.State, report.Reason = parleyv1.SourceState_SOURCE_STATE_REFUSED_FOR_USER, "USER_NOT_LICENSED"
	case g.incomplete[user] && request.GetUserIds() == nil:
		summary.State, summary.Complete, summary.Reason = parleyv1.UserState_USER_STATE_INCOMPLETE, false, "GRAPH_UNAVAILABLE"
		report.Gaps = []*parleyv1.Gap{{Reason: "GRAPH_UNAVAILABLE", Interval: &parleyv1.Interval{StartTime: timestamppb.New(start)}}}
	}
	return summary
}

func (g *gateway) StreamTenantEvents(request *parleyv1.StreamTenantEventsRequest, to grpc.ServerStreamingServer[parleyv1.StreamTenantEventsResponse]) error {
	g.mu.Lock()
	g.requests = append(g.requests, request)
	g.mu.Unlock()
	frames, at := g.frames(request), 0
	if request.GetResumeToken() != "" {
		n, err := strconv.Atoi(request.GetResumeToken())
		if err != nil {
			return failure(codes.InvalidArgument, "TOKEN_REFUSED", -1)
		}
		at = n
		for range g.overlap {
			if at >= 2 && frames[at-2].GetBatch() != nil {
				at -= 2
			}
		}
	}
	if request.GetResumeToken() == "" && request.GetUserIds() == nil {
		for _, notice := range g.notices {
			if err := to.Send(&parleyv1.StreamTenantEventsResponse{Frame: &parleyv1.StreamTenantEventsResponse_Notice{Notice: notice}}); err != nil {
				return err
			}
		}
		frames[len(frames)-1].GetSummary().Notices = g.notices
	}
	for _, frame := range frames[at:] {
		if err := to.Send(frame); err != nil {
			return err
		}
		g.mu.Lock()
		g.sent++
		sent := g.sent
		g.mu.Unlock()
		if g.afterFrame != nil {
			if err := g.afterFrame(sent); err != nil {
				return err
			}
		}
	}
	return nil
}

func (g *gateway) ListUsers(context.Context, *parleyv1.ListUsersRequest) (*parleyv1.ListUsersResponse, error) {
	if g.listing != nil {
		return nil, g.listing
	}
	answer := &parleyv1.ListUsersResponse{Complete: !g.doubtful}
	for n := range g.users {
		answer.Users = append(answer.Users, &parleyv1.User{Name: "users/" + userID(n), Id: userID(n), DisplayName: fmt.Sprint("User ", n), Copilot: &parleyv1.CopilotLicence{Licensed: new(n%2 == 0)}})
	}
	return answer, nil
}

// StreamConversations gives each user three chats; the second is shared with the neighbour. A cut stream repeats its first one.
func (g *gateway) StreamConversations(request *parleyv1.StreamConversationsRequest, to grpc.ServerStreamingServer[parleyv1.StreamConversationsResponse]) error {
	id := dataset.UserID(request.GetParent())
	user, err := strconv.Atoi(strings.TrimLeft(id[len(id)-12:], "0") + "0")
	if err != nil {
		return status.Error(codes.InvalidArgument, request.GetParent())
	}
	user /= 10
	g.mu.Lock()
	how := g.chats[user]
	if how == "cut" {
		delete(g.chats, user)
	}
	g.mu.Unlock()
	switch how {
	case "refused":
		return failure(codes.PermissionDenied, "NOT_ALLOWED", -1)
	case "broken":
		return failure(codes.Internal, "SOURCE_FAILED", -1)
	case "down":
		return failure(codes.Unavailable, "GRAPH_UNAVAILABLE", time.Nanosecond)
	}
	for i := range 3 {
		chat := fmt.Sprintf("chat-%d-%d", user, i)
		if i == 1 {
			chat = fmt.Sprintf("chat-shared-%d", user/2)
		}
		err := to.Send(&parleyv1.StreamConversationsResponse{Frame: &parleyv1.StreamConversationsResponse_Batch{Batch: &parleyv1.ConversationBatch{
			Conversations: []*parleyv1.Conversation{{
				Name: request.GetParent() + "/conversations/" + chat, Uid: chat, Kind: parleyv1.ConversationKind_CONVERSATION_KIND_GROUP, ChatId: chat,
				ChatType: parleyv1.ChatType_CHAT_TYPE_GROUP, Topic: "Plans", CreateTime: timestamppb.New(start),
				Members: []*parleyv1.ConversationMember{{DisplayName: "Mara"}},
			}},
		}}})
		if err != nil {
			return err
		}
		if how == "cut" && i == 1 {
			return status.Error(codes.Unavailable, "cut")
		}
	}
	return to.Send(&parleyv1.StreamConversationsResponse{Frame: &parleyv1.StreamConversationsResponse_Summary{
		Summary: &parleyv1.Summary{Complete: how != "incomplete", ResumeToken: "end"},
	}})
}

// StreamCopilotUsage gives a row for each user, one of them twice.
func (g *gateway) StreamCopilotUsage(request *parleyv1.StreamCopilotUsageRequest, to grpc.ServerStreamingServer[parleyv1.StreamCopilotUsageResponse]) error {
	if g.usage != nil {
		return g.usage
	}
	batch := &parleyv1.CopilotUsageBatch{}
	for n := range g.users + 1 {
		user := n % g.users
		batch.Rows = append(batch.Rows, &parleyv1.CopilotUsageRow{
			ReportRefreshDate: "2026-11-28", ReportPeriod: new(int32(7)), UserPrincipalName: fmt.Sprintf("user%d@contoso.example", user),
			User: "users/" + userID(user), LastActivityDate: "2026-11-27", PromptsSubmittedAllApps: new(int64(user)),
		})
	}
	if err := to.Send(&parleyv1.StreamCopilotUsageResponse{Frame: &parleyv1.StreamCopilotUsageResponse_Batch{Batch: batch}}); err != nil {
		return err
	}
	return to.Send(&parleyv1.StreamCopilotUsageResponse{Frame: &parleyv1.StreamCopilotUsageResponse_Summary{Summary: &parleyv1.Summary{Complete: !g.doubtful, ResumeToken: "end"}}})
}

// failure is an error as a gateway has it; a negative delay = without RetryInfo.
func failure(code codes.Code, reason string, delay time.Duration) error {
	st := status.New(code, reason)
	info := &errdetails.ErrorInfo{Reason: reason, Domain: "parley.v1"}
	if delay < 0 {
		st, _ = st.WithDetails(info)
	} else {
		st, _ = st.WithDetails(info, &errdetails.RetryInfo{RetryDelay: durationpb.New(delay)})
	}
	return st.Err()
}

// serve starts the gateway on loopback and returns its address.
func (g *gateway) serve(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	parleyv1.RegisterEventServiceServer(server, g)
	parleyv1.RegisterUserServiceServer(server, g)
	parleyv1.RegisterConversationServiceServer(server, g)
	parleyv1.RegisterCopilotUsageServiceServer(server, g)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := server.Serve(listener); err != nil && !errors.Is(err, grpc.ErrServerStopped) { // it may be stopped before it serves
			t.Error(err)
		}
	}()
	t.Cleanup(func() {
		server.Stop()
		<-ended
	})
	return listener.Addr().String()
}

func dial(t *testing.T, address string) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}
