package data

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
	// NotesChat is a user's thread with themselves, which is no chat.
	NotesChat
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
	// crowdOutsiders is how many members of these two chats are no users, at least.
	crowdOutsiders = 20
)

// chatKinds repeats every 20 chats.
var chatKinds = [20]chatKind{
	group, oneOnOne, meeting, oneOnOne, group, meeting, oneOnOne, group, oneOnOne, oneOnOne,
	group, meeting, oneOnOne, group, oneOnOne, meeting, group, oneOnOne, group, meeting,
}

// ChatTable says who is in which chat: the members of all chats one after another, and the chats of all users.
type ChatTable struct {
	Kinds       []chatKind
	memberStart []uint32
	members     []Ref
	userStart   []uint32
	ofUser      []uint32
	weight      []float32 // messages per working day
	created     []int32   // day
	meetings    []uint32  // chats with recurring calls
}

// buildChats makes the table of all chats: their members, when they were made, and how many messages they get.
func (w *World) buildChats() *ChatTable {
	n := w.cfg.Chats
	t := &ChatTable{
		Kinds: make([]chatKind, n), memberStart: make([]uint32, n+1), weight: make([]float32, n), created: make([]int32, n),
		members: make([]Ref, 0, 6*n),
	}
	pairs, total := 0, 0.0
	for c := range n {
		d := Dice(Hash3(w.Seed, tagChat, uint64(c)))
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
		t.Kinds[c] = kind
		t.memberStart[c+1] = uint32(len(t.members))
		u := d.Unit()
		t.weight[c] = float32(0.15 + 4*u*u*u)
		t.created[c] = int32(w.firstDay - 220 + int64(d.Unit()*(200+0.7*float64(w.cfg.Days))))
		if c < demoChats {
			t.weight[c], t.created[c] = 3, int32(w.firstDay-int64(10+c))
		}
		total += float64(t.weight[c]) * w.workingDays(int64(t.created[c]))
	}
	scale := (1.06*float64(w.cfg.Messages) + 40) / total
	for c := range n {
		t.weight[c] = float32(float64(t.weight[c]) * scale)
		if t.Kinds[c] == meeting && len(t.meetings) < max(1, w.cfg.Calls/10) {
			t.meetings = append(t.meetings, uint32(c))
		}
	}
	for u := range w.cfg.Notes {
		t.addNotes(Ref(u), int32(w.firstDay-1))
	}
	t.indexUsers(w.cfg.Users)
	return t
}

// notesPerDay is how much a user notes on a working day.
const notesPerDay = 2

// addNotes adds a user's thread with themselves behind all chats.
func (t *ChatTable) addNotes(u Ref, created int32) {
	t.Kinds, t.weight, t.created = append(t.Kinds, NotesChat), append(t.weight, notesPerDay), append(t.created, created)
	t.members = append(t.members, u)
	t.memberStart = append(t.memberStart, uint32(len(t.members)))
}

// workingDays is how much activity lies between a chat's creation and yesterday.
func (w *World) workingDays(created int64) float64 {
	first := max(created+1, w.firstDay)
	weeks := (w.anchorDay - first) / 7
	sum := float64(weeks) * 5.16
	for d := first + 7*weeks; d < w.anchorDay; d++ {
		sum += activity(d)
	}
	return max(sum, 0.1)
}

// pair returns the j-th pair of people who talk alone. No pair comes twice; ok is false for a j that has none.
func (w *World) pair(j int) ([]Ref, bool) {
	users := w.cfg.Users
	const own = 5 // the first user's own pairs
	switch {
	case j < own:
		return []Ref{0, Ref(j + 1)}, j+1 < users
	case j < users && j%15 == 7:
		return []Ref{Ref(j), KindBot | Ref(j/15%len(Bots))}, true
	case j < users && j%11 == 6:
		return []Ref{Ref(j), kindFederated | Ref(j)}, true
	}
	step := own + 1 + j/users
	a, b := Ref(j%users), Ref((j+step)%users)
	if step*2 >= users || (min(a, b) == 0 && max(a, b) <= own) {
		return nil, false
	}
	return []Ref{a, b}, true
}

// appendMembers appends the members of a group chat or a meeting, the owner first.
func (w *World) appendMembers(to []Ref, c int, kind chatKind, d *Dice) []Ref {
	start, users := len(to), w.cfg.Users
	size := 3 + d.Under(4)
	if d.Chance(250) {
		size += d.Under(8)
	}
	add := func(r Ref) {
		if !slices.Contains(to[start:], r) {
			to = append(to, r)
		}
	}
	if c < demoChats && (c == chatAllHands || c == chatOnCall || c%2 == 1) {
		add(0)
	}
	switch c {
	case chatAllHands:
		w.addCrowd(c, kind, allHandsSize, add)
		return to
	case chatLarge:
		w.addCrowd(c, kind, largeSize, add)
		return to
	}
	for range min(size, users) {
		add(Ref(d.Under(users)))
	}
	if c < demoChats {
		add(0)
	}
	for i := 0; len(to)-start < 2; i++ {
		add(Ref(i))
	}
	return w.appendOutsiders(to, c, kind, d)
}

// addCrowd adds the members of a chat of so many: users of the directory, and at least twenty others.
func (w *World) addCrowd(c int, kind chatKind, size int, add func(Ref)) {
	users := min(w.cfg.Users, size-crowdOutsiders)
	for i := range users {
		add(Ref(i))
	}
	for i := users; i < size; i++ {
		if kind == meeting && i%4 == 0 {
			add(kindAnonymous | Ref(c*1000+i))
		} else {
			add(kindFederated | Ref(c*1000+i))
		}
	}
}

