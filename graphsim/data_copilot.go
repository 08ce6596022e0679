package graphsim

import (
	"cmp"
	"slices"
	"strconv"
)

// interaction is one prompt or answer of a Copilot session.
type interaction struct {
	created int64 // ms
	h       uint64
	turn    uint64 // shared by a prompt and its answers
	user    ref
	app     uint8
	answer  int8 // 0 = the prompt, 1.. = answers
	day     int32
}

type copilotApp struct{ class, conversation, name string }

var copilotApps = [...]copilotApp{
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

// licensed tells who has Microsoft 365 Copilot: six in seven, not the guests, always the first user.
func (w *world) licensed(u ref) bool { return u.index()%7 != 5 && !w.people.isGuest(u.index()) }

// copilotRates is how many turns a licensed user has on a working day.
type copilotRates struct{ user, demo float64 }

func (w *world) buildCopilotRates() *copilotRates {
	n := 0
	for u := range w.cfg.Users {
		if w.licensed(ref(u)) {
			n++
		}
	}
	days := w.workingDays(w.firstDay - 1)
	per := (1.06*float64(w.cfg.Interactions) + 20) / turnRecords / days / (float64(n) + 2)
	return &copilotRates{user: per, demo: max(3*per, 0.9)}
}

func (w *world) turnCount(u ref, day int64) int {
	if !w.licensed(u) || day < w.firstDay {
		return 0
	}
	rate := w.copilot().user
	if u == 0 {
		rate = w.copilot().demo
	}
	return countFor(rate*activity(day), hash4(w.seed, tagTurnCount, uint64(u), uint64(day)))
}

// turn computes the k-th turn of a user's day: a prompt and its answers.
func (w *world) turn(u ref, day int64, k int, yield func(interaction)) {
	in := interaction{turn: hash4(w.seed^uint64(k)<<40, tagTurn, uint64(u), uint64(day)), user: u, day: int32(day)}
	d := dice(in.turn)
	// The mailbox's clock: equal ids in two users' histories are legitimate, in one user's they are not.
	at := day*dayMS + timeOfDay(&d, zones[u.index()%len(zones)])&^0xffff + int64(k%256)*256
	in.app = uint8(pick(&d, []int{appBizChat, appBizChat, appBizChat, appTeams, appTeams, 2, 2, 3, 4}))
	n := 1
	switch r := d.under(1000); {
	case r < 60:
		n = 2
	case r < 75:
		n = 0
	}
	if !d.chance(15) { // some answers come without a prompt
		in.created, in.h = at, hash2(in.turn, 0)
		yield(in)
	}
	for i := 1; i <= n; i++ {
		at += 1 + int64(d.under(120))
		in.created, in.answer, in.h = at, int8(i), hash2(in.turn, uint64(i))
		yield(in)
	}
}

// history collects a user's interactions created between lo and hi, both exclusive, newest first with some disorder.
func (w *world) history(u ref, lo, hi, now int64, keep func(*interaction) bool) []interaction {
	var out []interaction
	for d := max(day(max(lo, 0)), w.firstDay); d <= day(min(hi, now)); d++ {
		for k := range w.turnCount(u, d) {
			w.turn(u, d, k, func(in interaction) {
				if in.created > lo && in.created < hi && in.created <= now && (keep == nil || keep(&in)) {
					out = append(out, in)
				}
			})
		}
	}
	place := func(in *interaction) int64 {
		if in.h%8 == 3 {
			return in.created + int64(in.h>>8%5_400_000) - 2_700_000
		}
		return in.created
	}
	slices.SortFunc(out, func(a, b interaction) int {
		return cmp.Or(cmp.Compare(place(&b), place(&a)), cmp.Compare(b.created, a.created))
	})
	return out
}

// meetingOf is the meeting chat that a turn in Teams belongs to, if any.
func (w *world) meetingOf(in *interaction) (uint32, bool) {
	if in.app != appTeams {
		return 0, false
	}
	var mine []uint32
	for _, c := range w.chats().chatsOf(in.user) {
		if w.chats().kinds[c] == meeting {
			mine = append(mine, c)
		}
	}
	if len(mine) == 0 {
		return 0, false
	}
	return mine[mix(in.turn+1)%uint64(len(mine))], true
}

// sessionID is the thread: in half of the meeting turns the meeting's own, else one per user, app and week.
func (w *world) sessionID(in *interaction) string {
	if c, ok := w.meetingOf(in); ok && mix(in.turn+2)%2 == 0 {
		return w.chatID(c)
	}
	h := hash4(w.seed, tagSession, uint64(in.user)<<8|uint64(in.app), uint64(in.day)/7)
	return "19:" + base64URL(randomGUID(h).hex() + randomGUID(h + 2).hex()[:1])[:44] + "@thread.v2"
}

func (in *interaction) id() string { return strconv.FormatInt(in.created, 10) }

func (w *world) renderInteraction(in *interaction, v view) object {
	app := copilotApps[in.app]
	d := dice(mix(in.h + 1))
	request := any(randomGUID(in.turn).String())
	if !v.beta && d.chance(10) {
		request = nil
	}
	kind, contexts, attachments, links := "userPrompt", list{}, list{}, list{}
	from := object{{"@odata.type", "#microsoft.graph.chatMessageFromIdentitySet"}, {"application", nil}, {"device", nil}, {"user", nil}}
	var body object
	if in.answer == 0 {
		id := w.people.id(in.user)
		from.set("user", object{
			{"@odata.type", "#microsoft.graph.teamworkUserIdentity"},
			{"id", id},
			{"displayName", "8:orgid:" + id},
			{"userIdentityType", "aadUser"},
			{"tenantId", w.id},
		})
		body = object{{"contentType", "text"}, {"content", pick(&d, prompts[:])}}
	} else {
		kind = "aiResponse"
		from.set("application", object{
			{"@odata.type", "#microsoft.graph.teamworkApplicationIdentity"}, {"id", copilotBotID}, {"displayName", app.name}, {"applicationIdentityType", "bot"},
		})
		body, attachments, links = w.answerText(in, &d)
	}
	if c, ok := w.meetingOf(in); ok {
		ref := "https://microsoft.teams.com/threads/" + w.chatID(c)
		contexts = append(contexts, object{{"contextReference", ref}, {"displayName", "Teams Meeting Copilot"}, {"contextType", "TeamsMeeting"}})
		if in.answer > 0 {
			body.set("content", body.text("content")+`<attachment id="`+w.chatID(c)+`"></attachment>`)
			attachments = append(attachments, copilotAttachment(w.chatID(c), "reference", ref, nil, "Teams Meeting Copilot"))
		}
	}
	return object{
		{"id", in.id()},
		{"sessionId", w.sessionID(in)},
		{"requestId", request},
		{"appClass", app.class},
		{"interactionType", kind},
		{"conversationType", app.conversation},
		{"etag", in.id()},
		{"createdDateTime", teamsTime(in.created)},
		{"locale", "en-us"},
		{"contexts", contexts},
		{"from", from},
		{"body", w.renderBody(body, v)},
		{"attachments", attachments},
		{"links", links},
		{"mentions", w.copilotMentions(in, &d)},
	}
}

func copilotAttachment(id, contentType string, url, content, name any) object {
	return object{{"attachmentId", id}, {"contentType", contentType}, {"contentUrl", url}, {"content", content}, {"name", name}}
}

func (w *world) copilotMentions(in *interaction, d *dice) list {
	if in.answer > 0 || !d.chance(60) {
		return list{}
	}
	whom := ref(d.under(w.cfg.Users))
	mentioned := object{{"application", nil}, {"device", nil}, {"user", w.people.teamsIdentity(whom, true)}, {"conversation", nil}, {"tag", nil}}
	return list{{{"mentionId", 0}, {"mentionText", w.people.name(whom)}, {"mentioned", mentioned}}}
}

// answerText writes an answer as plain text, as HTML, or only inside an Adaptive Card.
func (w *world) answerText(in *interaction, d *dice) (body object, attachments, links list) {
	attachments, links = list{}, list{}
	text := pick(d, answers[:])
	if d.chance(300) {
		links = append(links, object{{"linkUrl", "https://lindenhall-my.sharepoint.example/Documents/" + strconv.Itoa(d.under(99)) + ".docx?web=1"}, {"displayName", pick(d, fileNames[:])}, {"linkType", "File"}})
	}
	if d.chance(150) {
		links = append(links, object{{"linkUrl", "https://teams.microsoft.com/l/meeting/details?eventId=AAMk" + randomGUID(in.h).hex() + "%3d"}, {"displayName", pick(d, topics[:])}, {"linkType", pick(d, []string{"Meeting", "Event"})}})
	}
	switch r := d.under(100); {
	case r < 40:
		return object{{"contentType", "text"}, {"content", text}}, attachments, links
	case r < 65:
		return html("<p>" + escapeHTML(text) + "</p>"), attachments, links
	default:
		id := randomGUID(in.h).hex()
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
