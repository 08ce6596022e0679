package data

import (
	"fmt"
	"strconv"
	"strings"
)

var sentences = [...]string{
	"Can you look at the draft before noon?", "The numbers for last week are in.", "I moved our meeting by half an hour.",
	"Thanks, that helped a lot.", "Who has the latest version of the contract?", "The build is green again.",
	"Let us wait for the supplier's answer.", "I will be out of the office tomorrow afternoon.", "Good point, I had missed that.",
	"Please add your hours until Friday.", "The customer asked for a second demo.", "Coffee at ten?",
	"Résumé of the call is in the folder — naïve questions welcome 😀.", "5 < 7 && \"quoted\" text stays as it is.",
	"We agreed on the second option.", "The test rack is free from Thursday on.", "日本のチームにも共有しました。",
	"I have a question about the invoice from May.", "Shall we ask legal first?", "Done.",
}

var prompts = [...]string{
	"What should be on my radar from last week's mail?", "Summarize the discussion so far.", "List the open action items with their owners.",
	"Draft a polite answer to the supplier.", "Which of my meetings clash tomorrow?", "Rewrite this paragraph in plain language.",
	"Explain the difference between the two price lists.", "Turn these notes into a table.", "What did we decide about the harbour launch?",
}

var answers = [...]string{
	"Here are the main points:\n\n- The launch stays on schedule.\n- Two suppliers have not confirmed yet.\n- The budget needs one more approval.",
	"There are three open items. **Mara** checks the contract, **Jonas** books the room, and the price list is still without an owner.",
	"You have two overlapping meetings tomorrow at 10:00. Would you like me to propose another time?",
	"The second list adds a discount for orders above 500 units; apart from that both are equal.",
	"The team decided to begin with the northern warehouse and to review the result after four weeks.",
	"I could not find anything about that in the files that you can open.",
}

var fileNames = [...]string{"Budget 2027.xlsx", "Launch plan.docx", "Floor map.pdf", "Interview notes.docx", "Rack photo.png", "Prices & terms.xlsx"}

// chatText fills body, attachments and mentions of a message by a person or a bot.
func (w *World) chatText(m *Message, d *Dice) (body Object, attachments, mentions List) {
	from := w.Sender(m)
	if m.Deleted > 0 {
		return Object{{"contentType", "html"}, {"content", ""}}, List{}, List{}
	}
	if from.Kind() == KindBot && d.Chance(400) {
		return w.cardText(d)
	}
	text := pick(d, sentences[:])
	if d.Chance(300) {
		text += " " + pick(d, sentences[:])
	}
	switch r := d.Under(100); {
	case r < 55:
		return Object{{"contentType", "text"}, {"content", text}}, List{}, List{}
	case r < 75:
		return html("<p>" + escapeHTML(text) + "</p>"), List{}, List{}
	case r < 83:
		return w.mentionText(m, d, text)
	case r < 89:
		return w.fileText(m, d, text)
	case r < 93:
		return w.replyText(m, d, text)
	case r < 96:
		return html("<div><div>\n<div>" + escapeHTML(text) + "</div>\n<ul>\n<li>one</li>\n<li>two&nbsp;<strong>bold</strong></li>\n</ul>\n</div>\n</div>"), List{}, List{}
	case r < 98:
		source := fmt.Sprintf("https://graph.microsoft.com/v1.0/chats/%s/messages/%d/hostedContents/%s/$value", w.ChatID(m.Chat), m.Created, RandomGUID(m.h).Hex())
		if d.Chance(300) {
			return html(`<div><div>` + "\n" + `<div><img src="` + source + `" width="320" height="200" style="vertical-align:bottom"></div>` + "\n</div>\n</div>"), List{}, List{}
		}
		return html(`<p>` + escapeHTML(text) + `</p><p><img alt="picture" src="` + source + `" width="320" height="200"></p>`), List{}, List{}
	default:
		if d.Chance(400) {
			return html(`<p>` + escapeHTML(text) + ` <customemoji id="` + RandomGUID(m.h).Hex() + `" alt="ship_it" source="https://statics.teams.example/emoji/ship_it.png"></customemoji></p>`), List{}, List{}
		}
		return html(`<p>` + escapeHTML(text) + ` <a href="https://intranet.` + w.Domain + `/page/` + strconv.Itoa(d.Under(900)) + `">page</a> <emoji id="smile" alt="🙂" title="Smile"></emoji></p>`), List{}, List{}
	}
}

func html(s string) Object { return Object{{"contentType", "html"}, {"content", s}} }

func escapeHTML(s string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;").Replace(s)
}

func attachment(id, contentType string, url, content, name any) Object {
	return Object{
		{"id", id},
		{"contentType", contentType},
		{"contentUrl", url},
		{"content", content},
		{"name", name},
		{"thumbnailUrl", nil},
		{"teamsAppId", nil},
	}
}

func (w *World) cardText(d *Dice) (Object, List, List) {
	id := RandomGUID(d.next()).Hex()
	card := "{\r\n  \"type\": \"AdaptiveCard\",\r\n  \"version\": \"1.4\",\r\n  \"body\": [\r\n    {\r\n      \"type\": \"TextBlock\",\r\n      \"text\": " +
		string(appendString(nil, pick(d, sentences[:]))) + ",\r\n      \"wrap\": true\r\n    }\r\n  ]\r\n}"
	return html(`<attachment id="` + id + `"></attachment>`),
		List{attachment(id, "application/vnd.microsoft.card.adaptive", nil, card, nil)}, List{}
}

func (w *World) mentionText(m *Message, d *Dice, text string) (Object, List, List) {
	whom := pick(d, w.Chats().Members(m.Chat))
	name := w.People.Name(whom)
	mentioned := Object{{"application", nil}, {"device", nil}, {"conversation", nil}, {"tag", nil}, {"user", nil}}
	switch {
	case whom.Kind() == KindBot:
		mentioned.Set("application", w.People.teamsIdentity(whom, withName))
	case d.Chance(150) || name == "":
		name = "Everyone"
		mentioned.Set("conversation", Object{{"id", w.ChatID(m.Chat)}, {"displayName", name}, {"conversationIdentityType", "chat"}})
	default:
		mentioned.Set("user", w.People.teamsIdentity(whom, withName))
	}
	body := html(`<p><at id="0">` + escapeHTML(name) + `</at>&nbsp;` + escapeHTML(text) + `</p>`)
	return body, List{}, List{{{"id", 0}, {"mentionText", name}, {"mentioned", mentioned}}}
}

func (w *World) fileText(m *Message, d *Dice, text string) (Object, List, List) {
	id, name := RandomGUID(d.next()).String(), pick(d, fileNames[:])
	url := "https://lindenhall-my.sharepoint.example/personal/" + strconv.FormatUint(uint64(m.Chat), 10) + "/Documents/Microsoft%20Teams%20Chat%20Files/" + strings.ReplaceAll(name, " ", "%20")
	said := `<p>` + escapeHTML(text) + `</p>`
	if d.Chance(200) {
		said = ""
	}
	return html(said + `<attachment id="` + id + `"></attachment>`),
		List{attachment(id, "reference", url, nil, name)}, List{}
}
