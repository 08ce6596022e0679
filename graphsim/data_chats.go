package graphsim

import (
	"encoding/base64"
	"net/url"
	"slices"
	"strings"
)

type chatKind uint8

const (
	oneOnOne chatKind = iota
	group
	meeting
	notes // a user's thread with themselves, which is no chat
)

func (k chatKind) String() string { return [...]string{"oneOnOne", "group", "meeting", "notes"}[k] }

// Chats with a part of their own. All of them include the first user.
const (
	chatOnCall   = 0 // a post every twelve minutes since the day before the start
	chatAllHands = 2 // a meeting with more participants than one page holds
	chatShowcase = 4 // every kind of system event
	chatMixed    = 5 // a meeting with every kind of outsider
	chatLarge    = 7 // more members than $expand shows
	demoChats    = 12

	allHandsSize = 150
	largeSize    = 60
)

// chatKinds repeats every 20 chats.
var chatKinds = [20]chatKind{
	group, oneOnOne, meeting, oneOnOne, group, meeting, oneOnOne, group, oneOnOne, oneOnOne,
	group, meeting, oneOnOne, group, oneOnOne, meeting, group, oneOnOne, group, meeting,
}

// chatTable says who is in which chat: the members of all chats one after another, and the chats of all users.
type chatTable struct {
	kinds       []chatKind
	memberStart []uint32
	members     []ref
	userStart   []uint32
	ofUser      []uint32
	weight      []float32 // messages per working day
	created     []int32   // day
	meetings    []uint32  // chats with recurring calls
}

func (w *world) buildChats() *chatTable {
	n := w.cfg.Chats
	t := &chatTable{
		kinds: make([]chatKind, n), memberStart: make([]uint32, n+1), weight: make([]float32, n), created: make([]int32, n),
		members: make([]ref, 0, 6*n),
	}
	pairs, total := 0, 0.0
	for c := range n {
		d := dice(hash3(w.seed, tagChat, uint64(c)))
		kind := chatKinds[c%len(chatKinds)]
		if kind == oneOnOne {
			if pair, ok := w.pair(pairs); ok {
				t.members = append(t.members, pair...)
			} else {
				kind = group
			}
			pairs++
		}
		if kind != oneOnOne {
			t.members = w.appendMembers(t.members, c, kind, &d)
		}
		t.kinds[c] = kind
		t.memberStart[c+1] = uint32(len(t.members))
		u := d.unit()
		t.weight[c] = float32(0.15 + 4*u*u*u)
		t.created[c] = int32(w.firstDay - 220 + int64(d.unit()*(200+0.7*float64(w.cfg.Days))))
		if c < demoChats {
			t.weight[c], t.created[c] = 3, int32(w.firstDay-int64(10+c))
		}
		total += float64(t.weight[c]) * w.workingDays(int64(t.created[c]))
	}
	scale := (1.06*float64(w.cfg.Messages) + 40) / total
	for c := range n {
		t.weight[c] = float32(float64(t.weight[c]) * scale)
		if t.kinds[c] == meeting && len(t.meetings) < max(1, w.cfg.Calls/10) {
			t.meetings = append(t.meetings, uint32(c))
		}
	}
	for u := range w.cfg.Notes {
		t.addNotes(ref(u), int32(w.firstDay-1))
	}
	t.indexUsers(w.cfg.Users)
	return t
}

// notesPerDay is how much a user notes on a working day.
const notesPerDay = 2

// addNotes adds a user's thread with themselves behind all chats.
func (t *chatTable) addNotes(u ref, created int32) {
	t.kinds, t.weight, t.created = append(t.kinds, notes), append(t.weight, notesPerDay), append(t.created, created)
	t.members = append(t.members, u)
	t.memberStart = append(t.memberStart, uint32(len(t.members)))
}

// workingDays is how much activity lies between a chat's creation and yesterday.
func (w *world) workingDays(created int64) float64 {
	first := max(created+1, w.firstDay)
	weeks := (w.anchorDay - first) / 7
	sum := float64(weeks) * 5.16
	for d := first + 7*weeks; d < w.anchorDay; d++ {
		sum += activity(d)
	}
	return max(sum, 0.1)
}

