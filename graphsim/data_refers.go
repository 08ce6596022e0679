package graphsim

// replyText is a message that answers an earlier one of its chat or forwards one of another chat. In chats replyToId is null:
// what is answered stands in an attachment, or in a quote, which older clients write; what is forwarded in an attachment.
func (w *world) replyText(m *message, d *dice, text string) (object, list, list) {
	said := `<p>` + escapeHTML(text) + `</p>`
	way := d.under(6)
	from := m.chat
	if sender := w.sender(m); way < 2 && sender.kind() == kindUser {
		from = pick(d, w.chats().chatsOf(sender))
	}
	about, ok := w.earlier(from, m.created)
	if !ok {
		return html(said), list{}, list{}
	}
	id, whom := about.id(), w.sender(&about)
	who := w.people.teamsSet(whom, true)
	switch way {
	case 0, 1:
		refers := object{
			{"originalMessageId", id},
			{"originalMessageContent", "<p>" + escapeHTML(w.said(&about)) + "</p>"},
			{"originalConversationId", w.chatID(about.chat)},
			{"originalSentDateTime", teamsTime(about.created)},
			{"originalMessageSender", who},
		}
		return html(said + `<attachment id="` + id + `"></attachment>`),
			list{attachment(id, "forwardedMessageReference", nil, string(appendJSON(nil, refers)), nil)}, list{}
	case 2:
		return html(`<blockquote itemscope="" itemtype="http://schema.skype.com/Reply" itemid="` + id + `">` + "\n" +
			`<strong itemprop="mri" itemid="8:orgid:` + w.people.id(whom) + `">` + escapeHTML(w.people.name(whom)) + `</strong><span itemprop="time" itemid="` + id + `"></span>` + "\n" +
			`<p itemprop="preview">` + escapeHTML(w.said(&about)) + `</p>` + "\n</blockquote>\n" + said), list{}, list{}
	default:
		refers := object{{"messageId", id}, {"messagePreview", w.said(&about)}, {"messageSender", who}}
		return html(`<attachment id="` + id + `"></attachment>` + said),
			list{attachment(id, "messageReference", nil, string(appendJSON(nil, refers)), nil)}, list{}
	}
}

// earlierDays is how far back a message refers to another one.
const earlierDays = 7

// earlier is the last message of a chat before an instant that a person or a bot wrote.
func (w *world) earlier(c uint32, before int64) (message, bool) {
	var last message
	for d := day(before); d > day(before)-earlierDays && last.created == 0; d-- {
		w.chatMessages(c, d, d, before-1, func(m message) {
			if !m.system && m.created > last.created {
				last = m
			}
		})
	}
	return last, last.created > 0
}

// said is the first sentence of a message.
func (w *world) said(m *message) string {
	d := dice(mix(m.h + 3)) // drawn from as renderMessage and chatText do
	if r := d.under(100); r >= 4 && r < 7 {
		pick(&d, topics[:])
	}
	if w.sender(m).kind() == kindBot {
		d.chance(400)
	}
	return pick(&d, sentences[:])
}
