package service

import (
	"context"
	"io"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/source"
	"github.com/parley-gateway/parley/timeline"
	"github.com/parley-gateway/parley/timeline/derived"
	"github.com/parley-gateway/parley/timeline/query"
)

// EventEngine answers for events; *timeline.Engine is one.
type EventEngine interface {
	// PageEvents returns the page that token goes on with; without a token the first one.
	PageEvents(ctx context.Context, src query.Sources, req query.Events, token string, pageSize int) (*timeline.Page, error)
	// PageAround is PageEvents for a list around an event.
	PageAround(ctx context.Context, src query.Sources, req query.Events, at query.Anchor, token string, pageSize int) (*timeline.Page, error)
	// StreamBatches emits all frames from token on; without a token, from the beginning on. The function take gets the batches of encoded
	// events, emit the other frames. An error of either ends the stream.
	StreamBatches(
		ctx context.Context, src query.Sources, req query.Events, token string,
		take func(*timeline.Batch) error, emit func(*parleyv1.StreamEventsResponse) error,
	) error
}

// TenantEventEngine answers for the events of many users; *timeline.Engine is one.
type TenantEventEngine interface {
	// StreamTenantBatches emits all frames from token on, as EventEngine.StreamBatches does.
	StreamTenantBatches(
		ctx context.Context, src query.Sources, req query.Tenant, token string,
		take func(*timeline.Batch) error, emit func(*timeline.TenantFrame) error,
	) error
}

// ConversationEngine answers for conversations; *timeline.Engine is one.
type ConversationEngine interface {
	// ListConversations returns one page, as EventEngine.PageEvents does.
	ListConversations(ctx context.Context, src query.Sources, req query.Conversations, token string, pageSize int) (*parleyv1.ListConversationsResponse, error)
	// StreamConversations emits all frames from token on.
	StreamConversations(ctx context.Context, src query.Sources, req query.Conversations, token string, emit func(*parleyv1.StreamConversationsResponse) error) error
}

// ConversationFinder reads the events of a conversation, to verify and describe it; *timeline.Engine is one.
type ConversationFinder interface {
	// LastEvent returns the last event of a query for one source; nil = there is none.
	LastEvent(ctx context.Context, src query.Sources, req query.Events) (*parleyv1.Event, *timeline.Reading, error)
	// Describe collects the events of a query's conversation in one source. It reads back from the end. After most events of the user it
	// stops, or after the first one of the conversation if that is later; most = 0 reads on to the beginning.
	Describe(ctx context.Context, src query.Sources, req query.Events, most int, into *derived.Groups) (*timeline.Reading, error)
}

// conversationEngines list conversations, and verify and describe one.
type conversationEngines interface {
	ConversationEngine
	ConversationFinder
}

// UsageRowEngine answers for the Copilot usage report of users; *timeline.Engine is one.
type UsageRowEngine interface {
	// ListCopilotUsage returns one page, as EventEngine.PageEvents does.
	ListCopilotUsage(ctx context.Context, src query.Sources, req query.Usage, token string, pageSize int) (*parleyv1.ListCopilotUsageResponse, error)
	// StreamCopilotUsage emits all frames from token on.
	StreamCopilotUsage(ctx context.Context, src query.Sources, req query.Usage, token string, emit func(*parleyv1.StreamCopilotUsageResponse) error) error
}

// UsageCountEngine answers for the Copilot usage reports of counts; *timeline.Engine is one.
type UsageCountEngine interface {
	// SummarizeCopilotUsage returns the counts of a period.
	SummarizeCopilotUsage(ctx context.Context, src query.Sources, req query.UsageCounts) (*parleyv1.SummarizeCopilotUsageResponse, error)
	// ListCopilotUsageTrends returns one page, as EventEngine.PageEvents does.
	ListCopilotUsageTrends(ctx context.Context, src query.Sources, req query.UsageCounts, token string, pageSize int) (*parleyv1.ListCopilotUsageTrendsResponse, error)
}

// UsageEngine answers for the Copilot usage reports; *timeline.Engine is one.
type UsageEngine interface {
	UsageRowEngine
	UsageCountEngine
}

// TenantEngine answers for what belongs to the whole tenant: the usage reports, the users, and the events of many of them;
// *timeline.Engine is one.
type TenantEngine interface {
	UsageEngine
	TenantEventEngine
	// ListUsers returns one page, as EventEngine.PageEvents does.
	ListUsers(ctx context.Context, src query.Sources, req query.Users, token string, pageSize int) (*parleyv1.ListUsersResponse, error)
}

// Engine answers lists and streams; *timeline.Engine is one.
type Engine interface {
	EventEngine
	conversationEngines
	TenantEngine
}

// ReportDownloader opens the usage reports as CSV; *source.Usage is one.
type ReportDownloader interface {
	// Download returns the report and its media type. The caller closes it.
	Download(ctx context.Context, q source.UsageQuery) (io.ReadCloser, string, error)
}

// ContentReader opens what Teams hosts for messages; *source.HostedContents is one.
type ContentReader interface {
	// HostedContent returns a content of a message, and the media type that Graph gives it. It verifies that the user has a part in
	// the chat. The caller closes the content.
	HostedContent(ctx context.Context, user string, ref source.Ref, id string) (io.ReadCloser, string, error)
}

// CopilotPlans decides for readings of many users whether Graph is asked about the interactions of users without a plan.
type CopilotPlans interface {
	// Copilot returns what a reading of many users does about a user of whom the directory shows no plan.
	Copilot(id string) source.CopilotPlan
}

var (
	_ Engine           = (*timeline.Engine)(nil)
	_ ReportDownloader = (*source.Usage)(nil)
	_ ContentReader    = (*source.HostedContents)(nil)
)

// Tenant is one Microsoft 365 tenant as the server sees it.
type Tenant struct {
	// ID is the Entra tenant id; cursors are bound to it.
	ID string
	// Sources read through the cache. Users may be nil: user principal names are then passed on as they are.
	Sources query.Sources
	// Reports downloads the usage reports; nil where there is none.
	Reports ReportDownloader
	// Contents opens what Teams hosts for messages; nil where there is nothing.
	Contents ContentReader
	// Application is the client id that Graph is asked with, for audit records; empty where there is none.
	Application string
	// Delegates asks Graph on behalf of users; nil where the credential cannot.
	Delegates Delegates
	// Unavailable are sources that the tenant's cloud lacks, with the state to report.
	Unavailable map[parleyv1.Source]parleyv1.SourceState
	// Plans knows who is asked about in readings of many users; nil = everybody.
	Plans CopilotPlans
}
