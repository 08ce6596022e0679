package interceptor

import (
	"google.golang.org/genproto/googleapis/api/httpbody"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/server/metrics"
	"github.com/parley-gateway/parley/timeline"
)

// handout is the amount of data that a call has handed out.
type handout struct {
	rows  int64 // events, conversations, rows of a report or users
	bytes int64 // of a download
	// complete is the answer's own `complete`; nil where it has none.
	complete *bool

	// metrics count the events by their sources; nil = nobody does. Protocol is how they leave.
	metrics  *metrics.Metrics
	protocol string
}

// add counts an answer, or one message of a stream.
func (h *handout) add(message any) {
	switch m := message.(type) {
	case *timeline.Page:
		h.list(m.Count, m.Message)
		h.events(&m.BySource)
	case *timeline.Batch:
		h.rows += int64(m.Count)
		h.events(&m.BySource)
	case *parleyv1.ListConversationsResponse:
		h.list(len(m.GetConversations()), m)
	case *parleyv1.ListCopilotUsageResponse:
		h.list(len(m.GetRows()), m)
	case *parleyv1.SummarizeCopilotUsageResponse:
		h.list(len(m.GetPeriods()), m)
	case *parleyv1.ListCopilotUsageTrendsResponse:
		h.list(len(m.GetDays()), m)
	case *parleyv1.ListUsersResponse:
		h.list(len(m.GetUsers()), m)
	case *parleyv1.Event, *parleyv1.Conversation, *parleyv1.User:
		h.rows++
	case *parleyv1.StreamEventsResponse:
		h.frame(len(m.GetBatch().GetEvents()), m.GetSummary())
	case *parleyv1.StreamTenantEventsResponse:
		h.rows += int64(len(m.GetBatch().GetEvents()))
		if summary := m.GetSummary(); summary != nil {
			complete := summary.GetComplete()
			h.complete = &complete
		}
	case *parleyv1.StreamConversationsResponse:
		h.frame(len(m.GetBatch().GetConversations()), m.GetSummary())
	case *parleyv1.StreamCopilotUsageResponse:
		h.frame(len(m.GetBatch().GetRows()), m.GetSummary())
	case *httpbody.HttpBody:
		h.bytes += int64(len(m.GetData()))
	}
}

// events counts events by their sources.
func (h *handout) events(bySource *timeline.SourceCounts) {
	if h.metrics != nil {
		h.metrics.EventsSent(h.protocol, bySource)
	}
}

// completable is a message that says whether it is complete.
type completable interface{ GetComplete() bool }

// list counts a page of a list.
func (h *handout) list(rows int, answer completable) {
	complete := answer.GetComplete()
	h.rows, h.complete = h.rows+int64(rows), &complete
}

// frame counts a frame of a stream.
func (h *handout) frame(rows int, summary *parleyv1.Summary) {
	if h.rows += int64(rows); summary != nil {
		complete := summary.GetComplete()
		h.complete = &complete
	}
}
