package data

// replyText is a message that answers an earlier one of its chat or forwards one of another chat. In chats replyToId is null:
// what is answered stands in an attachment, or in a quote, which older clients write; what is forwarded in an attachment.
func (w *World) replyText(m *Message, d *Dice, text string) (Object, List, List) {
	said := `<p>` + escapeHTML(text) + `</p>`
	way := d.Under(6)
	from := m.Chat
	if sender := w.Sender(m); way < 2 && sender.Kind() == kindUser {
		from = pick(d, w.Chats().ChatsOf(sender))
	}
	about, ok := w.earlier(from, m.Created)
	if !ok {
		return html(said), List{}, List{}
	}
	id, whom := about.ID(), w.Sender(&about)
	who := w.People.teamsSet(whom, withName)
	switch way {
	case 0, 1:
		refers := Object{
			{"originalMessageId", id},
			{"originalMessageContent", "<p>" + escapeHTML(w.said(&about)) + "</p>"},
			{"originalConversationId", w.ChatID(about.Chat)},
			{"originalSentDateTime", TeamsTime(about.Created)},
			{"originalMessageSender", who},
		}
		return html(said + `<attachment id="` + id + `"></attachment>`),
			List{attachment(id, "forwardedMessageReference", nil, string(AppendJSON(nil, refers)), nil)}, List{}
	case 2:
		return html(`<blockquote itemscope="" itemtype="http://schema.skype.com/Reply" itemid="` + id + `">` + "\n" +
			`<strong itemprop="mri" itemid="8:orgid:` + w.People.ID(whom) + `">` + escapeHTML(w.People.Name(whom)) + `</strong><span itemprop="time" itemid="` + id + `"></span>` + "\n" +
			`<p itemprop="preview">` + escapeHTML(w.said(&about)) + `</p>` + "\n</blockquote>\n" + said), List{}, List{}
	default:
		refers := Object{{"messageId", id}, {"messagePreview", w.said(&about)}, {"messageSender", who}}
		return html(`<attachment id="` + id + `"></attachment>` + said),
			List{attachment(id, "messageReference", nil, string(AppendJSON(nil, refers)), nil)}, List{}
	}
}

// earlierDays is how far back a message refers to another one.
const earlierDays = 7

// earlier is the last message of a chat before an instant that a person or a bot wrote.
func (w *World) earlier(c uint32, before int64) (Message, bool) {
	var last Message
	for d := Day(before); d > Day(before)-earlierDays && last.Created == 0; d-- {
		w.ChatMessages(c, d, d, before-1, func(m Message) {
			if !m.System && m.Created > last.Created {
				last = m
			}
		})
	}
	return last, last.Created > 0
}

// said is the first sentence of a message.
func (w *World) said(m *Message) string {
	d := Dice(mix(m.h + 3)) // drawn from as RenderMessage and chatText do
	if r := d.Under(100); r >= 4 && r < 7 {
		pick(&d, topics[:])
	}
	if w.Sender(m).Kind() == KindBot {
		d.Chance(400)
	}
	return pick(&d, sentences[:])
}
