package export

import (
	"context"
	"errors"
	"maps"
	"slices"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"

	parleyclient "github.com/parley-gateway/parley/clients/go"
	"github.com/parley-gateway/parley/export/internal/dataset"
	"github.com/parley-gateway/parley/export/internal/journal"
	"github.com/parley-gateway/parley/export/internal/store"
)

// lastSummaries are the last summaries of users by their ids, without reports. They are read once for all datasets, when all users are read.
func (e *Exporter) lastSummaries() (map[string]*parleyv1.UserSummary, error) {
	if e.last != nil {
		return e.last, nil
	}
	last := map[string]*parleyv1.UserSummary{}
	for user, err := range e.journal.UserSummaries() {
		if err != nil {
			return nil, err
		}
		last[dataset.UserID(user.GetUser())] = &parleyv1.UserSummary{State: user.GetState(), Complete: user.GetComplete(), Reason: user.GetReason()}
	}
	e.last = last
	return last, nil
}

// writeUsers writes the users whom the run read, with what the directory says about them.
func (e *Exporter) writeUsers(ctx context.Context) error {
	last, err := e.lastSummaries()
	if err != nil {
		return err
	}
	rows := newWriter[dataset.User](e, dataset.Users)
	defer rows.Abandon()
	listed := map[string]struct{}{}
	write := func(row dataset.User, summary *parleyv1.UserSummary) error {
		row.State, row.Complete, row.Reason = summary.GetState().String(), summary.GetComplete(), summary.GetReason()
		return rows.Write(ctx, row, rowBytes)
	}
	err = e.eachUser(ctx, func(user *parleyv1.User) error {
		summary := last[user.GetId()]
		if summary == nil {
			return nil
		}
		listed[user.GetId()] = struct{}{}
		return write(dataset.UserRow(user, e.name), summary)
	})
	if isRefusal(err) {
		e.addNotice("DIRECTORY_REFUSED", "the gateway does not list users to this caller: the rows of users have no names")
		err = nil
	}
	if err != nil {
		return err
	}
	for _, id := range slices.Sorted(maps.Keys(last)) {
		if _, done := listed[id]; done {
			continue
		}
		if err := write(dataset.User{UserID: id, Run: e.name}, last[id]); err != nil {
			return err
		}
	}
	return rows.Close(ctx)
}

// eachUser calls take with each user of the directory.
func (e *Exporter) eachUser(ctx context.Context, take func(*parleyv1.User) error) error {
	request := &parleyv1.ListUsersRequest{PageSize: 1000}
	for {
		page, err := retry(ctx, e, func(ctx context.Context) (*parleyv1.ListUsersResponse, error) {
			return e.clients.users.ListUsers(ctx, request)
		})
		if err != nil {
			return err
		}
		for _, user := range page.GetUsers() {
			if err := take(user); err != nil {
				return err
			}
		}
		if request.PageToken = page.GetNextPageToken(); request.GetPageToken() == "" {
			if !page.GetComplete() {
				e.addNotice("DIRECTORY_INCOMPLETE", "the list of users is not whole: some rows of users have no names")
			}
			return nil
		}
	}
}

// retry reads one answer as a stream of one frame, so that the client helper's rules for failures hold for it, too.
func retry[M any](ctx context.Context, e *Exporter, call func(context.Context) (M, error)) (answer M, err error) {
	stream := parleyclient.New(parleyclient.Method[singleFrame, M]{
		Open: func(ctx context.Context, _ string) (parleyclient.Receiver[singleFrame], error) {
			next, err := call(ctx)
			if err != nil {
				e.progress.setFailed(err)
				return nil, err
			}
			e.progress.setWaiting("")
			answer = next
			return singleFrame{}, nil
		},
		Items: func(singleFrame) []M { return nil },
	}, "", e.callOptions())
	for _, failure := range stream.All(ctx) {
		err = failure
	}
	return answer, err
}

// singleFrame is a stream of one frame, a summary.
type singleFrame struct{}

// Recv returns the frame.
func (f singleFrame) Recv() (singleFrame, error) { return f, nil }

// GetNotice returns none.
func (singleFrame) GetNotice() *parleyv1.Notice { return nil }

// GetCheckpoint returns none.
func (singleFrame) GetCheckpoint() *parleyv1.Checkpoint { return nil }

// GetSummary ends the stream.
func (singleFrame) GetSummary() *parleyv1.Summary { return &parleyv1.Summary{} }

// mostFailed is how many lists of conversations in a row may fail before Graph is taken to give nobody's.
const mostFailed = 3

