package source

import (
	"slices"
	"time"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/graphclient/graph"
)

// API describes a Graph API that the gateway reads, for packages that need not know how it is asked.
type API struct {
	// Source is the API's value in requests and reports.
	Source parleyv1.Source
	// Label names the API's budget, and the API in metrics and settings. APIs that Graph counts together share one.
	Label string
	// Kinds are the kinds of the API's events, beside EVENT_KIND_OTHER where there are several. An API of other things than events has none.
	Kinds []parleyv1.EventKind
	// PageSize is the number of events that a page is asked for.
	PageSize int
	// Settle is how long after an event its row may still appear.
	Settle time.Duration
	// OptIn marks an API that is read only for requests that name it, and allowed only by rules that name it.
	OptIn bool
	// Includes is a source whose events the API gives too, with the same uids; the two are not read in one request.
	Includes parleyv1.Source
	// CoverageGaps are the data that the API cannot hold, however completely it is read.
	CoverageGaps []parleyv1.CoverageGap
	// absent are the clouds that lack the API.
	absent []string
}

// apis are the Graph APIs that the gateway reads, in the order of their sources. The absent clouds are those that Microsoft documents: US
// Government (L4, L5) has no usage report; China has chats, users and retained
// messages only.
//
// A new API also needs its name in package graph (API…), its rows in ratelimit.DefaultLimits, the words of its paths in pathWords of
// graphclient, a root in graphmap, a case in eventKey if its id alone does not name an event, and the options of the contract's messages;
// docs/development.md has all steps, of which no test finds some.
var apis = []API{
	{
		Source: parleyv1.Source_SOURCE_COPILOT, Label: graph.APICopilot,
		Kinds:    []parleyv1.EventKind{parleyv1.EventKind_EVENT_KIND_PROMPT, parleyv1.EventKind_EVENT_KIND_ANSWER},
		PageSize: 100, // what Microsoft recommends
		CoverageGaps: []parleyv1.CoverageGap{
			parleyv1.CoverageGap_COVERAGE_GAP_STUDIO_AGENTS, parleyv1.CoverageGap_COVERAGE_GAP_COPILOT_WITHOUT_LICENCE,
		},
		Settle: time.Hour, absent: []string{graph.CloudChina},
	},
	{
		Source: parleyv1.Source_SOURCE_CHAT, Label: graph.APIChat,
		Kinds:    []parleyv1.EventKind{parleyv1.EventKind_EVENT_KIND_MESSAGE, parleyv1.EventKind_EVENT_KIND_SYSTEM},
		PageSize: 50, Settle: 15 * time.Minute, absent: []string{graph.CloudChina},
		CoverageGaps: []parleyv1.CoverageGap{
			parleyv1.CoverageGap_COVERAGE_GAP_CHANNEL_MESSAGES, parleyv1.CoverageGap_COVERAGE_GAP_RETAINED_MESSAGES,
			parleyv1.CoverageGap_COVERAGE_GAP_DELETED_OVER_21_DAYS,
		},
	},
	{
		Source: parleyv1.Source_SOURCE_CALL, Label: graph.APICall,
		Kinds:    []parleyv1.EventKind{parleyv1.EventKind_EVENT_KIND_CALL},
		PageSize: 60, // the documented page of the list; a larger one is not documented
		Settle:   36 * time.Hour, absent: []string{graph.CloudChina},
		CoverageGaps: []parleyv1.CoverageGap{parleyv1.CoverageGap_COVERAGE_GAP_CALLS_OVER_30_DAYS},
	},
	{
		Source: parleyv1.Source_SOURCE_CONVERSATION, Label: graph.APIConversations,
		CoverageGaps: []parleyv1.CoverageGap{parleyv1.CoverageGap_COVERAGE_GAP_CHANNEL_MESSAGES},
	},
	{
		Source: parleyv1.Source_SOURCE_USAGE, Label: graph.APIUsage,
		absent:       []string{graph.CloudUSL4, graph.CloudUSL5, graph.CloudChina},
		CoverageGaps: []parleyv1.CoverageGap{parleyv1.CoverageGap_COVERAGE_GAP_COPILOT_WITHOUT_LICENCE},
	},
	{Source: parleyv1.Source_SOURCE_USER, Label: graph.APIUsers},
	{
		Source: parleyv1.Source_SOURCE_RETAINED_CHAT, Label: graph.APIChat, OptIn: true, Includes: parleyv1.Source_SOURCE_CHAT,
		Kinds:    []parleyv1.EventKind{parleyv1.EventKind_EVENT_KIND_MESSAGE, parleyv1.EventKind_EVENT_KIND_SYSTEM},
		PageSize: 50, Settle: 15 * time.Minute,
		CoverageGaps: []parleyv1.CoverageGap{parleyv1.CoverageGap_COVERAGE_GAP_CHANNEL_MESSAGES},
	},
}

// Describe returns the API of a source; the zero API if there is none.
func Describe(src parleyv1.Source) API {
	for _, api := range apis {
		if api.Source == src {
			return api
		}
	}
	return API{}
}

// EventSources returns the sources of events, in their order.
func EventSources() []parleyv1.Source {
	var sources []parleyv1.Source
	for _, api := range apis {
		if len(api.Kinds) > 0 {
			sources = append(sources, api.Source)
		}
	}
	return sources
}

// WithoutOptIn returns the sources that requests read and rules allow without naming them.
func WithoutOptIn(sources []parleyv1.Source) []parleyv1.Source {
	return slices.DeleteFunc(slices.Clone(sources), func(src parleyv1.Source) bool { return Describe(src).OptIn })
}

// HasMessages reports whether the API's events are chat messages.
func (a *API) HasMessages() bool {
	return slices.Contains(a.Kinds, parleyv1.EventKind_EVENT_KIND_MESSAGE)
}

// Settle returns how long after an event its row may still appear in each source: the given times where they are
// positive, else those of the APIs. A source that includes another one has that one's given time unless it has its own.
func Settle(given map[parleyv1.Source]time.Duration) map[parleyv1.Source]time.Duration {
	settle := map[parleyv1.Source]time.Duration{}
	for _, api := range apis {
		if len(api.Kinds) > 0 {
			settle[api.Source] = api.Settle
		}
		for _, src := range []parleyv1.Source{api.Includes, api.Source} {
			if d := given[src]; d > 0 {
				settle[api.Source] = d
			}
		}
	}
	return settle
}

// Available reports whether Microsoft documents the API of src for the cloud, which is named as graphclient names
// it (empty = global). An unknown cloud is taken for the global one.
func Available(cloud string, src parleyv1.Source) bool {
	if known, err := graph.CloudByName(cloud); err == nil {
		cloud = known.Name
	}
	return !slices.Contains(Describe(src).absent, cloud)
}
