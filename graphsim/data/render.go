package data

import (
	"slices"
	"strconv"
)

// View says how a record is written: for which version of the API, which request, and whom.
type View struct {
	Beta     bool
	Unknown  bool // Prefer: include-unknown-enum-members
	Typed    bool // every element says its type, as the export does
	Retained bool // deleted messages have the text that they had

	Root string // of links inside records: scheme, host and version
	Now  int64  // ms

	Viewer    Ref // the signed-in user, if Delegated
	Delegated bool
}

func optTime(ms int64) any {
	if ms == 0 {
		return nil
	}
	return TeamsTime(ms)
}

func (w *World) renderBody(body Object, v View) Object {
	if v.Beta {
		body = append(body, Field{"messageBodyContentType", body.get("contentType")})
	}
	return body
}

func (m *Message) messageType(v View) string {
	switch {
	case !m.System:
		return "message"
	case v.Unknown:
		return "systemEventMessage"
	default:
		return "unknownFutureValue"
	}
}

// ID returns the id of a message.
func (m *Message) ID() string { return strconv.FormatInt(m.Created, 10) }

// ETag returns the version of a message.
func (m *Message) ETag() string { return strconv.FormatInt(m.Modified, 10) }

// RenderMessage is a chatMessage in full.
func (w *World) RenderMessage(m *Message, v View) Object {
	d := Dice(mix(m.h + 3))
	o := make(Object, 0, 28)
	if v.Typed {
		o = append(o, Field{"@odata.type", "#microsoft.graph.chatMessage"})
	}
	importance, subject := "normal", any(nil)
	switch r := d.Under(100); {
	case m.System:
	case r < 3:
		importance = "high"
	case r < 4:
		importance = "urgent"
	case r < 7:
		subject = pick(&d, topics[:])
	}
	o = append(o,
		Field{"id", m.ID()}, Field{"replyToId", nil}, Field{"etag", m.ETag()}, Field{"messageType", m.messageType(v)},
		Field{"createdDateTime", TeamsTime(m.Created)}, Field{"lastModifiedDateTime", TeamsTime(m.Modified)},
		Field{"lastEditedDateTime", optTime(m.edited)}, Field{"deletedDateTime", optTime(m.Deleted)},
		Field{"subject", subject}, Field{"summary", nil}, Field{"chatId", w.ChatID(m.Chat)}, Field{"importance", importance},
		Field{"locale", "en-us"}, Field{"webUrl", nil}, Field{"channelIdentity", nil}, Field{"policyViolation", policyViolation(m)},
	)
	if v.Beta {
		o = append(o, Field{"onBehalfOf", nil})
	}
	if m.System {
		return append(o,
			Field{"from", nil}, Field{"body", w.renderBody(html("<systemEventMessage/>"), v)}, Field{"attachments", List{}},
			Field{"mentions", List{}}, Field{"reactions", List{}}, Field{"messageHistory", List{}}, Field{"eventDetail", w.systemEvent(m, v.Beta)},
		)
	}
	written := *m
	if v.Retained {
		written.Deleted = 0
	}
	body, attachments, mentions := w.chatText(&written, &d)
	if !v.Beta {
		withoutTags(mentions)
	}
	reactions, history := w.reactions(m)
	return append(o,
		Field{"from", append(Object{{"@odata.type", "#microsoft.graph.chatMessageFromIdentitySet"}}, w.People.teamsSet(w.Sender(m), withName)...)},
		Field{"body", w.renderBody(body, v)}, Field{"attachments", attachments}, Field{"mentions", mentions},
		Field{"reactions", reactions}, Field{"messageHistory", history}, Field{"eventDetail", nil},
	)
}

// withoutTags takes the mentioned tag out, which only beta declares.
func withoutTags(mentions List) {
	for _, m := range mentions {
		if mentioned, ok := m.get("mentioned").(Object); ok {
			m.Set("mentioned", slices.DeleteFunc(mentioned, func(f Field) bool { return f.Key == "tag" }))
		}
	}
}

func policyViolation(m *Message) any {
	if m.System || m.h%331 != 5 {
		return nil
	}
	return Object{
		{"dlpAction", "NotifySender,BlockAccess"},
		{"justificationText", nil},
		{"policyTip", Object{
			{"complianceUrl", "https://compliance.lindenhall.example/policy"},
			{"generalText", "This message may hold a card number."},
			{"matchedConditionDescriptions", []string{"Credit card number"}},
		}},
		{"userAction", "None"},
		{"verdictDetails", "AllowOverrideWithoutJustification,AllowFalsePositiveOverride"},
	}
}

var reactionNames = [...][2]string{{"like", "Like"}, {"heart", "Heart"}, {"laugh", "Laugh"}, {"surprised", "Surprised"}, {"👍", "Like"}, {"sad", "Sad"}, {"custom", "shipit"}}