// pair answers the j-th pair of people who talk alone; no pair comes twice.
func (w *world) pair(j int) ([]ref, bool) {
	users := w.cfg.Users
	const own = 5 // the first user's own pairs
	switch {
	case j < own:
		return []ref{0, ref(j + 1)}, j+1 < users
	case j < users && j%15 == 7:
		return []ref{ref(j), kindBot | ref(j/15%len(bots))}, true
	case j < users && j%11 == 6:
		return []ref{ref(j), kindFederated | ref(j)}, true
	}
	step := own + 1 + j/users
	a, b := ref(j%users), ref((j+step)%users)
	if step*2 >= users || (min(a, b) == 0 && max(a, b) <= own) {
		return nil, false
	}
	return []ref{a, b}, true
}

func (w *world) appendMembers(to []ref, c int, kind chatKind, d *dice) []ref {
	start, users := len(to), w.cfg.Users
	size := 3 + d.under(4)
	if d.chance(250) {
		size += d.under(8)
	}
	add := func(r ref) {
		if !slices.Contains(to[start:], r) {
			to = append(to, r)
		}
	}
	special := c == chatAllHands || c == chatLarge
	if c < demoChats && (c == chatAllHands || c == chatOnCall || c%2 == 1) {
		add(0)
	}
	if special {
		want := largeSize
		if c == chatAllHands {
			want = allHandsSize
		}
		for i := range min(users, want-20) {
			add(ref(i))
		}
		for i := len(to) - start; i < want; i++ {
			if kind == meeting && i%4 == 0 {
				add(kindAnonymous | ref(c*1000+i))
			} else {
				add(kindFederated | ref(c*1000+i))
			}
		}
		return to
	}
	for range min(size, users) {
		add(ref(d.under(users)))
	}
	if c < demoChats {
		add(0)
	}
	for i := 0; len(to)-start < 2; i++ {
		add(ref(i))
	}
	return w.appendOutsiders(to, c, kind, d)
}

func (w *world) appendOutsiders(to []ref, c int, kind chatKind, d *dice) []ref {
	if c == chatMixed {
		return append(to, kindFederated|ref(c), kindAnonymous|ref(c), kindPhone|ref(c), kindPersonal|ref(c), kindBot)
	}
	if d.chance(220) {
		to = append(to, kindFederated|ref(c))
	}
	if kind == meeting && d.chance(300) {
		to = append(to, kindAnonymous|ref(c))
	}
	if d.chance(60) {
		to = append(to, kindPhone|ref(c))
	}
	if d.chance(50) {
		to = append(to, kindPersonal|ref(c))
	}
	if c == chatOnCall || d.chance(200) {
		to = append(to, kindBot|ref(c%len(bots)))
	}
	return to
}

func (t *chatTable) indexUsers(users int) {
	t.userStart = make([]uint32, users+1)
	for _, m := range t.members {
		if m.kind() == kindUser {
			t.userStart[m.index()+1]++
		}
	}
	for u := range users {
		t.userStart[u+1] += t.userStart[u]
	}
	t.ofUser = make([]uint32, t.userStart[users])
	next := slices.Clone(t.userStart)
	for c := range t.kinds {
		for _, m := range t.of(uint32(c)) {
			if m.kind() == kindUser {
				t.ofUser[next[m.index()]] = uint32(c)
				next[m.index()]++
			}
		}
	}
}

func (t *chatTable) of(c uint32) []ref { return t.members[t.memberStart[c]:t.memberStart[c+1]] }

func (t *chatTable) chatsOf(u ref) []uint32 {
	return t.ofUser[t.userStart[u.index()]:t.userStart[u.index()+1]]
}

func (w *world) chatGUID(c uint32) guid { return packGUID(w.seed, tagChat<<52|uint64(c)) }

