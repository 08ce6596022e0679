package graphsim

import (
	"cmp"
	"slices"
	"time"
)

// message is the state of one chat message at one instant; its text is computed from h when it is written.
type message struct {
	created, modified int64 // ms
	edited, deleted   int64 // ms, 0 = never
	h                 uint64
	chat              uint32
	k                 int32
	system            bool
	reactions         int8
}

const (
	lateDays    = 3 // how much later than its creation a message may change
	maxChatSlot = 1 << 10
	onCallStep  = 12 * time.Minute
	allEvents   = 31
)

// messageCount is how many messages a chat gets on a day, past or to come.
func (w *world) messageCount(c uint32, day int64) int {
	t := w.chats()
	if day <= int64(t.created[c]) || day < w.firstDay {
		return 0
	}
	if c == chatOnCall && day >= w.anchorDay-1 {
		return int(24 * time.Hour / onCallStep)
	}
	return countFor(float64(t.weight[c])*activity(day), hash4(w.seed, tagMessageCount, w.dataOf(c), uint64(day)))
}

// message computes the k-th message of a chat's day as it stands at now; ok is false while it is not yet written.
func (w *world) message(c uint32, day int64, k int, now int64) (message, bool) {
	m := message{h: hash4(w.seed^uint64(k)<<40, tagMessage, w.dataOf(c), uint64(day)), chat: c, k: int32(k)}
	d := dice(m.h)
	ms := timeOfDay(&d, zones[int(w.dataOf(c))%len(zones)])
	if c == chatOnCall && day >= w.anchorDay-1 {
		ms = int64(k)*onCallStep.Milliseconds() + int64(d.under(60_000))
	}
	// The last ten bits tell messages of one chat and day apart: ids are creation times.
	m.created = day*dayMS + ms&^(maxChatSlot-1) + int64(k%maxChatSlot)
	if m.created > now {
		return m, false
	}
	m.modified = m.created
	kind := w.chats().kinds[c]
	switch {
	case c == chatShowcase && (k == 0 || d.chance(500)):
		m.system = true
	case kind != oneOnOne && kind != notes && d.chance(50):
		m.system = true
	}
	if !m.system {
		m.change(&d, now)
	}
	return m, true
}

// change applies what happened to a message after it was written.
func (m *message) change(d *dice, now int64) {
	later := func(minMS, maxMS, lateShare int) int64 {
		span := maxMS - minMS
		if d.chance(lateShare) {
			span = int(58 * time.Hour / time.Millisecond)
		}
		return m.created + int64(minMS+d.under(span))
	}
	switch r := d.under(1000); {
	case r < 60:
		if t := later(20_000, 50*60_000, 120); t <= now {
			m.edited, m.modified = t, t
		}
	case r < 85:
		if t := later(5_000, 120*60_000, 50); t <= now {
			m.deleted, m.modified = t, t
			return
		}
	}
	if d.chance(150) {
		n := 1 + d.under(3)
		t := later(4_000, 6*3_600_000, 100)
		for i := range n {
			if at := t + int64(i)*41_000; at <= now {
				m.reactions = int8(i + 1)
				m.modified = max(m.modified, at)
			}
		}
	}
}

// reactionTime is when the i-th reaction came, counted back from the last change.
func (m *message) reactionTime(i int) int64 {
	return max(m.created+1, m.modified-int64(int(m.reactions)-1-i)*41_000)
}

func (m *message) day() int64 { return day(m.created) }

// chatMessages calls yield for the messages of a chat that exist at now and were created on the days from first to last.
func (w *world) chatMessages(c uint32, first, last, now int64, yield func(message)) {
	first = max(first, w.firstDay, int64(w.chats().created[c])+1)
	for d := first; d <= min(last, day(now)); d++ {
		for k := range w.messageCount(c, d) {
			if m, ok := w.message(c, d, k, now); ok {
				yield(m)
			}
		}
	}
}

// findMessage looks a message id up: the milliseconds of its creation.
func (w *world) findMessage(c uint32, created, now int64) (message, bool) {
	d := day(created)
	if d <= int64(w.chats().created[c]) || d > day(now) {
		return message{}, false
	}
	for k := int(created % maxChatSlot); k < w.messageCount(c, d); k += maxChatSlot {
		if m, ok := w.message(c, d, k, now); ok && m.created == created {
			return m, true
		}
	}
	return message{}, false
}

// lastMessage is the newest message of a chat by creation.
func (w *world) lastMessage(c uint32, now int64) (message, bool) {
	for d := day(now); d > int64(w.chats().created[c]) && d >= w.firstDay; d-- {
		var last message
		w.chatMessages(c, d, d, now, func(m message) {
			if m.created > last.created {
				last = m
			}
		})
		if last.created > 0 {
			return last, true
		}
	}
	return message{}, false
}

// mailbox collects the messages of a user's chats whose last change lies between lo and hi, both exclusive.
func (w *world) mailbox(u ref, lo, hi, now int64, keep func(*message) bool) []message {
	var out []message
	first, last := day(max(lo, 0))-lateDays, day(min(hi, now))
	for _, c := range w.chats().chatsOf(u) {
		w.chatMessages(c, first, last, now, func(m message) {
			if m.modified > lo && m.modified < hi && (keep == nil || keep(&m)) {
				out = append(out, m)
			}
		})
	}
	// Mostly ascending: one in eight rows strays by up to ninety minutes.
	place := func(m *message) int64 {
		if m.h%8 == 3 {
			return m.modified + int64(m.h>>8%5_400_000) - 2_700_000
		}
		return m.modified
	}
	slices.SortFunc(out, func(a, b message) int {
		return cmp.Or(cmp.Compare(place(&a), place(&b)), cmp.Compare(a.chat, b.chat), cmp.Compare(a.created, b.created))
	})
	return out
}

// sender is who wrote a message.
func (w *world) sender(m *message) ref {
	members := w.chats().of(m.chat)
	if m.chat == chatOnCall && m.k%3 != 0 {
		if b := members[len(members)-1]; b.kind() == kindBot {
			return b
		}
	}
	h := mix(m.h + 7)
	if h%2 == 0 && len(members) > 3 { // few people write most
		return members[h>>8%3]
	}
	return members[h>>8%uint64(len(members))]
}
