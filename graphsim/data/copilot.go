package data

import (
	"cmp"
	"slices"
	"strconv"
)

// Interaction is one prompt or answer of a Copilot session.
type Interaction struct {
	Created int64 // ms
	h       uint64
	turn    uint64 // shared by a prompt and its answers
	user    Ref
	App     uint8
	answer  int8 // 0 = the prompt, 1.. = answers
	day     int32
}

type copilotApp struct{ Class, conversation, name string }

// CopilotApps are the applications that Copilot answers in.
var CopilotApps = [...]copilotApp{
	{"IPM.SkypeTeams.Message.Copilot.BizChat", "bizchat", "Microsoft 365 Chat"},
	{"IPM.SkypeTeams.Message.Copilot.Teams", "appchat", "Copilot in Teams"},
	{"IPM.SkypeTeams.Message.Copilot.Word", "appchat", "Copilot in Word"},
	{"IPM.SkypeTeams.Message.Copilot.Excel", "appchat", "Copilot in Excel"},
	{"IPM.SkypeTeams.Message.Copilot.Loop", "appchat", "Copilot in Loop"},
}

const (
	appBizChat   = 0
	appTeams     = 1
	copilotBotID = "fb8d773d-7ef8-4ec0-a117-179f88add510"
	turnRecords  = 2.05 // a prompt and its answers, on average
)

// Licensed reports whether a user has Microsoft 365 Copilot: six in seven have, guests have not, and the first user always has.
func (w *World) Licensed(u Ref) bool { return u.Index()%7 != 5 && !w.People.IsGuest(u.Index()) }

// copilotRates is how many turns a licensed user has on a working day.
type copilotRates struct{ user, demo float64 }

func (w *World) buildCopilotRates() *copilotRates {
	n := 0
	for u := range w.cfg.Users {
		if w.Licensed(Ref(u)) {
			n++
		}
	}
	days := w.workingDays(w.firstDay - 1)
	per := (1.06*float64(w.cfg.Interactions) + 20) / turnRecords / days / (float64(n) + 2)
	return &copilotRates{user: per, demo: max(3*per, 0.9)}
}

func (w *World) turnCount(u Ref, day int64) int {
	if !w.Licensed(u) || day < w.firstDay {
		return 0
	}
	rate, least := w.copilot().user, 0
	if u == 0 {
		rate = w.copilot().demo
	}
	if w.asksInMeeting(u, day) {
		least = 1
	}
	return max(least, countFor(rate*activity(day), Hash4(w.Seed, tagTurnCount, uint64(u), uint64(day))))
}

// asksInMeeting reports whether a day's first turn of a user is about a meeting: once a week the first user asks about one that has a chat
// and a call, so that on every date some meeting has records of all three.
func (w *World) asksInMeeting(u Ref, day int64) bool {
	return u == 0 && len(w.Chats().meetings) > 1 && weekday(day) == w.meetingDay(chatMixed)
}

func (w *World) turnHash(u Ref, day int64, k int) uint64 {
	return Hash4(w.Seed^uint64(k)<<40, tagTurn, uint64(u), uint64(day))
}

// turn computes the k-th turn of a user's day: a prompt and its answers.
func (w *World) turn(u Ref, day int64, k int, yield func(Interaction)) {
	in := Interaction{turn: w.turnHash(u, day, k), user: u, day: int32(day)}
	d := Dice(in.turn)
	// The mailbox's clock: equal ids in two users' histories are legitimate, in one user's they are not.
	at := day*DayMS + timeOfDay(&d, zones[u.Index()%len(zones)])&^0xffff + int64(k%256)*256
	in.App = uint8(pick(&d, []int{appBizChat, appBizChat, appBizChat, appTeams, appTeams, 2, 2, 3, 4}))
	if k == 0 && w.asksInMeeting(u, day) {
		in.App = appTeams
	}
	n := 1
	switch r := d.Under(1000); {
	case r < 60:
		n = 2
	case r < 75:
		n = 0
	}
	if !d.Chance(15) { // some answers come without a prompt
		in.Created, in.h = at, hash2(in.turn, 0)
		yield(in)
	}
	for i := 1; i <= n; i++ {
		at += 1 + int64(d.Under(120))
		in.Created, in.answer, in.h = at, int8(i), hash2(in.turn, uint64(i))
		yield(in)
	}
}

