package graphsim

import (
	"iter"
	"math"
	"slices"
	"time"

	"github.com/parley-gateway/parley/graphsim/data"
)

// Record is a record that Graph must return, as tests compare it.
type Record struct {
	// Source is SourceCopilot, SourceChat or SourceCall.
	Source string
	// User is the owner whose history or mailbox it is in; empty for calls asked for the whole tenant.
	User string
	// Container is the session, the chat, or for a call the meeting's chat ("" = none).
	Container string
	// ID is unique within (source, user, container), and for calls by itself.
	ID string
	// Version is the etag, or a call record's version.
	Version string
	// Time is createdDateTime of an interaction, lastModifiedDateTime of a message, startDateTime of a call.
	Time time.Time
	// Created is createdDateTime; for a call the same as Time.
	Created time.Time
	// System says that a message is a system event, Deleted that its sender has deleted it.
	System, Deleted bool
}

// Oracle answers from the data itself, without paging, order or faults, at the instant of the simulator's clock.
type Oracle struct{ w *data.World }

// Oracle is the ground truth of a tenant; empty = the first. It is nil for an unknown tenant.
func (s *Sim) Oracle(tenant string) *Oracle {
	if tenant == "" {
		return &Oracle{w: s.worlds[0]}
	}
	w, _ := s.world(tenant)
	if w == nil {
		return nil
	}
	return &Oracle{w: w}
}

// Users are all users of the directory, in the order of the list.
func (o *Oracle) Users() iter.Seq[Person] {
	return func(yield func(Person) bool) {
		for i := range o.w.Users() {
			if !yield(person(o.w, data.Ref(i))) {
				return
			}
		}
	}
}

// Licensed reports whether a user has Microsoft 365 Copilot: without it, interactions are refused.
func (o *Oracle) Licensed(user string) bool {
	u, ok := o.w.People.Find(user)
	return ok && o.w.Licensed(u)
}

// Chats are the ids of the user's chats that exist by now.
func (o *Oracle) Chats(user string) iter.Seq[string] {
	return func(yield func(string) bool) {
		u, ok := o.w.People.Find(user)
		if !ok {
			return
		}
		now := o.w.NowMS()
		for _, c := range o.w.Chats().ChatsOf(u) {
			if o.w.Chats().Kinds[c] != data.NotesChat && o.w.ChatCreated(c) <= now && !yield(o.w.ChatID(c)) {
				return
			}
		}
	}
}

// Members are the display names of a chat's members, without bots.
func (o *Oracle) Members(chat string) []string {
	c, ok := o.w.FindChat(chat)
	if !ok {
		return nil
	}
	var out []string
	for _, m := range o.w.Chats().Members(c) {
		if m.Kind() != data.KindBot {
			out = append(out, o.w.People.Name(m))
		}
	}
	return out
}

// bounds turns [start, end) into exclusive milliseconds; zero times are open.
func bounds(start, end time.Time) span {
	s := everything()
	if !start.IsZero() {
		s.lo = start.Add(time.Millisecond-1).Truncate(time.Millisecond).UnixMilli() - 1
	}
	if !end.IsZero() {
		s.hi = end.Add(time.Millisecond - 1).Truncate(time.Millisecond).UnixMilli()
	}
	return s
}

// Records are the records of one source whose Time lies in [start, end), in no promised order; a zero time leaves its
// side open. user is an object id or user principal name; for SourceCall it may be empty: the whole tenant. An
// unknown user, and an unlicensed one for SourceCopilot, has none.
func (o *Oracle) Records(source, user string, start, end time.Time) iter.Seq[Record] {
	return func(yield func(Record) bool) {
		u, ok := o.w.People.Find(user)
		if !ok && (source != SourceCall || user != "") {
			return
		}
		switch source {
		case SourceCopilot:
			o.interactions(u, bounds(start, end), yield)
		case SourceChat:
			o.messages(u, bounds(start, end), yield)
		case SourceCall:
			o.calls(u, user, start, end, yield)
		}
	}
}

func (o *Oracle) interactions(u data.Ref, s span, yield func(Record) bool) {
	id := o.w.People.ID(u)
	for _, in := range o.w.History(u, s.lo, s.hi, o.w.NowMS(), nil) {
		at := time.UnixMilli(in.Created).UTC()
		if !yield(Record{Source: SourceCopilot, User: id, Container: o.w.SessionID(&in), ID: in.ID(), Version: in.ID(), Time: at, Created: at}) {
			return
		}
	}
}

func (o *Oracle) record(user string, m *data.Message) Record {
	return Record{
		Source: SourceChat, User: user, Container: o.w.ChatID(m.Chat), ID: m.ID(), Version: m.ETag(),
		Time: time.UnixMilli(m.Modified).UTC(), Created: time.UnixMilli(m.Created).UTC(), System: m.System, Deleted: m.Deleted > 0,
	}
}

func (o *Oracle) messages(u data.Ref, s span, yield func(Record) bool) {
	id := o.w.People.ID(u)
	for _, m := range o.w.Mailbox(u, s.lo, s.hi, o.w.NowMS(), nil) {
		if !yield(o.record(id, &m)) {
			return
		}
	}
}

// Notes are the messages of a user to themselves last changed in [start, end), newest first.
func (o *Oracle) Notes(user string, start, end time.Time) iter.Seq[Record] {
	return func(yield func(Record) bool) {
		u, known := o.w.People.Find(user)
		c, ok := o.w.NotesOf(u)
		if !known || !ok {
			return
		}
		for _, m := range thread(o.w, c, bounds(start, end), byChange, o.w.NowMS()) {
			if !yield(o.record(user, &m)) {
				return
			}
		}
	}
}

// ChatMessages are the messages of one chat last changed in [start, end), newest first.
func (o *Oracle) ChatMessages(chat string, start, end time.Time) iter.Seq[Record] {
	return func(yield func(Record) bool) {
		c, ok := o.w.FindChat(chat)
		if !ok {
			return
		}
		for _, m := range thread(o.w, c, bounds(start, end), byChange, o.w.NowMS()) {
			if !yield(o.record("", &m)) {
				return
			}
		}
	}
}

func (o *Oracle) calls(u data.Ref, user string, start, end time.Time, yield func(Record) bool) {
	lo, hi := int64(math.MinInt64), int64(math.MaxInt64)
	if !start.IsZero() {
		lo = start.UnixNano()
	}
	if !end.IsZero() {
		hi = end.UnixNano()
	}
	id := ""
	if user != "" {
		id = o.w.People.ID(u)
	}
	now := o.w.NowMS()
	for _, cl := range o.w.Calls(0, now, now, nil) {
		if ns := cl.StartNS(); ns < lo || ns >= hi || (id != "" && !o.takesPart(&cl, u)) {
			continue
		}
		n, _ := cl.Version(now)
		at := time.Unix(0, cl.StartNS()).UTC()
		r := Record{Source: SourceCall, User: id, ID: o.w.CallID(&cl), Version: itoa(n), Time: at, Created: at}
		if cl.Meeting {
			r.Container = o.w.ChatID(cl.Chat)
		}
		if !yield(r) {
			return
		}
	}
}

func (o *Oracle) takesPart(cl *data.Call, u data.Ref) bool {
	return slices.Contains(o.w.Attendees(cl), u)
}
