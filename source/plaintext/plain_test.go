package plaintext_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/parley-gateway/parley/source/plaintext"
)

const (
	adaptiveType = "application/vnd.microsoft.card.adaptive"
	cardID       = "74d20c7f34aa4a7fb74e2b30004247c5"
	cardTag      = `<attachment id="74d20c7f34aa4a7fb74e2b30004247c5"></attachment>`
	threadID     = "19:meeting_YWJj@thread.v2"
	threadTag    = `<attachment id="19:meeting_YWJj@thread.v2"></attachment>`
)

func attachedCard(content string) plaintext.Attachment {
	return plaintext.Attachment{ID: cardID, ContentType: adaptiveType, Content: content}
}

// adaptive wraps body elements into an Adaptive Card.
func adaptive(elements ...string) string {
	return `{"type":"AdaptiveCard","version":"1.0","body":[` + strings.Join(elements, ",") + `]}`
}

// textBlock is a TextBlock with JSON text s.
func textBlock(s string) string { return `{"type":"TextBlock","text":"` + s + `","wrap":true}` }

func TestPlainTextOfBodiesAndAttachments(t *testing.T) {
	t.Parallel()
	file := plaintext.Attachment{ID: "153fa47d", Name: "Budget.docx", ContentType: "reference", ContentURL: "https://x.example/Budget.docx"}
	meeting := plaintext.Attachment{ID: threadID, Name: "Teams Meeting Copilot", ContentType: "reference"}
	quote := plaintext.Attachment{ID: "1616963377068", ContentType: "messageReference", Content: `{"messageId":"1616963377068","messagePreview":"Shall we?\nToday?"}`}
	answer := adaptive(textBlock("It is done[1](https://x.example/1)."), textBlock("It is done[^1^]."))
	tests := []struct {
		name string
		in   plaintext.Input
		want string
	}{
		{"nothing", plaintext.Input{}, ""},
		{"text verbatim", plaintext.Input{ContentType: "text", Content: "  a  <b> &amp;\n\n\n**c**\u200b "}, "  a  <b> &amp;\n\n\n**c**\u200b "},
		{"unknown type is text", plaintext.Input{ContentType: "unknownFutureValue", Content: "<p>a</p>"}, "<p>a</p>"},
		{"invalid text", plaintext.Input{ContentType: "text", Content: "a\xff"}, "a\ufffd"},
		{"html", plaintext.Input{ContentType: "html", Content: "<p>a</p>"}, "a"},
		{"markdown", plaintext.Input{ContentType: "markdown", Content: "**a**"}, "a"},
		{"system message", plaintext.Input{ContentType: "html", Content: "<systemEventMessage/>"}, ""},
		{"system message as text", plaintext.Input{ContentType: "text", Content: "<systemEventMessage/>"}, ""},

		{"tag in text", plaintext.Input{ContentType: "text", Content: "Try again in a few minutes." + threadTag, Attachments: []plaintext.Attachment{meeting}}, "Try again in a few minutes. [Teams Meeting Copilot]"},
		{"tag in text without attachments", plaintext.Input{ContentType: "text", Content: "Try again." + threadTag}, "Try again."},
		{"card in text", plaintext.Input{ContentType: "text", Content: "a" + cardTag + "b", Attachments: []plaintext.Attachment{attachedCard(answer)}}, "a\nIt is done[1] (https://x.example/1).\nb"},
		{"odd tags in text", plaintext.Input{ContentType: "text", Content: "a <attachment> <attachment <attachment id='x'/> <attachments>", Attachments: []plaintext.Attachment{{ID: "x", Name: "n"}}}, "a <attachment> <attachment [n] <attachments>"},
		{"file in html", plaintext.Input{ContentType: "html", Content: `Here's the budget. <attachment id="153fa47d"></attachment>!`, Attachments: []plaintext.Attachment{file}}, "Here's the budget. [Budget.docx]!"},
		{"file in markdown", plaintext.Input{ContentType: "markdown", Content: `**Budget** <attachment id="153fa47d"></attachment>`, Attachments: []plaintext.Attachment{file}}, "Budget [Budget.docx]"},
		{"unknown id", plaintext.Input{ContentType: "html", Content: `a<attachment id="nope"></attachment>b<attachment></attachment>`, Attachments: []plaintext.Attachment{file}}, "ab"},
		{"file that is not mentioned", plaintext.Input{ContentType: "html", Content: "a", Attachments: []plaintext.Attachment{file}}, "a"},
		{"mentioned twice", plaintext.Input{ContentType: "html", Content: cardTag + "x" + cardTag, Attachments: []plaintext.Attachment{attachedCard(adaptive(textBlock("a")))}}, "a\nx"},
		{"encoded id", plaintext.Input{ContentType: "html", Content: `<attachment id="a&amp;b"></attachment>`, Attachments: []plaintext.Attachment{{ID: "a&b", Name: "n"}}}, "[n]"},
		{"name with controls", plaintext.Input{ContentType: "text", Content: `<attachment id="a"></attachment>`, Attachments: []plaintext.Attachment{{ID: "a", Name: "n\x00\n\u200bm\xff"}}}, "[nm\ufffd]"},

		{"name with bidirectional controls", plaintext.Input{ContentType: "html", Content: `<attachment id="a"></attachment>`, Attachments: []plaintext.Attachment{{ID: "a", Name: "invoice\u202efdp\u2066.exe\u200f"}}}, "[invoicefdp.exe\u200f]"},
		{"controls in text", plaintext.Input{ContentType: "text", Content: "a\x00b\x1b[31mc\x7f\td\r\ne\rf\u0085g\u009bh\vi\u00a0"}, "ab[31mc\td\ne\nf\ngh\ni\u00a0"},
		{"controls in text with a tag", plaintext.Input{ContentType: "text", Content: "a\x1b" + threadTag + "\x07\u009b", Attachments: []plaintext.Attachment{meeting}}, "a [Teams Meeting Copilot]"},
		{"controls in an unknown type", plaintext.Input{ContentType: "", Content: "\x1b]0;a\x07"}, "]0;a"},
		{"controls in a card", plaintext.Input{ContentType: "html", Content: cardTag, Attachments: []plaintext.Attachment{attachedCard(adaptive(textBlock(`a\u001b\u0000b\u0085`)))}}, "ab"},
		{"controls in a code snippet's name", plaintext.Input{ContentType: "html", Content: cardTag, Attachments: []plaintext.Attachment{{ID: cardID, Content: `{"codeSnippetUrl":"x","name":"a\u001b\u202eb"}`}}}, "[code snippet: ab]"},

		{"file alone", plaintext.Input{ContentType: "html", Content: `<attachment id="153fa47d"></attachment>`, Attachments: []plaintext.Attachment{file}}, "[Budget.docx]"},
		{"file alone, without name", plaintext.Input{ContentType: "html", Content: `<attachment id="a"></attachment>`, Attachments: []plaintext.Attachment{{ID: "a", ContentType: "reference"}}}, "[file]"},
		{"file beside an empty body", plaintext.Input{ContentType: "html", Content: "<p>&nbsp;</p>", Attachments: []plaintext.Attachment{file, {ID: "b", ContentType: "image/png"}}}, "[Budget.docx] [image]"},
		{"attachments of other types alone", plaintext.Input{ContentType: "text", Attachments: []plaintext.Attachment{
			{ContentType: "video/mp4"},
			{ContentType: adaptiveType},
			{ContentType: "meetingReference"},
			{ContentType: "tabReference"},
			{ContentType: "x"},
			{},
			{ContentType: "messageReference", Content: "{"},
			{ContentType: "forwardedMessageReference", Content: `{"originalMessageId":"1"}`},
		}}, "[video] [card] [meeting] [tab] [attachment] [attachment]\n> [message]\n> [forwarded message]"},
		{"picture alone", plaintext.Input{ContentType: "html", Content: `<div><img src="https://x.example/hostedContents/a/$value" alt=""></div>`}, "[image]"},
		{"forward of a picture", plaintext.Input{ContentType: "html", Content: `<attachment id="1"></attachment>`, Attachments: []plaintext.Attachment{{
			ID: "1", ContentType: "forwardedMessageReference", Content: `{"originalMessageId":"1","originalMessageContent":"<p><img src=\"x\"></p>"}`,
		}}}, "> [image]"},
		{"preview of a file", plaintext.Input{ContentType: "html", Content: `<attachment id="a"></attachment>`}, "[attachment]"},
		{"preview of a file in a text", plaintext.Input{ContentType: "text", Content: `<attachment id="a"></attachment> `}, "[attachment]"},
		{"nothing at all", plaintext.Input{ContentType: "html", Content: "<p></p>"}, ""},

		{"card alone", plaintext.Input{ContentType: "html", Content: cardTag, Attachments: []plaintext.Attachment{attachedCard(answer)}}, "It is done[1] (https://x.example/1)."},
		{"cut content type", plaintext.Input{ContentType: "html", Content: cardTag, Attachments: []plaintext.Attachment{{ID: cardID, ContentType: "application/", Content: answer}}}, "It is done[1] (https://x.example/1)."},
		{"card between lines", plaintext.Input{ContentType: "html", Content: "<p>a</p>" + cardTag + "<p>b</p>", Attachments: []plaintext.Attachment{attachedCard(adaptive(textBlock(`x\n\n- y`)))}}, "a\nx\n\n- y\nb"},
		{"card in markdown", plaintext.Input{ContentType: "markdown", Content: "**a** " + cardTag + "b", Attachments: []plaintext.Attachment{attachedCard(adaptive(textBlock(`\\*x\\*`)))}}, "a \n*x*\nb"},
		{"card that is not mentioned", plaintext.Input{ContentType: "html", Content: "<p>a</p>", Attachments: []plaintext.Attachment{attachedCard(answer), file, quote}}, "a\nIt is done[1] (https://x.example/1).\n> Shall we?\n> Today?"},
		{"card that repeats the body", plaintext.Input{ContentType: "text", Content: "It is **done**." + cardTag, Attachments: []plaintext.Attachment{attachedCard(answer)}}, "It is **done**."},
		{"card before the body that it repeats", plaintext.Input{ContentType: "html", Content: cardTag + "<p>It is done.</p>", Attachments: []plaintext.Attachment{attachedCard(answer)}}, "It is done."},
		{"two cards of one text", plaintext.Input{ContentType: "html", Content: cardTag, Attachments: []plaintext.Attachment{attachedCard(answer), {ID: "2", Content: adaptive(textBlock("It is done"))}}}, "It is done[1] (https://x.example/1)."},
		{"card without text", plaintext.Input{ContentType: "html", Content: "a " + cardTag, Attachments: []plaintext.Attachment{{ID: cardID, Name: "A card", Content: "{}"}}}, "a [A card]"},
		{"card alone that is not JSON", plaintext.Input{ContentType: "html", Content: cardTag, Attachments: []plaintext.Attachment{attachedCard(`{"type":`)}}, "[card]"},
		{"card that is not JSON", plaintext.Input{ContentType: "html", Content: "a " + cardTag, Attachments: []plaintext.Attachment{attachedCard(`{"type":"AdaptiveCard","body":`)}}, "a"},
		{"card content null", plaintext.Input{ContentType: "html", Content: "a " + cardTag, Attachments: []plaintext.Attachment{attachedCard("")}}, "a"},
		{"card content the word null", plaintext.Input{ContentType: "html", Content: "a " + cardTag, Attachments: []plaintext.Attachment{attachedCard("null")}}, "a"},

		{"quote before a reply", plaintext.Input{ContentType: "html", Content: "<attachment id=\"1616963377068\"></attachment>\n<p>Yes.</p>", Attachments: []plaintext.Attachment{quote}}, "> Shall we?\n> Today?\nYes."},
		{"quote that equals the reply", plaintext.Input{ContentType: "html", Content: "<attachment id=\"1616963377068\"></attachment>\n<p>Shall we? Today?</p>", Attachments: []plaintext.Attachment{quote}}, "> Shall we?\n> Today?\nShall we? Today?"},

		{"answer in HTML and Markdown", plaintext.Input{ContentType: "html", Answer: true, Content: "<div>\n## Plan\n\n- **First** item &amp; more [1](https://x.example/1)\n- snake_case_name\n</div>"}, "Plan\n\n- First item & more [1] (https://x.example/1)\n- snake_case_name"},
		{"answer in paragraphs of Markdown", plaintext.Input{ContentType: "html", Answer: true, Content: "<p>**Bold** <b>b</b> by <at id=\"0\">Jane</at></p><p>1. one<br>2. two[^2^]</p>"}, "Bold b by @Jane\n1. one\n2. two[2]"},
		{"answer with a table and code in Markdown", plaintext.Input{ContentType: "html", Answer: true, Content: "| A | B |\n|---|---|\n| `x*y*` | 2 |\n\n```go\na*b*\n```"}, "A | B\nx*y* | 2\n\na*b*"},
		{"answer in Markdown without tags", plaintext.Input{ContentType: "html", Answer: true, Content: "It is *done*.\nAll 2 &lt; 3."}, "It is done.\nAll 2 < 3."},
		{"answer in Markdown with a card", plaintext.Input{ContentType: "html", Answer: true, Content: "**Done** " + cardTag, Attachments: []plaintext.Attachment{attachedCard(adaptive(textBlock("x")))}}, "Done \nx"},
		{"answer in HTML lists and Markdown", plaintext.Input{ContentType: "html", Answer: true, Content: "<ol><li>**a**<ul><li>b</li></ul></li><li><a href=\"https://x.example/?a=1&amp;b=2\">c</a> <img></li></ol><pre><code>**d** &lt;</code></pre><blockquote>e\nf</blockquote>g"}, "1. a\n  - b\n2. c (https://x.example/?a=1&b=2) [image]\n**d** <\n> e\n> f\ng"},
		{"answer in HTML alone", plaintext.Input{ContentType: "html", Answer: true, Content: "<p>2 * 3 * 4\nis a_b_c</p>\n<ul>\n<li>x</li>\n<li>y</li></ul><code>**z**</code>"}, "2 * 3 * 4 is a_b_c\n- x\n- y\n**z**"},
		{"message in HTML and Markdown", plaintext.Input{ContentType: "html", Content: "<p>**not** Markdown</p>"}, "**not** Markdown"},
		{"answer of type text", plaintext.Input{ContentType: "text", Answer: true, Content: "**a**"}, "**a**"},

		{"limit in html", plaintext.Input{ContentType: "html", Content: "<p>äöü</p>", Max: 3}, "ä"},
		{"limit in plain html", plaintext.Input{ContentType: "html", Content: "äöü", Max: 3}, "ä"},
		{"limit in text", plaintext.Input{ContentType: "text", Content: "äöü", Max: 3}, "ä"},
		{"limit in text with tag", plaintext.Input{ContentType: "text", Content: "äöü" + cardTag, Max: 3}, "ä"},
		{"limit in markdown", plaintext.Input{ContentType: "markdown", Content: "**äöü**", Max: 5}, "**ä"},
		{"limit in card", plaintext.Input{ContentType: "html", Content: cardTag, Attachments: []plaintext.Attachment{attachedCard(answer)}, Max: 5}, "It is"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if got := string(plaintext.AppendPlain([]byte("> "), test.in)); got != "> "+test.want {
				t.Errorf("appended: %q", got)
			}
			if diff := cmp.Diff(test.want, plaintext.Plain(test.in)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