// chatID is the thread id: a pair of object ids, a hexadecimal GUID, or "meeting_" and a GUID in base64.
func (w *world) chatID(c uint32) string {
	t := w.chats()
	switch t.kinds[c] {
	case notes:
		return notesThread
	case oneOnOne:
		m := t.of(c)
		return "19:" + w.people.id(m[0]) + "_" + w.people.id(m[1]) + "@unq.gbl.spaces"
	case meeting:
		return "19:meeting_" + base64.RawURLEncoding.EncodeToString([]byte(w.chatGUID(c).String())) + "@thread.v2"
	default:
		return "19:" + w.chatGUID(c).hex() + "@thread.v2"
	}
}

// notesThread is the id under which every user has their notes.
const notesThread = "48:notes"

// dataOf is the number that decides what a thread holds: the same for the notes of all users, whose messages then have the
// same ids, as those of different threads may.
func (w *world) dataOf(c uint32) uint64 {
	if w.chats().kinds[c] == notes {
		return maxIndex
	}
	return uint64(c)
}

// notesOf finds a user's notes.
func (w *world) notesOf(u ref) (uint32, bool) {
	if u.index() >= w.cfg.Notes {
		return 0, false
	}
	return uint32(w.cfg.Chats + u.index()), true
}

// findChat is the inverse of chatID but for notes.
func (w *world) findChat(id string) (uint32, bool) {
	body, ok := strings.CutPrefix(id, "19:")
	if !ok {
		return 0, false
	}
	if pair, ok := strings.CutSuffix(body, "@unq.gbl.spaces"); ok {
		first, _, _ := strings.Cut(pair, "_")
		u, ok := w.people.find(first)
		if !ok {
			return 0, false
		}
		for _, c := range w.chats().chatsOf(u) {
			if w.chats().kinds[c] == oneOnOne && w.chatID(c) == id {
				return c, true
			}
		}
		return 0, false
	}
	body, ok = strings.CutSuffix(body, "@thread.v2")
	if !ok {
		return 0, false
	}
	if enc, ok := strings.CutPrefix(body, "meeting_"); ok {
		text, err := base64.RawURLEncoding.DecodeString(enc)
		if err != nil {
			return 0, false
		}
		body = string(text)
	}
	g, ok := parseGUID(body)
	if !ok {
		return 0, false
	}
	v, ok := unpackGUID(w.seed, g)
	c := v & (maxIndex - 1)
	if !ok || v>>52 != tagChat || int(c) >= w.cfg.Chats {
		return 0, false
	}
	return uint32(c), w.chatID(uint32(c)) == id
}

func (w *world) isMember(c uint32, u ref) bool { return slices.Contains(w.chats().of(c), u) }

// chatCreated is in milliseconds; a chat's messages start on the next day.
func (w *world) chatCreated(c uint32) int64 {
	d := dice(hash4(w.seed, tagChat, uint64(c), 1))
	return int64(w.chats().created[c])*dayMS + timeOfDay(&d, 0)
}

var topics = [...]string{
	"Harbour launch", "Quarter planning", "Warehouse robots", "Customer interviews", "Hiring round", "Security review",
	"Website refresh", "Budget 2027", "Onboarding", "Data platform", "Travel policy", "Pricing study",
}

func (w *world) topic(c uint32) string {
	switch c {
	case chatOnCall:
		return "On-call desk"
	case chatAllHands:
		return "All hands"
	case chatShowcase:
		return "Project archive"
	case chatLarge:
		return "Whole company"
	}
	h := hash4(w.seed, tagChat, uint64(c), 2)
	switch w.chats().kinds[c] {
	case oneOnOne:
		return ""
	case meeting:
		return topics[h%uint64(len(topics))] + " weekly"
	default:
		if h%5 == 0 {
			return ""
		}
		return topics[h%uint64(len(topics))]
	}
}

// organizer is who owns the chat and organizes its meetings.
func (w *world) organizer(c uint32) ref { return w.chats().of(c)[0] }

// joinURL carries the meeting's thread id and its organizer.
func (w *world) joinURL(c uint32) string {
	return "https://teams.microsoft.com/l/meetup-join/" + url.QueryEscape(w.chatID(c)) + "/0?context=%7b%22Tid%22%3a%22" + w.id +
		"%22%2c%22Oid%22%3a%22" + w.people.id(w.organizer(c)) + "%22%7d"
}