func (w *World) reactions(m *Message) (reactions, history List) {
	n := int(m.reactions)
	reactions, history = make(List, 0, n), make(List, 0, n)
	members := w.Chats().Members(m.Chat)
	for i := range n {
		d := Dice(Hash3(m.h, tagReaction, uint64(i)))
		kind, at := pick(&d, reactionNames[:]), TeamsTime(m.reactionTime(i))
		who := members[d.Under(len(members))]
		if who.Kind() == KindBot {
			who = members[0]
		}
		var url any
		if kind[0] == "custom" {
			url = "https://graph.microsoft.com/v1.0/chats/" + w.ChatID(m.Chat) + "/messages/" + m.ID() + "/hostedContents/" + RandomGUID(m.h).Hex() + "/$value"
		}
		user := Object{{"application", nil}, {"device", nil}, {"user", w.People.teamsIdentity(who, withoutName)}}
		r := Object{{"reactionType", kind[0]}, {"displayName", kind[1]}, {"reactionContentUrl", url}, {"createdDateTime", at}, {"user", user}}
		reactions = append(reactions, r)
		history = append(history, Object{{"modifiedDateTime", at}, {"actions", "reactionAdded"}, {"reaction", r}})
	}
	return reactions, history
}

// RenderPreview is a chatMessageInfo: the last message of a chat in short.
func (w *World) RenderPreview(m *Message, v View) Object {
	d := Dice(mix(m.h + 3))
	d.Under(100)
	o := Object{
		{"id", m.ID()},
		{"createdDateTime", TeamsTime(m.Created)},
		{"isDeleted", m.Deleted > 0},
		{"messageType", m.messageType(v)},
	}
	if m.System {
		return append(o, Field{"eventDetail", w.systemEvent(m, v.Beta)}, Field{"body", w.renderBody(html("<systemEventMessage/>"), v)}, Field{"from", nil})
	}
	body, _, _ := w.chatText(m, &d)
	return append(o, Field{"eventDetail", nil}, Field{"body", w.renderBody(body, v)}, Field{"from", w.People.teamsSet(w.Sender(m), withName)})
}

// viewpoint is how the signed-in user sees a chat; applications have none. Some have never read it.
func (w *World) viewpoint(c uint32, v View) any {
	if !v.Delegated {
		return nil
	}
	h := Hash3(w.Seed, uint64(c), uint64(v.Viewer))
	read := noTime
	if h%4 != 0 {
		read = TeamsTime(w.ChatCreated(c) + int64(h>>8%uint64(DayMS)))
	}
	return Object{{"isHidden", h%5 == 0}, {"lastMessageReadDateTime", read}}
}

// RenderChat is a chat without its members.
func (w *World) RenderChat(c uint32, v View) Object {
	t, created := w.Chats(), w.ChatCreated(c)
	o := Object{
		{"id", w.ChatID(c)},
		{"topic", orNull(w.topic(c))},
		{"createdDateTime", TeamsTime(created)},
		{"lastUpdatedDateTime", TeamsTime(created + int64(hash2(w.Seed, uint64(c))%uint64(DayMS/4)))},
		{"chatType", t.Kinds[c].String()},
		{"webUrl", "https://teams.microsoft.com/l/chat/" + PathEscape(w.ChatID(c)) + "/0?tenantId=" + w.ID},
		{"tenantId", w.ID},
		{"isHiddenForAllMembers", false},
		{"viewpoint", w.viewpoint(c, v)},
	}
	var online any
	if t.Kinds[c] == meeting {
		online = Object{
			{"calendarEventId", "AAMkAD" + RandomGUID(hash2(w.Seed, uint64(c))).Hex() + "="},
			{"joinWebUrl", w.joinURL(c)},
			{"organizer", w.People.teamsIdentity(w.organizer(c), withoutName)},
		}
	}
	o = append(o, Field{"onlineMeetingInfo", online})
	if v.Beta {
		o = append(o, Field{"createdBy", w.People.teamsSet(w.organizer(c), withoutName)})
	}
	return o
}

// RenderMember returns a conversationMember of a chat.
func (w *World) RenderMember(c uint32, r Ref) Object {
	roles := []string{}
	switch {
	case r == w.organizer(c):
		roles = []string{"owner"}
	case r.Kind() == kindUser && w.People.IsGuest(r.Index()), r.Kind() == kindFederated:
		roles = []string{"guest"}
	}
	since := noTime
	if h := Hash3(w.Seed, tagMember, uint64(c)<<32|uint64(r)); h%4 == 0 {
		since = TeamsTime(w.ChatCreated(c) + int64(h>>8%uint64(DayMS)))
	}
	id := w.People.ID(r)
	o := Object{
		{"@odata.type", "#microsoft.graph.aadUserConversationMember"},
		{"id", Base64ID(w.ID + "##" + w.ChatID(c) + "##" + id)},
		{"roles", roles},
		{"displayName", w.People.teamsIdentity(r, withName).get("displayName")},
		{"visibleHistoryStartDateTime", since},
	}
	switch r.Kind() {
	case kindAnonymous:
		o.Set("@odata.type", "#microsoft.graph.anonymousGuestConversationMember")
		return append(o, Field{"anonymousGuestId", "8:teamsvisitor:" + id})
	case kindPhone:
		o.Set("@odata.type", "#microsoft.graph.phoneUserConversationMember")
		return append(o, Field{"phoneNumber", id})
	case kindPersonal:
		o.Set("@odata.type", "#microsoft.graph.microsoftAccountUserConversationMember")
		return append(o, Field{"userId", id})
	default:
		return append(o, Field{"userId", id}, Field{"email", orNull(w.People.Mail(r))}, Field{"tenantId", w.People.tenantOf(r)})
	}
}
