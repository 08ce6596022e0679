package data

import (
	"cmp"
	"slices"
	"time"
)

// Message is the state of one chat message at one instant; its text is computed from h when it is written.
type Message struct {
	Created, Modified int64 // ms
	edited, Deleted   int64 // ms, 0 = never
	h                 uint64
	Chat              uint32
	k                 int32
	System            bool
	reactions         int8
}

const (
	// LateDays is how many days after its creation a message may change.
	LateDays    = 3
	maxChatSlot = 1 << 10
	onCallStep  = 12 * time.Minute
	allEvents   = 31
)

// messageCount is how many messages a chat gets on a day, past or to come.
func (w *World) messageCount(c uint32, day int64) int {
	t := w.Chats()
	if day <= int64(t.created[c]) || day < w.firstDay {
		return 0
	}
	if c == chatOnCall && day >= w.anchorDay-1 {
		return int(24 * time.Hour / onCallStep)
	}
	return countFor(float64(t.weight[c])*activity(day), Hash4(w.Seed, tagMessageCount, w.dataOf(c), uint64(day)))
}

// message computes the k-th message of a chat's day as it stands at now; ok is false while it is not yet written.
func (w *World) message(c uint32, day int64, k int, now int64) (Message, bool) {
	m := Message{h: Hash4(w.Seed^uint64(k)<<40, tagMessage, w.dataOf(c), uint64(day)), Chat: c, k: int32(k)}
	d := Dice(m.h)
	ms := timeOfDay(&d, zones[int(w.dataOf(c))%len(zones)])
	if c == chatOnCall && day >= w.anchorDay-1 {
		ms = int64(k)*onCallStep.Milliseconds() + int64(d.Under(60_000))
	}
	// The last ten bits tell messages of one chat and day apart: ids are creation times.
	m.Created = day*DayMS + ms&^(maxChatSlot-1) + int64(k%maxChatSlot)
	if m.Created > now {
		return m, false
	}
	m.Modified = m.Created
	kind := w.Chats().Kinds[c]
	switch {
	case c == chatShowcase && (k == 0 || d.Chance(500)):
		m.System = true
	case kind != oneOnOne && kind != NotesChat && d.Chance(50):
		m.System = true
	}
	if !m.System {
		m.change(&d, now)
	}
	return m, true
}

// change applies what happened to a message after it was written.
func (m *Message) change(d *Dice, now int64) {
	later := func(minMS, maxMS, lateShare int) int64 {
		span := maxMS - minMS
		if d.Chance(lateShare) {
			span = int(58 * time.Hour / time.Millisecond)
		}
		return m.Created + int64(minMS+d.Under(span))
	}
	switch r := d.Under(1000); {
	case r < 60:
		if t := later(20_000, 50*60_000, 120); t <= now {
			m.edited, m.Modified = t, t
		}
	case r < 85:
		if t := later(5_000, 120*60_000, 50); t <= now {
			m.Deleted, m.Modified = t, t
			return
		}
	}
	if d.Chance(150) {
		n := 1 + d.Under(3)
		t := later(4_000, 6*3_600_000, 100)
		for i := range n {
			if at := t + int64(i)*41_000; at <= now {
				m.reactions = int8(i + 1)
				m.Modified = max(m.Modified, at)
			}
		}
	}
}

// reactionTime is when the i-th reaction came, counted back from the last change.
func (m *Message) reactionTime(i int) int64 {
	return max(m.Created+1, m.Modified-int64(int(m.reactions)-1-i)*41_000)
}

func (m *Message) day() int64 { return Day(m.Created) }

// ChatMessages calls yield for the messages of a chat that exist at now and were created on the days from first to last.
func (w *World) ChatMessages(c uint32, first, last, now int64, yield func(Message)) {
	first = max(first, w.firstDay, int64(w.Chats().created[c])+1)
	for d := first; d <= min(last, Day(now)); d++ {
		for k := range w.messageCount(c, d) {
			if m, ok := w.message(c, d, k, now); ok {
				yield(m)
			}
		}
	}
}

// FindMessage looks a message id up: the milliseconds of its creation.
func (w *World) FindMessage(c uint32, created, now int64) (Message, bool) {
	d := Day(created)
	if d <= int64(w.Chats().created[c]) || d > Day(now) {
		return Message{}, false
	}
	for k := int(created % maxChatSlot); k < w.messageCount(c, d); k += maxChatSlot {
		if m, ok := w.message(c, d, k, now); ok && m.Created == created {
			return m, true
		}
	}
	return Message{}, false
}

// LastMessage is the newest message of a chat by creation.
func (w *World) LastMessage(c uint32, now int64) (Message, bool) {
	for d := Day(now); d > int64(w.Chats().created[c]) && d >= w.firstDay; d-- {
		var last Message
		w.ChatMessages(c, d, d, now, func(m Message) {
			if m.Created > last.Created {
				last = m
			}
		})
		if last.Created > 0 {
			return last, true
		}
	}
	return Message{}, false
}

// Mailbox collects the messages of a user's chats whose last change lies between lo and hi, both exclusive.
func (w *World) Mailbox(u Ref, lo, hi, now int64, keep func(*Message) bool) []Message {
	var out []Message
	first, last := Day(max(lo, 0))-LateDays, Day(min(hi, now))
	for _, c := range w.Chats().ChatsOf(u) {
		w.ChatMessages(c, first, last, now, func(m Message) {
			if m.Modified > lo && m.Modified < hi && (keep == nil || keep(&m)) {
				out = append(out, m)
			}
		})
	}
	place := func(m *Message) int64 { return displaced(m.h, m.Modified) }
	slices.SortFunc(out, func(a, b Message) int {
		return cmp.Or(cmp.Compare(place(&a), place(&b)), cmp.Compare(a.Chat, b.Chat), cmp.Compare(a.Created, b.Created))
	})
	return out
}

// Sender is who wrote a message.
func (w *World) Sender(m *Message) Ref {
	members := w.Chats().Members(m.Chat)
	if m.Chat == chatOnCall && m.k%3 != 0 {
		if b := members[len(members)-1]; b.Kind() == KindBot {
			return b
		}
	}
	h := mix(m.h + 7)
	if h%2 == 0 && len(members) > 3 { // few people write most
		return members[h>>8%3]
	}
	return members[h>>8%uint64(len(members))]
}

// displaced returns the time by which a row of a time is sorted. One row in eight, by its hash, is up to 45 minutes off, so that
// an answer is mostly sorted and not quite.
func displaced(hash uint64, at int64) int64 {
	if hash%8 == 3 {
		return at + int64(hash>>8%5_400_000) - 2_700_000
	}
	return at
}
