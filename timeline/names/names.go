// Package names adds display names to encoded events: those of people whom Graph named by id alone. The names come from the members of
// the chat and from the directory; each is marked by its source, and none is invented.
// The services above it call it for events that are about to leave; below it are the readers of chats and of the directory.
package names

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/parley-gateway/parley/cache"
	"github.com/parley-gateway/parley/eventwire"
	"github.com/parley-gateway/parley/eventwire/view"
	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/resource"
	"github.com/parley-gateway/parley/source"
	"github.com/parley-gateway/parley/source/summary"
	"github.com/parley-gateway/parley/timeline/query"
)

// Bounds of what is looked up for one page, batch or event.
const (
	maxIDs   = 20 * source.MaxUserTerms // people asked of the directory: at most 20 requests
	maxChats = 3                        // chats whose members are read
	usual    = 5 * time.Second          // time that is waited for names
	leftOver = 300 * time.Millisecond   // time of the caller's deadline that is left for the answer's way
)

// Filler adds names to the events of one request.
type Filler struct {
	// Have are the readers of the call. Without a reader of names, the members of chats alone are read.
	Have query.Sources
	// Owner and User are as in source.EventQuery.
	Owner, User string
	// Conversation is the chat that the request names; its members are read first.
	Conversation string
	// View is the view of the events.
	View parleyv1.EventView
	// Limit is the size of the list of events at most; 0 = no limit.
	Limit int
}

// person is somebody without a name, everywhere in the events where Graph names them by id.
type person struct {
	places []*parleyv1.Identity
	events []int    // indexes of the events
	chats  []string // chats of these events
}

// found is a name with its source.
type found struct {
	name   string
	source parleyv1.NameSource
}

// List adds names to the events of an encoded list. complete is false when names could not be looked up, or had no room. An error says
// that the bytes are no list of events.
func (f *Filler) List(ctx context.Context, list []byte) (filled []byte, complete bool, err error) {
	var raw [][]byte
	var events []*parleyv1.Event
	for encoded, err := range eventwire.Events(list) {
		if err != nil {
			return nil, false, err
		}
		event := &parleyv1.Event{}
		if err := proto.Unmarshal(encoded, event); err != nil {
			return nil, false, fmt.Errorf("decode an event: %w", err)
		}
		raw, events = append(raw, encoded), append(events, event)
	}
	changed, complete := f.fill(ctx, events)
	size := len(list)
	filled = make([]byte, 0, len(list)+len(list)/8)
	for i, event := range events {
		if !changed[i] {
			filled = eventwire.AppendEvent(filled, raw[i], nil)
			continue
		}
		encoded, err := proto.MarshalOptions{Deterministic: true}.Marshal(f.finish(event))
		if err != nil {
			return nil, false, fmt.Errorf("encode an event: %w", err)
		}
		grown := eventwire.FramedSize(len(encoded)) - eventwire.FramedSize(len(raw[i]))
		if f.Limit > 0 && grown > 0 && size+grown > f.Limit {
			complete = false
			encoded, grown = raw[i], 0
		}
		size += grown
		filled = eventwire.AppendEvent(filled, encoded, nil)
	}
	return filled, complete, nil
}

// Event adds names to one event, which it changes. It reports whether all names could be looked up.
func (f *Filler) Event(ctx context.Context, event *parleyv1.Event) (complete bool) {
	changed, complete := f.fill(ctx, []*parleyv1.Event{event})
	if changed[0] {
		f.summarize(event)
	}
	return complete
}

// Actors adds names to the actors of events, which it changes. It reports whether all names could be looked up.
func (f *Filler) Actors(ctx context.Context, events []*parleyv1.Event) (complete bool) {
	bare := make([]*parleyv1.Event, len(events))
	for i, event := range events {
		bare[i] = &parleyv1.Event{Actor: event.GetActor(), Source: event.GetSource()} // the message is shared, and with it the name
	}
	_, complete = f.fill(ctx, bare)
	return complete
}

