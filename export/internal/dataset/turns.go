package dataset

import (
	"iter"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
)

// Pairs pairs prompts with their answers, user by user. It holds no text, and of a user no more than until Take.
type Pairs struct {
	users map[string][]*parleyv1.Event
}

// NewPairs returns an empty one.
func NewPairs() *Pairs { return &Pairs{users: map[string][]*parleyv1.Event{}} }

// Half returns what a turn needs of a prompt or an answer, without a name; nil for all other events.
func Half(e *parleyv1.Event) *parleyv1.Event {
	if e.GetKind() != parleyv1.EventKind_EVENT_KIND_PROMPT && e.GetKind() != parleyv1.EventKind_EVENT_KIND_ANSWER {
		return nil
	}
	half := &parleyv1.Event{
		Uid: e.GetUid(), Version: e.GetVersion(), Owner: e.GetOwner(), Kind: e.GetKind(), CreateTime: e.GetCreateTime(),
		CorrelationId: e.GetCorrelationId(), Conversation: e.GetConversation(),
		Detail: &parleyv1.Event_Copilot{Copilot: &parleyv1.CopilotDetail{AppClass: e.GetCopilot().GetAppClass(), SessionId: e.GetCopilot().GetSessionId()}},
	}
	if e.GetActor().GetUser() == nil && e.GetActor().GetApplication() != nil {
		half.Actor = &parleyv1.IdentitySet{Application: &parleyv1.Identity{}}
	}
	return half
}

// Add notes an event; those that are no prompt and no answer are passed over.
func (t *Pairs) Add(e *parleyv1.Event) {
	if half := Half(e); half != nil {
		t.users[half.GetOwner()] = append(t.users[half.GetOwner()], half)
	}
}

// Take returns the turns of a user, and forgets the user.
func (t *Pairs) Take(user, run string) []Turn {
	halves := latest(t.users[user])
	delete(t.users, user)
	answers := map[string][]*parleyv1.Event{}
	for _, half := range halves {
		if half.GetKind() == parleyv1.EventKind_EVENT_KIND_ANSWER && half.GetCorrelationId() != "" {
			answers[half.GetCorrelationId()] = append(answers[half.GetCorrelationId()], half)
		}
	}
	var turns []Turn
	for _, half := range halves {
		if half.GetKind() == parleyv1.EventKind_EVENT_KIND_PROMPT {
			turns = append(turns, turn(half, answers[half.GetCorrelationId()], run))
		}
	}
	return turns
}

// Rest yields what is noted of users who were not taken.
func (t *Pairs) Rest() iter.Seq[*parleyv1.Event] {
	return func(yield func(*parleyv1.Event) bool) {
		for _, halves := range t.users {
			for _, half := range halves {
				if !yield(half) {
					return
				}
			}
		}
	}
}

// latest keeps the greatest version of each uid, in the order of time.
func latest(halves []*parleyv1.Event) []*parleyv1.Event {
	newest := map[string]*parleyv1.Event{}
	for _, half := range halves {
		if known := newest[half.GetUid()]; known == nil || known.GetVersion() < half.GetVersion() {
			newest[half.GetUid()] = half
		}
	}
	kept := slices.DeleteFunc(slices.Clone(halves), func(half *parleyv1.Event) bool { return newest[half.GetUid()] != half })
	slices.SortStableFunc(kept, func(a, b *parleyv1.Event) int {
		return a.GetCreateTime().AsTime().Compare(b.GetCreateTime().AsTime())
	})
	return kept
}

func turn(prompt *parleyv1.Event, answers []*parleyv1.Event, run string) Turn {
	row := Turn{
		UID: prompt.GetUid(), Version: prompt.GetVersion(), UserID: UserID(prompt.GetOwner()),
		AppClass: prompt.GetCopilot().GetAppClass(), SessionID: prompt.GetCopilot().GetSessionId(),
		CorrelationID: prompt.GetCorrelationId(), ConversationID: lastPart(prompt.GetConversation()),
		Answers: int32(len(answers)), MachineMade: prompt.GetActor().GetApplication() != nil, Run: run,
	}
	row.PromptTime, _ = instant(prompt.GetCreateTime())
	row.PromptDate = DateOf(row.PromptTime)
	var first *time.Time
	for _, answer := range answers {
		row.Version = max(row.Version, answer.GetVersion())
		if at, _ := instant(answer.GetCreateTime()); at != nil && (first == nil || at.Before(*first)) {
			first = at
		}
	}
	if row.FirstAnswerTime = first; first != nil && row.PromptTime != nil {
		row.Seconds = new(first.Sub(*row.PromptTime).Seconds())
	}
	return row
}

// Bytes is about what a message takes in memory as a row.
func Bytes(m proto.Message) int { return 512 + 2*proto.Size(m) }