// appendOutsiders appends people from outside of the directory, and bots.
func (w *World) appendOutsiders(to []Ref, c int, kind chatKind, d *Dice) []Ref {
	if c == chatMixed {
		return append(to, kindFederated|Ref(c), kindAnonymous|Ref(c), kindPhone|Ref(c), kindPersonal|Ref(c), KindBot)
	}
	if d.Chance(220) {
		to = append(to, kindFederated|Ref(c))
	}
	if kind == meeting && d.Chance(300) {
		to = append(to, kindAnonymous|Ref(c))
	}
	if d.Chance(60) {
		to = append(to, kindPhone|Ref(c))
	}
	if d.Chance(50) {
		to = append(to, kindPersonal|Ref(c))
	}
	if c == chatOnCall || d.Chance(200) {
		to = append(to, KindBot|Ref(c%len(Bots)))
	}
	return to
}

// indexUsers fills the lists of the chats of each user.
func (t *ChatTable) indexUsers(users int) {
	t.userStart = make([]uint32, users+1)
	for _, m := range t.members {
		if m.Kind() == kindUser {
			t.userStart[m.Index()+1]++
		}
	}
	for u := range users {
		t.userStart[u+1] += t.userStart[u]
	}
	t.ofUser = make([]uint32, t.userStart[users])
	next := slices.Clone(t.userStart)
	for c := range t.Kinds {
		for _, m := range t.Members(uint32(c)) {
			if m.Kind() == kindUser {
				t.ofUser[next[m.Index()]] = uint32(c)
				next[m.Index()]++
			}
		}
	}
}

// Members returns the members of a chat, its owner first.
func (t *ChatTable) Members(c uint32) []Ref { return t.members[t.memberStart[c]:t.memberStart[c+1]] }

// ChatsOf returns the chats of a user.
func (t *ChatTable) ChatsOf(u Ref) []uint32 {
	return t.ofUser[t.userStart[u.Index()]:t.userStart[u.Index()+1]]
}

func (w *World) chatGUID(c uint32) GUID { return packGUID(w.Seed, tagChat<<52|uint64(c)) }

// ChatID is the thread id: a pair of object ids, a hexadecimal GUID, or "meeting_" and a GUID in base64.
func (w *World) ChatID(c uint32) string {
	t := w.Chats()
	switch t.Kinds[c] {
	case NotesChat:
		return NotesThread
	case oneOnOne:
		m := t.Members(c)
		return "19:" + w.People.ID(m[0]) + "_" + w.People.ID(m[1]) + "@unq.gbl.spaces"
	case meeting:
		return "19:meeting_" + base64.RawURLEncoding.EncodeToString([]byte(w.chatGUID(c).String())) + "@thread.v2"
	default:
		return "19:" + w.chatGUID(c).Hex() + "@thread.v2"
	}
}

// NotesThread is the id under which every user has their notes.
const NotesThread = "48:notes"

// dataOf is the number that decides what a thread holds: the same for the notes of all users, whose messages then have the
// same ids, as those of different threads may.
func (w *World) dataOf(c uint32) uint64 {
	if w.Chats().Kinds[c] == NotesChat {
		return MaxIndex
	}
	return uint64(c)
}

// NotesOf finds a user's notes.
func (w *World) NotesOf(u Ref) (uint32, bool) {
	if u.Index() >= w.cfg.Notes {
		return 0, false
	}
	return uint32(w.cfg.Chats + u.Index()), true
}

// FindChat is the inverse of ChatID; it does not find notes.
func (w *World) FindChat(id string) (uint32, bool) {
	body, ok := strings.CutPrefix(id, "19:")
	if !ok {
		return 0, false
	}
	if pair, ok := strings.CutSuffix(body, "@unq.gbl.spaces"); ok {
		first, _, _ := strings.Cut(pair, "_")
		u, ok := w.People.Find(first)
		if !ok {
			return 0, false
		}
		for _, c := range w.Chats().ChatsOf(u) {
			if w.Chats().Kinds[c] == oneOnOne && w.ChatID(c) == id {
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
	v, ok := unpackGUID(w.Seed, g)
	c := v & (MaxIndex - 1)
	if !ok || v>>52 != tagChat || int(c) >= w.cfg.Chats {
		return 0, false
	}
	return uint32(c), w.ChatID(uint32(c)) == id
}

// IsMember reports whether a user is in a chat.
func (w *World) IsMember(c uint32, u Ref) bool { return slices.Contains(w.Chats().Members(c), u) }

// ChatCreated is in milliseconds; a chat's messages start on the next day.
func (w *World) ChatCreated(c uint32) int64 {
	d := Dice(Hash4(w.Seed, tagChat, uint64(c), 1))
	return int64(w.Chats().created[c])*DayMS + timeOfDay(&d, 0)
}

var topics = [...]string{
	"Harbour launch", "Quarter planning", "Warehouse robots", "Customer interviews", "Hiring round", "Security review",
	"Website refresh", "Budget 2027", "Onboarding", "Data platform", "Travel policy", "Pricing study",
}

func (w *World) topic(c uint32) string {
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
	h := Hash4(w.Seed, tagChat, uint64(c), 2)
	switch w.Chats().Kinds[c] {
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
func (w *World) organizer(c uint32) Ref { return w.Chats().Members(c)[0] }

// joinURL carries the meeting's thread id and its organizer.
func (w *World) joinURL(c uint32) string {
	return "https://teams.microsoft.com/l/meetup-join/" + url.QueryEscape(w.ChatID(c)) + "/0?context=%7b%22Tid%22%3a%22" + w.ID +
		"%22%2c%22Oid%22%3a%22" + w.People.ID(w.organizer(c)) + "%22%7d"
}