// finish writes what depends on the names anew, and leaves out what the view does not show.
func (f *Filler) finish(event *parleyv1.Event) proto.Message {
	f.summarize(event)
	return view.Apply(event, f.View)
}

// summarize writes the summary of a note with the names.
func (f *Filler) summarize(event *parleyv1.Event) {
	if event.GetSystem() == nil || event.GetSummary() == nil {
		return
	}
	_, thread, err := resource.ParseConversation(event.GetConversation())
	if err != nil {
		thread = event.GetSource().GetChatId()
	}
	if line := summary.Note(event.GetSystem(), thread); line != nil {
		event.Summary = line
	}
}

// fill adds names to events and tells which of them changed.
func (f *Filler) fill(ctx context.Context, events []*parleyv1.Event) (changed map[int]bool, complete bool) {
	people := nameless(events)
	changed = map[int]bool{}
	if len(people) == 0 {
		return changed, true
	}
	ctx, cancel := bounded(ctx)
	defer cancel()
	names, complete := f.look(ctx, people)
	for id, name := range names {
		for _, place := range people[id].places {
			place.DisplayName, place.NameSource = name.name, name.source
		}
		for _, i := range people[id].events {
			changed[i] = true
		}
	}
	return changed, complete
}

// bounded returns a context that ends a little before the caller's deadline, and whose look-ups tell nothing in the headers of the answer.
func bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	left := usual
	if deadline, ok := ctx.Deadline(); ok {
		left = min(left, time.Until(deadline)-leftOver)
	}
	return context.WithTimeout(context.WithValue(ctx, cache.RecorderKey{}, (*cache.Recorder)(nil)), max(left, 0))
}

// look finds the names of people: from the members of the conversation that was asked for, then from the directory, then from the members
// of the chats that the events are in. What fails is left out, and complete is false.
func (f *Filler) look(ctx context.Context, people map[string]*person) (names map[string]found, complete bool) {
	names, complete = map[string]found{}, true
	if f.Conversation != "" {
		complete = f.members(ctx, f.Conversation, people, names)
	}
	rest := missing(people, names)
	if f.Have.Names != nil && len(rest) > 0 {
		batch := rest[:min(len(rest), maxIDs)]
		complete = complete && len(batch) == len(rest)
		directory, err := f.Have.Names.Names(ctx, batch)
		for id, name := range directory {
			names[id] = found{name, parleyv1.NameSource_NAME_SOURCE_DIRECTORY}
		}
		complete = complete && err == nil
		rest = missing(people, names)
	}
	var chats []string
	for _, id := range rest {
		for _, chat := range people[id].chats {
			if chat != f.Conversation && !slices.Contains(chats, chat) {
				chats = append(chats, chat)
			}
		}
	}
	for _, chat := range chats[:min(len(chats), maxChats)] {
		complete = f.members(ctx, chat, people, names) && complete
	}
	return names, complete && len(chats) <= maxChats
}

// members takes names from the members of a chat. It reports whether they could be read; a user who is not in the chat any more reads
// nothing of it.
func (f *Filler) members(ctx context.Context, chat string, people map[string]*person, names map[string]found) bool {
	if f.Have.Conversations == nil {
		return true
	}
	conversation, err := f.Have.Conversations.Conversation(ctx, f.Owner, f.User, chat)
	if err != nil {
		return isNotFound(err)
	}
	for _, member := range conversation.GetMembers() {
		id := strings.ToLower(member.GetUserId())
		if _, known := names[id]; !known && people[id] != nil && member.GetDisplayName() != "" {
			names[id] = found{member.GetDisplayName(), parleyv1.NameSource_NAME_SOURCE_MEMBERS}
		}
	}
	return true
}

// missing are the ids of people without a name, sorted.
func missing(people map[string]*person, names map[string]found) []string {
	var ids []string
	for id := range people {
		if _, known := names[id]; !known {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}
