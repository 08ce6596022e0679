package source

import (
	"cmp"
	"context"
	"strconv"
	"time"

	"github.com/parley-gateway/parley/eventwire"
	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/graphclient/graph"
	"github.com/parley-gateway/parley/resource"
	"github.com/parley-gateway/parley/source/graphmap"
	"github.com/parley-gateway/parley/source/links"
	"github.com/parley-gateway/parley/source/odata"
)

const (
	copilotTime = "createdDateTime" // the only time that the API filters by

	// maxInstantPages bounds the pages that a Get reads around one instant.
	maxInstantPages = 100
)

// Copilot reads getAllEnterpriseInteractions: the Copilot prompts and answers of one user.
type Copilot struct{ base }

var (
	_ EventReader = (*Copilot)(nil)
	_ EventGetter = (*Copilot)(nil)
)

// NewCopilot returns the source of Copilot interactions.
func NewCopilot(client Graph, opt Options) *Copilot {
	return &Copilot{base: newBase(client, opt, parleyv1.Source_SOURCE_COPILOT)}
}

// Events implements EventReader. Of the clause Graph is given AppClasses; Conversation is not asked for, because Graph
// cannot filter by session.
func (c *Copilot) Events(ctx context.Context, q EventQuery, link string) (*Page[Item], error) {
	attempts, err := c.attempts(ctx, q, link)
	if err != nil {
		return nil, err
	}
	page, _, err := answeredPage(ctx, &c.base, attempts, func(record []byte) (Item, error) {
		return c.item(q.Owner, record)
	})
	return page, err
}

func (c *Copilot) attempts(ctx context.Context, q EventQuery, link string) ([]attempt, error) {
	start, end, err := bounds(q)
	if err != nil {
		return nil, err
	}
	path, err := copilotPath(q.User)
	if err != nil {
		return nil, err
	}
	newRequest := func(filter string) graph.Request {
		r := c.request(ctx, path, link, graph.Param{Name: "$top", Value: c.pageSize()}, graph.Param{Name: "$filter", Value: filter})
		r.User = q.User
		return r
	}
	interval := odata.Between(copilotTime, start, end)
	clause := odata.AnyEqual("appClass", q.Clause.AppClasses)
	attempts := []attempt{{request: newRequest(odata.AllOf(interval, clause))}}
	if clause != "" && link == "" {
		attempts = append(attempts, attempt{name: "interval alone", request: newRequest(interval), unfiltered: true})
	}
	return attempts, nil
}

func copilotPath(user string) (string, error) {
	path, err := userPath(user, "/interactionHistory/getAllEnterpriseInteractions")
	return "/copilot" + path, err
}

// Event implements EventGetter: it asks the user's own history for the instant that the ref names, a second wider on
// both sides, and finds the id and session there. Ids of interactions are their creation in milliseconds, which stands
// in for a ref without a time.
func (c *Copilot) Event(ctx context.Context, owner, user string, ref Ref) (*parleyv1.Event, error) {
	at := ref.Time
	if at.IsZero() {
		ms, err := strconv.ParseInt(ref.ID, 10, 64)
		if err != nil || ms <= 0 {
			return nil, notFound("the interaction has no time to look it up by")
		}
		at = time.UnixMilli(ms)
	}
	q := EventQuery{Owner: owner, User: user, Start: at, End: at.Add(odata.Tick)}
	link, followed := "", links.Set{}
	for pages := 1; ; pages++ {
		page, err := c.Events(ctx, q, link)
		if err != nil {
			return nil, err
		}
		for _, item := range page.Items {
			event, err := item.Event()
			if err != nil {
				return nil, err
			}
			if event.GetSource().GetId() == ref.ID && event.GetCopilot().GetSessionId() == ref.Session {
				return event, nil
			}
		}
		link = page.Next
		if more, _ := followed.Follow(link, pages, maxInstantPages); !more {
			return nil, notFound("the user's history has no such interaction")
		}
	}
}

// item normalizes one interaction.
func (c *Copilot) item(owner string, record []byte) (Item, error) {
	d, err := c.draft(graphmap.RootAIInteraction, record)
	if err != nil {
		return Item{}, err
	}
	defer d.Release()
	interactionType := parleyv1.InteractionType(d.Number(d.Child(eventDetail, eventwire.CopilotDetailInteractionType)))
	d.AddNumber(eventRoot, eventwire.EventKind, int64(interactionKind(interactionType)))
	d.AddCopy(eventRoot, eventwire.EventCorrelationID, d.Child(eventDetail, eventwire.CopilotDetailRequestID))
	created := d.Child(eventRoot, eventwire.EventCreateTime)
	d.AddNumber(eventRoot, eventwire.EventVersion, cmp.Or(etagNumber(textOf(d, eventSource, eventwire.EventSourceEtag)), millisOf(d, created)))
	session := textOf(d, eventDetail, eventwire.CopilotDetailSessionID)
	at, timed := d.Time(created)
	ref := resource.Ref{Source: parleyv1.Source_SOURCE_COPILOT, Session: session, ID: textOf(d, eventSource, eventwire.EventSourceID)}
	if timed {
		ref.Time = at
	}
	return c.base.item(d, eventIdentity{
		owner: owner, conversation: interactionConversation(d, session), ref: ref, record: record, time: at, timed: timed,
		interaction: interactionKeyOf(interactionType, textOf(d, eventDetail, eventwire.CopilotDetailInteractionTypeOther), textOf(d, eventDetail, eventwire.CopilotDetailRequestID)),
	}), nil
}

func interactionKind(interactionType parleyv1.InteractionType) parleyv1.EventKind {
	switch interactionType {
	case parleyv1.InteractionType_INTERACTION_TYPE_USER_PROMPT:
		return parleyv1.EventKind_EVENT_KIND_PROMPT
	case parleyv1.InteractionType_INTERACTION_TYPE_AI_RESPONSE:
		return parleyv1.EventKind_EVENT_KIND_ANSWER
	default:
		return parleyv1.EventKind_EVENT_KIND_OTHER
	}
}
