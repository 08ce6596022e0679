package graphsim

import (
	"iter"
	"math"
	"slices"
	"time"
)

// Record is what a test needs to know of a record that Graph must return.
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
	// System tells a system event message; Deleted a message deleted by its sender.
	System, Deleted bool
}

// Oracle answers from the data itself, without paging, order or faults, at the instant of the simulator's clock.
type Oracle struct{ w *world }

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
		for i := range o.w.users() {
			if !yield(person(o.w, ref(i))) {
				return
			}
		}
	}
}

// Licensed tells whether a user has Microsoft 365 Copilot: without it, interactions are refused.
func (o *Oracle) Licensed(user string) bool {
	u, ok := o.w.people.find(user)
	return ok && o.w.licensed(u)
}

// Chats are the ids of the user's chats that exist by now.
func (o *Oracle) Chats(user string) iter.Seq[string] {
	return func(yield func(string) bool) {
		u, ok := o.w.people.find(user)
		if !ok {
			return
		}
		now := o.w.nowMS()
		for _, c := range o.w.chats().chatsOf(u) {
			if o.w.chats().kinds[c] != notes && o.w.chatCreated(c) <= now && !yield(o.w.chatID(c)) {
				return
			}
		}
	}
}

// Members are the display names of a chat's members, without bots.
func (o *Oracle) Members(chat string) []string {
	c, ok := o.w.findChat(chat)
	if !ok {
		return nil
	}
	var out []string
	for _, m := range o.w.chats().of(c) {
		if m.kind() != kindBot {
			out = append(out, o.w.people.name(m))
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
		u, ok := o.w.people.find(user)
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

func (o *Oracle) interactions(u ref, s span, yield func(Record) bool) {
	id := o.w.people.id(u)
	for _, in := range o.w.history(u, s.lo, s.hi, o.w.nowMS(), nil) {
		at := time.UnixMilli(in.created).UTC()
		if !yield(Record{Source: SourceCopilot, User: id, Container: o.w.sessionID(&in), ID: in.id(), Version: in.id(), Time: at, Created: at}) {
			return
		}
	}
}

func (o *Oracle) record(user string, m *message) Record {
	return Record{
		Source: SourceChat, User: user, Container: o.w.chatID(m.chat), ID: m.id(), Version: m.etag(),
		Time: time.UnixMilli(m.modified).UTC(), Created: time.UnixMilli(m.created).UTC(), System: m.system, Deleted: m.deleted > 0,
	}
}

func (o *Oracle) messages(u ref, s span, yield func(Record) bool) {
	id := o.w.people.id(u)
	for _, m := range o.w.mailbox(u, s.lo, s.hi, o.w.nowMS(), nil) {
		if !yield(o.record(id, &m)) {
			return
		}
	}
}

// Notes are the messages of a user to themselves last changed in [start, end), newest first.
func (o *Oracle) Notes(user string, start, end time.Time) iter.Seq[Record] {
	return func(yield func(Record) bool) {
		u, known := o.w.people.find(user)
		c, ok := o.w.notesOf(u)
		if !known || !ok {
			return
		}
		for _, m := range thread(o.w, c, bounds(start, end), false, o.w.nowMS()) {
			if !yield(o.record(user, &m)) {
				return
			}
		}
	}
}

// ChatMessages are the messages of one chat last changed in [start, end), newest first.
func (o *Oracle) ChatMessages(chat string, start, end time.Time) iter.Seq[Record] {
	return func(yield func(Record) bool) {
		c, ok := o.w.findChat(chat)
		if !ok {
			return
		}
		for _, m := range thread(o.w, c, bounds(start, end), false, o.w.nowMS()) {
			if !yield(o.record("", &m)) {
				return
			}
		}
	}
}

func (o *Oracle) calls(u ref, user string, start, end time.Time, yield func(Record) bool) {
	lo, hi := int64(math.MinInt64), int64(math.MaxInt64)
	if !start.IsZero() {
		lo = start.UnixNano()
	}
	if !end.IsZero() {
		hi = end.UnixNano()
	}
	id := ""
	if user != "" {
		id = o.w.people.id(u)
	}
	now := o.w.nowMS()
	for _, cl := range o.w.calls(0, now, now, nil) {
		if ns := cl.startNS(); ns < lo || ns >= hi || (id != "" && !o.takesPart(&cl, u)) {
			continue
		}
		n, _ := cl.version(now)
		at := time.Unix(0, cl.startNS()).UTC()
		r := Record{Source: SourceCall, User: id, ID: o.w.callID(&cl), Version: itoa(n), Time: at, Created: at}
		if cl.meeting {
			r.Container = o.w.chatID(cl.chat)
		}
		if !yield(r) {
			return
		}
	}
}

func (o *Oracle) takesPart(cl *call, u ref) bool {
	return slices.Contains(o.w.attendees(cl), u)
}