// writeConversations writes the chats of every user who was read, one user after the other. Lists that are refused or not whole are notices;
// after mostFailed lists in a row that failed, the error of the next one is returned.
func (e *Exporter) writeConversations(ctx context.Context) error {
	last, err := e.lastSummaries()
	if err != nil {
		return err
	}
	rows := newWriter[dataset.Conversation](e, dataset.Conversations)
	defer rows.Abandon()
	refused, partial := 0, 0 // lists of users
	failed := 0              // lists in a row
	for _, id := range slices.Sorted(maps.Keys(last)) {
		whole, err := e.writeChats(ctx, rows, id)
		if !ofOneUser(err) {
			failed = 0
		} else if failed++; failed <= mostFailed {
			partial++ // so far it may be about these users alone
			continue
		}
		switch {
		case isRefusal(err):
			refused++
		case err != nil:
			return err
		case !whole:
			partial++
		}
	}
	if partial > 0 {
		e.addNotice("CONVERSATIONS_INCOMPLETE", "the lists of conversations of some users are not whole")
	}
	if refused > 0 {
		e.addNotice("CONVERSATIONS_REFUSED", "the conversations of some users are refused")
	}
	return rows.Close(ctx)
}

// writeChats writes the chats of a user, each once, and reports whether the list is whole.
func (e *Exporter) writeChats(ctx context.Context, rows *dataset.Writer[dataset.Conversation], id string) (whole bool, err error) {
	seen := map[string]struct{}{}
	request := &parleyv1.StreamConversationsRequest{Parent: "users/" + id, View: e.options.View}
	stream := parleyclient.Conversations(e.clients.conversations, request, e.callOptions())
	for conversation, err := range stream.All(ctx) {
		if err != nil {
			return false, err
		}
		if _, again := seen[conversation.GetName()]; again {
			continue
		}
		seen[conversation.GetName()] = struct{}{}
		if err := rows.Write(ctx, dataset.ConversationRow(conversation, e.name), dataset.RowSize(proto.Size(conversation))); err != nil {
			return false, err
		}
	}
	return stream.Summary().GetComplete(), nil
}

// writeUsage writes Graph's report of the last seven days. It has all users of the tenant, so the first shard alone writes it.
func (e *Exporter) writeUsage(ctx context.Context) error {
	if e.options.Shard != 0 {
		return nil
	}
	rows := newWriter[dataset.UserUsage](e, dataset.Usage)
	defer rows.Abandon()
	seen := map[string]struct{}{}
	request := &parleyv1.StreamCopilotUsageRequest{Period: "D7"}
	stream := parleyclient.New(parleyclient.Method[*parleyv1.StreamCopilotUsageResponse, *parleyv1.CopilotUsageRow]{
		Open: func(ctx context.Context, token string) (parleyclient.Receiver[*parleyv1.StreamCopilotUsageResponse], error) {
			request.ResumeToken = token
			return e.clients.usage.StreamCopilotUsage(ctx, request)
		},
		Items: func(f *parleyv1.StreamCopilotUsageResponse) []*parleyv1.CopilotUsageRow {
			return f.GetBatch().GetRows()
		},
	}, "", e.callOptions())
	for row, err := range stream.All(ctx) {
		if isRefusal(err) {
			e.addNotice("USAGE_REFUSED", "the gateway does not give usage reports to this caller")
			break
		}
		if err != nil {
			return err
		}
		if _, again := seen[row.GetUserPrincipalName()]; again {
			continue
		}
		seen[row.GetUserPrincipalName()] = struct{}{}
		if err := rows.Write(ctx, dataset.UsageRow(row, e.name), dataset.RowSize(proto.Size(row))); err != nil {
			return err
		}
	}
	if end := stream.Summary(); end != nil && !end.GetComplete() {
		e.addNotice("USAGE_INCOMPLETE", "the usage report is not whole")
	}
	return rows.Close(ctx)
}

// callOptions are the options of all calls but the stream over the tenant, without its functions.
func (e *Exporter) callOptions() parleyclient.Options {
	options := e.options.Stream
	options.OnCheckpoint, options.OnNotice = nil, nil
	return options
}

// addNotice adds a notice to the manifest, once.
func (e *Exporter) addNotice(code, message string) {
	state := &e.journal.State
	notice := journal.Notice{Code: code, Message: message}
	if !slices.Contains(state.Notices, notice) {
		state.Notices = append(state.Notices, notice)
	}
}

// ofOneUser reports whether an error may be about the list of one user alone, which Graph does not give after all repetitions.
func ofOneUser(err error) bool {
	switch parleyclient.ErrorInfo(err).GetReason() {
	case "GRAPH_UNAVAILABLE", "GRAPH_LINK_NOT_FOUND", "GRAPH_LINK_REFUSED", "GRAPH_REJECTED_REQUEST", "SOURCE_FAILED":
		return true
	default:
		return false
	}
}

// isRefusal reports whether an error is a refusal that lasts.
func isRefusal(err error) bool {
	if _, ok := errors.AsType[*store.Error](err); ok {
		return false
	}
	switch status.Code(err) {
	case codes.PermissionDenied, codes.NotFound, codes.FailedPrecondition, codes.Unimplemented:
		return true
	default:
		return false
	}
}
