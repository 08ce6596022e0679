package graphsim

import (
	"cmp"
	"slices"
	"time"
)

// call is the head of one call record.
type call struct {
	start, end int64 // ms
	h          uint64
	pack       uint64
	chat       uint32 // the meeting's chat, if meeting
	meeting    bool
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
func (w *world) meetingDay(c uint32) time.Weekday {
	return time.Weekday(1 + hash3(w.seed, tagCall, uint64(c))%5)
}

// adHocCount is how many calls outside of meetings a day sees.
func (w *world) adHocCount(day int64) int {
	perWeek := float64(len(w.chats().meetings)) / 5
	work := 0.0
	for d := w.anchorDay - callRetentionDays + 1; d < w.anchorDay; d++ {
		work += activity(d)
	}
	want := 1.06*float64(w.cfg.Calls) + 12
	mean := max((want/work)-perWeek*0.8, want/work/3)
	return countFor(mean*activity(day), hash3(w.seed, tagCallCount, uint64(day)))
}

// meetingCall is the call of a meeting chat on a day; ok is false on other weekdays.
func (w *world) meetingCall(c uint32, day int64) (call, bool) {
	if weekday(day) != w.meetingDay(c) || day <= int64(w.chats().created[c]) {
		return call{}, false
	}
	pack := uint64(tagCall)<<52 | callMeetingBit | uint64(day)<<callDayShift | uint64(c)
	cl := call{pack: pack, h: hash2(w.seed, pack), chat: c, meeting: true}
	d := dice(hash4(w.seed, tagCall, uint64(c), 3))
	slot := day*dayMS + int64(8*60+d.under(9*2)*30)*60_000
	e := dice(cl.h)
	cl.start = slot + int64(e.under(240_000))
	cl.end = cl.start + int64(9+e.under(50))*60_000 + int64(e.under(60_000))
	return cl, true
}

func (w *world) adHocCall(day int64, k int) call {
	pack := uint64(tagCall)<<52 | uint64(day)<<callDayShift | uint64(k)
	cl := call{pack: pack, h: hash2(w.seed, pack), demo: k%20 == 0}
	d := dice(cl.h)
	cl.start = day*dayMS + timeOfDay(&d, pick(&d, zones[:]))
	cl.end = cl.start + int64(4+d.under(40))*1000
	if d.chance(850) {
		cl.end += int64(d.under(45 * 60_000))
	}
	return cl
}

func (w *world) callID(cl *call) string { return packGUID(w.seed, cl.pack).String() }

// findCall is the inverse of callID, whatever the call's age.
func (w *world) findCall(id string) (call, bool) {
	g, ok := parseGUID(id)
	if !ok {
		return call{}, false
	}
	v, ok := unpackGUID(w.seed, g)
	if !ok || v>>52 != tagCall {
		return call{}, false
	}
	day, index := int64(v>>callDayShift&callDayMask), v&callIndexMask
	if v&callMeetingBit != 0 {
		if !slices.Contains(w.chats().meetings, uint32(index)) {
			return call{}, false
		}
		return w.meetingCall(uint32(index), day)
	}
	return w.adHocCall(day, int(index)), index < uint64(w.adHocCount(day))
}

// version is the newest version of a call record at now, and when it was made: 0 = not yet generated.
func (cl *call) version(now int64) (n int, made int64) {
	d := dice(hash2(cl.h, 1))
	first := cl.end + int64(12+d.under(35))*60_000 + int64(d.under(60_000))
	if now < first {
		return 0, 0
	}
	n, made = 1, first
	if second := first + int64(90+d.under(200))*60_000; d.chance(600) && now >= second {
		n, made = 2, second
		if third := second + 17*3_600_000 + int64(d.under(3_600_000)); d.chance(200) && now >= third {
			n, made = 3, third
		}
	}
	return n, made
}

// available tells whether Graph shows the record: generated, and not older than the retention.
func (cl *call) available(now int64) bool {
	n, _ := cl.version(now)
	return n > 0 && cl.start > now-callRetentionDays*dayMS
}

// attendees are the people in a call, the organizer first.
func (w *world) attendees(cl *call) []ref {
	d := dice(hash2(cl.h, 2))
	if cl.meeting {
		members := w.chats().of(cl.chat)
		out := make([]ref, 0, len(members))
		for i, m := range members {
			if m.kind() != kindBot && (i == 0 || cl.chat == chatAllHands || d.chance(800)) {
				out = append(out, m)
			}
		}
		return out
	}
	var out []ref
	add := func(r ref) {
		if !slices.Contains(out, r) {
			out = append(out, r)
		}
	}
	if cl.demo && d.chance(500) {
		add(0)
	}
	add(ref(d.under(w.cfg.Users)))
	switch r := d.under(100); {
	case r < 15:
		add(kindPhone | ref(d.under(1000)))
	case r < 25:
		add(kindFederated | ref(d.under(1000)))
	case r < 55:
		for range 2 + d.under(5) {
			add(ref(d.under(w.cfg.Users)))
		}
	}
	if cl.demo {
		add(0)
	}
	for len(out) < 2 {
		add(ref(d.under(w.cfg.Users)))
	}
	return out
}

// startNS is the record's startDateTime in nanoseconds since 1970.
func (cl *call) startNS() int64 { return callNS(cl.start, cl.h) }

// calls collects the records of the days from lo to hi (ms, both included) that Graph shows at now and that keep
// accepts, mostly by start.
func (w *world) calls(lo, hi, now int64, keep func(*call) bool) []call {
	var out []call
	add := func(cl call) {
		if cl.available(now) && (keep == nil || keep(&cl)) {
			out = append(out, cl)
		}
	}
	oldest := now - callRetentionDays*dayMS
	for d := day(max(lo, oldest)); d <= day(min(hi, now)); d++ {
		for _, c := range w.chats().meetings {
			if cl, ok := w.meetingCall(c, d); ok {
				add(cl)
			}
		}
		for k := range w.adHocCount(d) {
			add(w.adHocCall(d, k))
		}
	}
	place := func(cl *call) int64 { return cl.start + int64(cl.h%4/3)*1_800_000 }
	slices.SortFunc(out, func(a, b call) int {
		return cmp.Or(cmp.Compare(place(&a), place(&b)), cmp.Compare(a.pack, b.pack))
	})
	return out
}
