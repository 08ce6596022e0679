package graphsim

import (
	"slices"
	"strconv"
)

// view is how a record is to be written: API version, and whether the caller can take unknown enum members.
type view struct {
	beta    bool
	unknown bool // Prefer: include-unknown-enum-members
	typed   bool // every element says its type, as the export does

	root string // of links inside records: scheme, host and version
	now  int64  // ms

	viewer    ref // whose view of a chat is told; with delegated alone
	delegated bool
}

func optTime(ms int64) any {
	if ms == 0 {
		return nil
	}
	return teamsTime(ms)
}

func (w *world) renderBody(body object, v view) object {
	if v.beta {
		body = append(body, field{"messageBodyContentType", body.get("contentType")})
	}
	return body
}

func (m *message) messageType(v view) string {
	switch {
	case !m.system:
		return "message"
	case v.unknown:
		return "systemEventMessage"
	default:
		return "unknownFutureValue"
	}
}

func (m *message) id() string   { return strconv.FormatInt(m.created, 10) }
func (m *message) etag() string { return strconv.FormatInt(m.modified, 10) }

// renderMessage is a chatMessage in full.
func (w *world) renderMessage(m *message, v view) object {
	d := dice(mix(m.h + 3))
	o := make(object, 0, 28)
	if v.typed {
		o = append(o, field{"@odata.type", "#microsoft.graph.chatMessage"})
	}
	importance, subject := "normal", any(nil)
	switch r := d.under(100); {
	case m.system:
	case r < 3:
		importance = "high"
	case r < 4:
		importance = "urgent"
	case r < 7:
		subject = pick(&d, topics[:])
	}
	o = append(o,
		field{"id", m.id()}, field{"replyToId", nil}, field{"etag", m.etag()}, field{"messageType", m.messageType(v)},
		field{"createdDateTime", teamsTime(m.created)}, field{"lastModifiedDateTime", teamsTime(m.modified)},
		field{"lastEditedDateTime", optTime(m.edited)}, field{"deletedDateTime", optTime(m.deleted)},
		field{"subject", subject}, field{"summary", nil}, field{"chatId", w.chatID(m.chat)}, field{"importance", importance},
		field{"locale", "en-us"}, field{"webUrl", nil}, field{"channelIdentity", nil}, field{"policyViolation", policyViolation(m)},
	)
	if v.beta {
		o = append(o, field{"onBehalfOf", nil})
	}
	if m.system {
		return append(o,
			field{"from", nil}, field{"body", w.renderBody(html("<systemEventMessage/>"), v)}, field{"attachments", list{}},
			field{"mentions", list{}}, field{"reactions", list{}}, field{"messageHistory", list{}}, field{"eventDetail", w.systemEvent(m, v.beta)},
		)
	}
	body, attachments, mentions := w.chatText(m, &d)
	if !v.beta {
		withoutTags(mentions)
	}
	reactions, history := w.reactions(m)
	return append(o,
		field{"from", append(object{{"@odata.type", "#microsoft.graph.chatMessageFromIdentitySet"}}, w.people.teamsSet(w.sender(m), true)...)},
		field{"body", w.renderBody(body, v)}, field{"attachments", attachments}, field{"mentions", mentions},
		field{"reactions", reactions}, field{"messageHistory", history}, field{"eventDetail", nil},
	)
}

// withoutTags takes the mentioned tag out, which only beta declares.
func withoutTags(mentions list) {
	for _, m := range mentions {
		if mentioned, ok := m.get("mentioned").(object); ok {
			m.set("mentioned", slices.DeleteFunc(mentioned, func(f field) bool { return f.k == "tag" }))
		}
	}
}

func policyViolation(m *message) any {
	if m.system || m.h%331 != 5 {
		return nil
	}
	return object{
		{"dlpAction", "NotifySender,BlockAccess"},
		{"justificationText", nil},
		{"policyTip", object{
			{"complianceUrl", "https://compliance.lindenhall.example/policy"},
			{"generalText", "This message may hold a card number."},
			{"matchedConditionDescriptions", []string{"Credit card number"}},
		}},
		{"userAction", "None"},
		{"verdictDetails", "AllowOverrideWithoutJustification,AllowFalsePositiveOverride"},
	}
}

var reactionNames = [...][2]string{{"like", "Like"}, {"heart", "Heart"}, {"laugh", "Laugh"}, {"surprised", "Surprised"}, {"👍", "Like"}, {"sad", "Sad"}, {"custom", "shipit"}}

