package dataset

import (
	"iter"
	"slices"
	"time"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
)

// OpenTurns has the prompts and answers of the users who are still being read, without their texts, and makes turns of them.
type OpenTurns struct {
	users map[string][]*parleyv1.Event // parts of turns, by owner
}

// NewOpenTurns returns turns without any part.
func NewOpenTurns() *OpenTurns { return &OpenTurns{users: map[string][]*parleyv1.Event{}} }

// Add adds a part of a turn, as Reader.TurnPart returns it; nil is passed over.
func (t *OpenTurns) Add(part *parleyv1.Event) {
	if part != nil {
		t.users[part.GetOwner()] = append(t.users[part.GetOwner()], part)
	}
}

// Take returns the turns of a user, who was read to the end, and removes their parts.
func (t *OpenTurns) Take(user, run string) []Turn {
	parts := latest(t.users[user])
	delete(t.users, user)
	answers := map[string][]*parleyv1.Event{}
	for _, part := range parts {
		if part.GetKind() == parleyv1.EventKind_EVENT_KIND_ANSWER && part.GetCorrelationId() != "" {
			answers[part.GetCorrelationId()] = append(answers[part.GetCorrelationId()], part)
		}
	}
	var turns []Turn
	for _, part := range parts {
		if part.GetKind() == parleyv1.EventKind_EVENT_KIND_PROMPT {
			turns = append(turns, turn(part, answers[part.GetCorrelationId()], run))
		}
	}
	return turns
}

// Parts yields the parts of all users who were not taken.
func (t *OpenTurns) Parts() iter.Seq[*parleyv1.Event] {
	return func(yield func(*parleyv1.Event) bool) {
		for _, parts := range t.users {
			for _, part := range parts {
				if !yield(part) {
					return
				}
			}
		}
	}
}

// latest returns the part with the greatest version of each uid, in the order of time.
func latest(parts []*parleyv1.Event) []*parleyv1.Event {
	newest := map[string]*parleyv1.Event{}
	for _, part := range parts {
		if known := newest[part.GetUid()]; known == nil || known.GetVersion() < part.GetVersion() {
			newest[part.GetUid()] = part
		}
	}
	kept := slices.DeleteFunc(slices.Clone(parts), func(part *parleyv1.Event) bool { return newest[part.GetUid()] != part })
	slices.SortStableFunc(kept, func(a, b *parleyv1.Event) int {
		return a.GetCreateTime().AsTime().Compare(b.GetCreateTime().AsTime())
	})
	return kept
}

// turn returns the row of a prompt and its answers.
func turn(prompt *parleyv1.Event, answers []*parleyv1.Event, run string) Turn {
	row := Turn{
		UID: prompt.GetUid(), Version: prompt.GetVersion(), UserID: UserID(prompt.GetOwner()),
		AppClass: prompt.GetCopilot().GetAppClass(), SessionID: prompt.GetCopilot().GetSessionId(),
		CorrelationID: prompt.GetCorrelationId(), ConversationID: lastPart(prompt.GetConversation()),
		Answers: int32(len(answers)), MachineMade: prompt.GetActor().GetApplication() != nil, Run: run,
	}
	row.PromptTime = timeOf(prompt.GetCreateTime())
	row.PromptDate = DateOf(row.PromptTime)
	var first *time.Time
	for _, answer := range answers {
		row.Version = max(row.Version, answer.GetVersion())
		if at := timeOf(answer.GetCreateTime()); at != nil && (first == nil || at.Before(*first)) {
			first = at
		}
	}
	if row.FirstAnswerTime = first; first != nil && row.PromptTime != nil {
		row.Seconds = new(first.Sub(*row.PromptTime).Seconds())
	}
	return row
}
