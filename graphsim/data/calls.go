package data

import (
	"cmp"
	"slices"
	"time"
)

// Call is the head of one call record.
type Call struct {
	start, end int64 // ms
	h          uint64
	pack       uint64
	Chat       uint32 // the meeting's chat, if meeting
	Meeting    bool
	demo       bool // the first user takes part
}

const (
	callRetentionDays = 30
	callMeetingBit    = 1 << 51
	callDayShift      = 36
	callDayMask       = 1<<15 - 1
	callIndexMask     = 1<<callDayShift - 1
)

// meetingDay is the weekday of a meeting chat's recurring call.
func (w *World) meetingDay(c uint32) time.Weekday {
	return time.Weekday(1 + Hash3(w.Seed, tagCall, uint64(c))%5)
}

// adHocCount is how many calls outside of meetings a day sees.
func (w *World) adHocCount(day int64) int {
	perWeek := float64(len(w.Chats().meetings)) / 5
	work := 0.0
	for d := w.anchorDay - callRetentionDays + 1; d < w.anchorDay; d++ {
		work += activity(d)
	}
	want := 1.06*float64(w.cfg.Calls) + 12
	mean := max((want/work)-perWeek*0.8, want/work/3)
	return countFor(mean*activity(day), Hash3(w.Seed, tagCallCount, uint64(day)))
}

// meetingCall is the call of a meeting chat on a day; ok is false on other weekdays.
func (w *World) meetingCall(c uint32, day int64) (Call, bool) {
	if weekday(day) != w.meetingDay(c) || day <= int64(w.Chats().created[c]) {
		return Call{}, false
	}
	pack := uint64(tagCall)<<52 | callMeetingBit | uint64(day)<<callDayShift | uint64(c)
	cl := Call{pack: pack, h: hash2(w.Seed, pack), Chat: c, Meeting: true}
	d := Dice(Hash4(w.Seed, tagCall, uint64(c), 3))
	slot := day*DayMS + int64(8*60+d.Under(9*2)*30)*60_000
	e := Dice(cl.h)
	cl.start = slot + int64(e.Under(240_000))
	cl.end = cl.start + int64(9+e.Under(50))*60_000 + int64(e.Under(60_000))
	return cl, true
}

func (w *World) adHocCall(day int64, k int) Call {
	pack := uint64(tagCall)<<52 | uint64(day)<<callDayShift | uint64(k)
	cl := Call{pack: pack, h: hash2(w.Seed, pack), demo: k%20 == 0}
	d := Dice(cl.h)
	cl.start = day*DayMS + timeOfDay(&d, pick(&d, zones[:]))
	cl.end = cl.start + int64(4+d.Under(40))*1000
	if d.Chance(850) {
		cl.end += int64(d.Under(45 * 60_000))
	}
	return cl
}

// CallID returns the id of a call record.
func (w *World) CallID(cl *Call) string { return packGUID(w.Seed, cl.pack).String() }

// FindCall is the inverse of CallID, whatever the call's age.
func (w *World) FindCall(id string) (Call, bool) {
	g, ok := parseGUID(id)
	if !ok {
		return Call{}, false
	}
	v, ok := unpackGUID(w.Seed, g)
	if !ok || v>>52 != tagCall {
		return Call{}, false
	}
	day, index := int64(v>>callDayShift&callDayMask), v&callIndexMask
	if v&callMeetingBit != 0 {
		if !slices.Contains(w.Chats().meetings, uint32(index)) {
			return Call{}, false
		}
		return w.meetingCall(uint32(index), day)
	}
	return w.adHocCall(day, int(index)), index < uint64(w.adHocCount(day))
}

// Version is the newest version of a call record at now, and when it was made: 0 = not yet generated.
func (cl *Call) Version(now int64) (n int, made int64) {
	d := Dice(hash2(cl.h, 1))
	first := cl.end + int64(12+d.Under(35))*60_000 + int64(d.Under(60_000))
	if now < first {
		return 0, 0
	}
	n, made = 1, first
	if second := first + int64(90+d.Under(200))*60_000; d.Chance(600) && now >= second {
		n, made = 2, second
		if third := second + 17*3_600_000 + int64(d.Under(3_600_000)); d.Chance(200) && now >= third {
			n, made = 3, third
		}
	}
	return n, made
}

// Available reports whether Graph shows the record: generated, and not older than the retention.
func (cl *Call) Available(now int64) bool {
	n, _ := cl.Version(now)
	return n > 0 && cl.start > now-callRetentionDays*DayMS
}

// Attendees are the people in a call, the organizer first.
func (w *World) Attendees(cl *Call) []Ref {
	d := Dice(hash2(cl.h, 2))
	if cl.Meeting {
		members := w.Chats().Members(cl.Chat)
		out := make([]Ref, 0, len(members))
		for i, m := range members {
			if m.Kind() != KindBot && (i == 0 || cl.Chat == chatAllHands || d.Chance(800)) {
				out = append(out, m)
			}
		}
		return out
	}
	var out []Ref
	add := func(r Ref) {
		if !slices.Contains(out, r) {
			out = append(out, r)
		}
	}
	if cl.demo && d.Chance(500) {
		add(0)
	}
	add(Ref(d.Under(w.cfg.Users)))
	switch r := d.Under(100); {
	case r < 15:
		add(kindPhone | Ref(d.Under(1000)))
	case r < 25:
		add(kindFederated | Ref(d.Under(1000)))
	case r < 55:
		for range 2 + d.Under(5) {
			add(Ref(d.Under(w.cfg.Users)))
		}
	}
	if cl.demo {
		add(0)
	}
	for len(out) < 2 {
		add(Ref(d.Under(w.cfg.Users)))
	}
	return out
}

// StartNS is the record's startDateTime in nanoseconds since 1970.
func (cl *Call) StartNS() int64 { return callNS(cl.start, cl.h) }

// Calls collects the records of the days from lo to hi (ms, both included) that Graph shows at now and that keep
// accepts, mostly by start.
func (w *World) Calls(lo, hi, now int64, keep func(*Call) bool) []Call {
	var out []Call
	add := func(cl Call) {
		if cl.Available(now) && (keep == nil || keep(&cl)) {
			out = append(out, cl)
		}
	}
	oldest := now - callRetentionDays*DayMS
	for d := Day(max(lo, oldest)); d <= Day(min(hi, now)); d++ {
		for _, c := range w.Chats().meetings {
			if cl, ok := w.meetingCall(c, d); ok {
				add(cl)
			}
		}
		for k := range w.adHocCount(d) {
			add(w.adHocCall(d, k))
		}
	}
	place := func(cl *Call) int64 { return cl.start + int64(cl.h%4/3)*1_800_000 }
	slices.SortFunc(out, func(a, b Call) int {
		return cmp.Or(cmp.Compare(place(&a), place(&b)), cmp.Compare(a.pack, b.pack))
	})
	return out
}