func (w *world) reactions(m *message) (reactions, history list) {
	n := int(m.reactions)
	reactions, history = make(list, 0, n), make(list, 0, n)
	members := w.chats().of(m.chat)
	for i := range n {
		d := dice(hash3(m.h, tagReaction, uint64(i)))
		kind, at := pick(&d, reactionNames[:]), teamsTime(m.reactionTime(i))
		who := members[d.under(len(members))]
		if who.kind() == kindBot {
			who = members[0]
		}
		var url any
		if kind[0] == "custom" {
			url = "https://graph.microsoft.com/v1.0/chats/" + w.chatID(m.chat) + "/messages/" + m.id() + "/hostedContents/" + randomGUID(m.h).hex() + "/$value"
		}
		user := object{{"application", nil}, {"device", nil}, {"user", w.people.teamsIdentity(who, false)}}
		r := object{{"reactionType", kind[0]}, {"displayName", kind[1]}, {"reactionContentUrl", url}, {"createdDateTime", at}, {"user", user}}
		reactions = append(reactions, r)
		history = append(history, object{{"modifiedDateTime", at}, {"actions", "reactionAdded"}, {"reaction", r}})
	}
	return reactions, history
}

// renderPreview is a chatMessageInfo: the last message of a chat in short.
func (w *world) renderPreview(m *message, v view) object {
	d := dice(mix(m.h + 3))
	d.under(100)
	o := object{
		{"id", m.id()},
		{"createdDateTime", teamsTime(m.created)},
		{"isDeleted", m.deleted > 0},
		{"messageType", m.messageType(v)},
	}
	if m.system {
		return append(o, field{"eventDetail", w.systemEvent(m, v.beta)}, field{"body", w.renderBody(html("<systemEventMessage/>"), v)}, field{"from", nil})
	}
	body, _, _ := w.chatText(m, &d)
	return append(o, field{"eventDetail", nil}, field{"body", w.renderBody(body, v)}, field{"from", w.people.teamsSet(w.sender(m), true)})
}

// viewpoint is how the signed-in user sees a chat; applications have none. Some have never read it.
func (w *world) viewpoint(c uint32, v view) any {
	if !v.delegated {
		return nil
	}
	h := hash3(w.seed, uint64(c), uint64(v.viewer))
	read := noTime
	if h%4 != 0 {
		read = teamsTime(w.chatCreated(c) + int64(h>>8%uint64(dayMS)))
	}
	return object{{"isHidden", h%5 == 0}, {"lastMessageReadDateTime", read}}
}

// renderChat is a chat without its members.
func (w *world) renderChat(c uint32, v view) object {
	t, created := w.chats(), w.chatCreated(c)
	o := object{
		{"id", w.chatID(c)},
		{"topic", orNull(w.topic(c))},
		{"createdDateTime", teamsTime(created)},
		{"lastUpdatedDateTime", teamsTime(created + int64(hash2(w.seed, uint64(c))%uint64(dayMS/4)))},
		{"chatType", t.kinds[c].String()},
		{"webUrl", "https://teams.microsoft.com/l/chat/" + pathEscape(w.chatID(c)) + "/0?tenantId=" + w.id},
		{"tenantId", w.id},
		{"isHiddenForAllMembers", false},
		{"viewpoint", w.viewpoint(c, v)},
	}
	var online any
	if t.kinds[c] == meeting {
		online = object{
			{"calendarEventId", "AAMkAD" + randomGUID(hash2(w.seed, uint64(c))).hex() + "="},
			{"joinWebUrl", w.joinURL(c)},
			{"organizer", w.people.teamsIdentity(w.organizer(c), false)},
		}
	}
	o = append(o, field{"onlineMeetingInfo", online})
	if v.beta {
		o = append(o, field{"createdBy", w.people.teamsSet(w.organizer(c), false)})
	}
	return o
}

// renderMember is a conversationMember of a chat.
func (w *world) renderMember(c uint32, r ref, owner bool) object {
	roles := []string{}
	switch {
	case owner:
		roles = []string{"owner"}
	case r.kind() == kindUser && w.people.isGuest(r.index()), r.kind() == kindFederated:
		roles = []string{"guest"}
	}
	since := noTime
	if h := hash3(w.seed, tagMember, uint64(c)<<32|uint64(r)); h%4 == 0 {
		since = teamsTime(w.chatCreated(c) + int64(h>>8%uint64(dayMS)))
	}
	id := w.people.id(r)
	o := object{
		{"@odata.type", "#microsoft.graph.aadUserConversationMember"},
		{"id", base64ID(w.id + "##" + w.chatID(c) + "##" + id)},
		{"roles", roles},
		{"displayName", w.people.teamsIdentity(r, true).get("displayName")},
		{"visibleHistoryStartDateTime", since},
	}
	switch r.kind() {
	case kindAnonymous:
		o.set("@odata.type", "#microsoft.graph.anonymousGuestConversationMember")
		return append(o, field{"anonymousGuestId", "8:teamsvisitor:" + id})
	case kindPhone:
		o.set("@odata.type", "#microsoft.graph.phoneUserConversationMember")
		return append(o, field{"phoneNumber", id})
	case kindPersonal:
		o.set("@odata.type", "#microsoft.graph.microsoftAccountUserConversationMember")
		return append(o, field{"userId", id})
	default:
		return append(o, field{"userId", id}, field{"email", orNull(w.people.mail(r))}, field{"tenantId", w.people.tenantOf(r)})
	}
}