// History collects a user's interactions created between lo and hi, both exclusive, newest first with some disorder.
func (w *World) History(u Ref, lo, hi, now int64, keep func(*Interaction) bool) []Interaction {
	var out []Interaction
	for d := max(Day(max(lo, 0)), w.firstDay); d <= Day(min(hi, now)); d++ {
		for k := range w.turnCount(u, d) {
			w.turn(u, d, k, func(in Interaction) {
				if in.Created > lo && in.Created < hi && in.Created <= now && (keep == nil || keep(&in)) {
					out = append(out, in)
				}
			})
		}
	}
	place := func(in *Interaction) int64 { return displaced(in.h, in.Created) }
	slices.SortFunc(out, func(a, b Interaction) int {
		return cmp.Or(cmp.Compare(place(&b), place(&a)), cmp.Compare(b.Created, a.Created))
	})
	return out
}

// meetingOf is the meeting chat that a turn in Teams belongs to, if any.
func (w *World) meetingOf(in *Interaction) (uint32, bool) {
	if in.App != appTeams {
		return 0, false
	}
	if w.asksInMeeting(in.user, int64(in.day)) && in.turn == w.turnHash(in.user, int64(in.day), 0) {
		return chatMixed, true
	}
	var mine []uint32
	for _, c := range w.Chats().ChatsOf(in.user) {
		if w.Chats().Kinds[c] == meeting {
			mine = append(mine, c)
		}
	}
	if len(mine) == 0 {
		return 0, false
	}
	return mine[mix(in.turn+1)%uint64(len(mine))], true
}

// SessionID is the thread: in half of the meeting turns the meeting's own, else one per user, app and week.
func (w *World) SessionID(in *Interaction) string {
	if c, ok := w.meetingOf(in); ok && mix(in.turn+2)%2 == 0 {
		return w.ChatID(c)
	}
	h := Hash4(w.Seed, tagSession, uint64(in.user)<<8|uint64(in.App), uint64(in.day)/7)
	return "19:" + Base64URL(RandomGUID(h).Hex() + RandomGUID(h + 2).Hex()[:1])[:44] + "@thread.v2"
}

// ID returns the id of an interaction.
func (in *Interaction) ID() string { return strconv.FormatInt(in.Created, 10) }

// RenderInteraction is an aiInteraction.
func (w *World) RenderInteraction(in *Interaction, v View) Object {
	app := CopilotApps[in.App]
	d := Dice(mix(in.h + 1))
	request := any(RandomGUID(in.turn).String())
	if !v.Beta && d.Chance(10) {
		request = nil
	}
	kind, contexts, attachments, links := "userPrompt", List{}, List{}, List{}
	from := Object{{"@odata.type", "#microsoft.graph.chatMessageFromIdentitySet"}, {"application", nil}, {"device", nil}, {"user", nil}}
	var body Object
	if in.answer == 0 {
		id := w.People.ID(in.user)
		from.Set("user", Object{
			{"@odata.type", "#microsoft.graph.teamworkUserIdentity"},
			{"id", id},
			{"displayName", "8:orgid:" + id},
			{"userIdentityType", "aadUser"},
			{"tenantId", w.ID},
		})
		body = Object{{"contentType", "text"}, {"content", pick(&d, prompts[:])}}
	} else {
		kind = "aiResponse"
		from.Set("application", Object{
			{"@odata.type", "#microsoft.graph.teamworkApplicationIdentity"}, {"id", copilotBotID}, {"displayName", app.name}, {"applicationIdentityType", "bot"},
		})
		body, attachments, links = w.answerText(in, &d)
	}
	if c, ok := w.meetingOf(in); ok {
		ref := "https://microsoft.teams.com/threads/" + w.ChatID(c)
		contexts = append(contexts, Object{{"contextReference", ref}, {"displayName", "Teams Meeting Copilot"}, {"contextType", "TeamsMeeting"}})
		if in.answer > 0 {
			body.Set("content", body.Text("content")+`<attachment id="`+w.ChatID(c)+`"></attachment>`)
			attachments = append(attachments, copilotAttachment(w.ChatID(c), "reference", ref, nil, "Teams Meeting Copilot"))
		}
	}
	return Object{
		{"id", in.ID()},
		{"sessionId", w.SessionID(in)},
		{"requestId", request},
		{"appClass", app.Class},
		{"interactionType", kind},
		{"conversationType", app.conversation},
		{"etag", in.ID()},
		{"createdDateTime", TeamsTime(in.Created)},
		{"locale", "en-us"},
		{"contexts", contexts},
		{"from", from},
		{"body", w.renderBody(body, v)},
		{"attachments", attachments},
		{"links", links},
		{"mentions", w.copilotMentions(in, &d)},
	}
}

