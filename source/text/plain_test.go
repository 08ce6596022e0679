package text_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/parley-gateway/parley/source/text"
)

const (
	adaptiveType = "application/vnd.microsoft.card.adaptive"
	cardID       = "74d20c7f34aa4a7fb74e2b30004247c5"
	cardTag      = `<attachment id="74d20c7f34aa4a7fb74e2b30004247c5"></attachment>`
	threadID     = "19:meeting_YWJj@thread.v2"
	threadTag    = `<attachment id="19:meeting_YWJj@thread.v2"></attachment>`
)

func card(content string) text.Attachment {
	return text.Attachment{ID: cardID, ContentType: adaptiveType, Content: content}
}

func TestPlain(t *testing.T) {
	t.Parallel()
	file := text.Attachment{ID: "153fa47d", Name: "Budget.docx", ContentType: "reference", ContentURL: "https://x.example/Budget.docx"}
	meeting := text.Attachment{ID: threadID, Name: "Teams Meeting Copilot", ContentType: "reference"}
	quote := text.Attachment{ID: "1616963377068", ContentType: "messageReference", Content: `{"messageId":"1616963377068","messagePreview":"Shall we?\nToday?"}`}
	answer := adaptive(textBlock("It is done[1](https://x.example/1)."), textBlock("It is done[^1^]."))
	tests := []struct {
		name string
		in   text.Input
		want string
	}{
		{"nothing", text.Input{}, ""},
		{"text verbatim", text.Input{ContentType: "text", Content: "  a  <b> &amp;\n\n\n**c**\u200b "}, "  a  <b> &amp;\n\n\n**c**\u200b "},
		{"unknown type is text", text.Input{ContentType: "unknownFutureValue", Content: "<p>a</p>"}, "<p>a</p>"},
		{"invalid text", text.Input{ContentType: "text", Content: "a\xff"}, "a\ufffd"},
		{"html", text.Input{ContentType: "html", Content: "<p>a</p>"}, "a"},
		{"markdown", text.Input{ContentType: "markdown", Content: "**a**"}, "a"},
		{"system message", text.Input{ContentType: "html", Content: "<systemEventMessage/>"}, ""},
		{"system message as text", text.Input{ContentType: "text", Content: "<systemEventMessage/>"}, ""},

		{"tag in text", text.Input{ContentType: "text", Content: "Try again in a few minutes." + threadTag, Attachments: []text.Attachment{meeting}}, "Try again in a few minutes. [Teams Meeting Copilot]"},
		{"tag in text without attachments", text.Input{ContentType: "text", Content: "Try again." + threadTag}, "Try again."},
		{"card in text", text.Input{ContentType: "text", Content: "a" + cardTag + "b", Attachments: []text.Attachment{card(answer)}}, "a\nIt is done[1] (https://x.example/1).\nb"},
		{"odd tags in text", text.Input{ContentType: "text", Content: "a <attachment> <attachment <attachment id='x'/> <attachments>", Attachments: []text.Attachment{{ID: "x", Name: "n"}}}, "a <attachment> <attachment [n] <attachments>"},
		{"file in html", text.Input{ContentType: "html", Content: `Here's the budget. <attachment id="153fa47d"></attachment>!`, Attachments: []text.Attachment{file}}, "Here's the budget. [Budget.docx]!"},
		{"file in markdown", text.Input{ContentType: "markdown", Content: `**Budget** <attachment id="153fa47d"></attachment>`, Attachments: []text.Attachment{file}}, "Budget [Budget.docx]"},
		{"unknown id", text.Input{ContentType: "html", Content: `a<attachment id="nope"></attachment>b<attachment></attachment>`, Attachments: []text.Attachment{file}}, "ab"},
		{"file that is not mentioned", text.Input{ContentType: "html", Content: "a", Attachments: []text.Attachment{file}}, "a"},
		{"mentioned twice", text.Input{ContentType: "html", Content: cardTag + "x" + cardTag, Attachments: []text.Attachment{card(adaptive(textBlock("a")))}}, "a\nx"},
		{"encoded id", text.Input{ContentType: "html", Content: `<attachment id="a&amp;b"></attachment>`, Attachments: []text.Attachment{{ID: "a&b", Name: "n"}}}, "[n]"},
		{"name with controls", text.Input{ContentType: "text", Content: `<attachment id="a"></attachment>`, Attachments: []text.Attachment{{ID: "a", Name: "n\x00\n\u200bm\xff"}}}, "[nm\ufffd]"},

		{"card alone", text.Input{ContentType: "html", Content: cardTag, Attachments: []text.Attachment{card(answer)}}, "It is done[1] (https://x.example/1)."},
		{"cut content type", text.Input{ContentType: "html", Content: cardTag, Attachments: []text.Attachment{{ID: cardID, ContentType: "application/", Content: answer}}}, "It is done[1] (https://x.example/1)."},
		{"card between lines", text.Input{ContentType: "html", Content: "<p>a</p>" + cardTag + "<p>b</p>", Attachments: []text.Attachment{card(adaptive(textBlock(`x\n\n- y`)))}}, "a\nx\n\n- y\nb"},
		{"card in markdown", text.Input{ContentType: "markdown", Content: "**a** " + cardTag + "b", Attachments: []text.Attachment{card(adaptive(textBlock(`\\*x\\*`)))}}, "a \n*x*\nb"},
		{"card that is not mentioned", text.Input{ContentType: "html", Content: "<p>a</p>", Attachments: []text.Attachment{card(answer), file, quote}}, "a\nIt is done[1] (https://x.example/1).\n> Shall we?\n> Today?"},
		{"card that repeats the body", text.Input{ContentType: "text", Content: "It is **done**." + cardTag, Attachments: []text.Attachment{card(answer)}}, "It is **done**."},
		{"card before the body that it repeats", text.Input{ContentType: "html", Content: cardTag + "<p>It is done.</p>", Attachments: []text.Attachment{card(answer)}}, "It is done."},
		{"two cards of one text", text.Input{ContentType: "html", Content: cardTag, Attachments: []text.Attachment{card(answer), {ID: "2", Content: adaptive(textBlock("It is done"))}}}, "It is done[1] (https://x.example/1)."},
		{"card without text", text.Input{ContentType: "html", Content: "a " + cardTag, Attachments: []text.Attachment{{ID: cardID, Name: "A card", Content: "{}"}}}, "a [A card]"},
		{"card that is not JSON", text.Input{ContentType: "html", Content: "a " + cardTag, Attachments: []text.Attachment{card(`{"type":"AdaptiveCard","body":`)}}, "a"},
		{"card content null", text.Input{ContentType: "html", Content: "a " + cardTag, Attachments: []text.Attachment{card("")}}, "a"},
		{"card content the word null", text.Input{ContentType: "html", Content: "a " + cardTag, Attachments: []text.Attachment{card("null")}}, "a"},

		{"quote before a reply", text.Input{ContentType: "html", Content: "<attachment id=\"1616963377068\"></attachment>\n<p>Yes.</p>", Attachments: []text.Attachment{quote}}, "> Shall we?\n> Today?\nYes."},
		{"quote that equals the reply", text.Input{ContentType: "html", Content: "<attachment id=\"1616963377068\"></attachment>\n<p>Shall we? Today?</p>", Attachments: []text.Attachment{quote}}, "> Shall we?\n> Today?\nShall we? Today?"},

		{"limit in html", text.Input{ContentType: "html", Content: "<p>äöü</p>", Max: 3}, "ä"},
		{"limit in plain html", text.Input{ContentType: "html", Content: "äöü", Max: 3}, "ä"},
		{"limit in text", text.Input{ContentType: "text", Content: "äöü", Max: 3}, "ä"},
		{"limit in text with tag", text.Input{ContentType: "text", Content: "äöü" + cardTag, Max: 3}, "ä"},
		{"limit in markdown", text.Input{ContentType: "markdown", Content: "**äöü**", Max: 5}, "**ä"},
		{"limit in card", text.Input{ContentType: "html", Content: cardTag, Attachments: []text.Attachment{card(answer)}, Max: 5}, "It is"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if got := string(text.AppendPlain([]byte("> "), test.in)); got != "> "+test.want {
				t.Errorf("appended: %q", got)
			}
			if diff := cmp.Diff(test.want, text.Plain(test.in)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