func copilotAttachment(id, contentType string, url, content, name any) Object {
	return Object{{"attachmentId", id}, {"contentType", contentType}, {"contentUrl", url}, {"content", content}, {"name", name}}
}

func (w *World) copilotMentions(in *Interaction, d *Dice) List {
	if in.answer > 0 || !d.Chance(60) {
		return List{}
	}
	whom := Ref(d.Under(w.cfg.Users))
	mentioned := Object{{"application", nil}, {"device", nil}, {"user", w.People.teamsIdentity(whom, withName)}, {"conversation", nil}, {"tag", nil}}
	return List{{{"mentionId", 0}, {"mentionText", w.People.Name(whom)}, {"mentioned", mentioned}}}
}

// answerText writes an answer as plain text, as HTML, or only inside an Adaptive Card.
func (w *World) answerText(in *Interaction, d *Dice) (body Object, attachments, links List) {
	attachments, links = List{}, List{}
	text := pick(d, answers[:])
	if d.Chance(300) {
		links = append(links, Object{{"linkUrl", "https://lindenhall-my.sharepoint.example/Documents/" + strconv.Itoa(d.Under(99)) + ".docx?web=1"}, {"displayName", pick(d, fileNames[:])}, {"linkType", "File"}})
	}
	if d.Chance(150) {
		links = append(links, Object{{"linkUrl", "https://teams.microsoft.com/l/meeting/details?eventId=AAMk" + RandomGUID(in.h).Hex() + "%3d"}, {"displayName", pick(d, topics[:])}, {"linkType", pick(d, []string{"Meeting", "Event"})}})
	}
	switch r := d.Under(100); {
	case r < 40:
		return Object{{"contentType", "text"}, {"content", text}}, attachments, links
	case r < 65:
		return html("<p>" + escapeHTML(text) + "</p>"), attachments, links
	default:
		id := RandomGUID(in.h).Hex()
		return html(`<attachment id="` + id + `"></attachment>`),
			append(attachments, copilotAttachment(id, "application/vnd.microsoft.card.adaptive", nil, answerCard(text), nil)), links
	}
}

// answerCard holds the answer twice, once with links and once with reference marks, in JSON with CRLF line ends.
func answerCard(text string) string {
	block := func(id, text string) string {
		s := "    {\r\n      \"type\": \"TextBlock\",\r\n"
		if id != "" {
			s += "      \"id\": \"" + id + "\",\r\n"
		}
		return s + "      \"text\": " + string(appendString(nil, text)) + ",\r\n      \"wrap\": true\r\n    }"
	}
	return "{\r\n  \"type\": \"AdaptiveCard\",\r\n  \"version\": \"1.0\",\r\n  \"body\": [\r\n" +
		block("", text+"[1](https://lindenhall-my.sharepoint.example/Documents/1.docx)") + ",\r\n" +
		block("MessageTextField", text+"[^1^]") + "\r\n  ]\r\n}"
}
