package card_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/parley-gateway/parley/source/plaintext/card"
)

// adaptive wraps body elements into an Adaptive Card.
func adaptive(elements ...string) string {
	return `{"type":"AdaptiveCard","version":"1.0","body":[` + strings.Join(elements, ",") + `]}`
}

// textBlock is a TextBlock with JSON text s.
func textBlock(s string) string { return `{"type":"TextBlock","text":"` + s + `","wrap":true}` }

// read returns the text of one card.
func read(jsonText string) (text string, ok bool) {
	r := card.NewReader()
	text, _, ok = r.Read(jsonText, 1<<20)
	return text, ok
}

func TestRead(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, in, want string }{
		{"empty object", `{}`, ""},
		{"byte order mark and line ends", "\ufeff\r\n{\r\n \"type\": \"AdaptiveCard\",\r\n \"body\": [" + textBlock("a") + "]\r\n}\r\n", "a"},
		{"text block", adaptive(textBlock(`**Hello** [you](https://x.example)\n\n- a\n- b`)), "Hello you (https://x.example)\n\n- a\n- b"},
		{"type after the rest", `{"body":[{"items":[{"size":"medium","url":"https://x.example/i","type":"Image"},{"text":"TEAM","type":"TextBlock"}],"type":"Container"}],"speak":"no","type":"AdaptiveCard"}`, "TEAM"},
		{"rich text", adaptive(`{"type":"RichTextBlock","inlines":["a ",{"type":"TextRun","text":"*b*","weight":"bolder"},{"type":"TextRun"}," c",null]}`), "a *b* c"},
		{"columns", adaptive(`{"type":"ColumnSet","columns":[{"type":"Column","items":[` + textBlock("7") + `]},{"type":"Column","items":[` + textBlock("7") + "," + textBlock("7") + `]}]}`), "7\n7\n7"},
		{"facts", adaptive(`{"type":"FactSet","facts":[{"title":"Owner","value":"**Ada**"},{"title":"Due:","value":5},{"title":"Open","value":true},{"value":"x"},{"title":"Only","value":null}]}`), "Owner: Ada\nDue: 5\nOpen: true\nx\nOnly:"},
		{"table", adaptive(`{"type":"Table","columns":[{"width":1}],"rows":[{"type":"TableRow","cells":[{"type":"TableCell","items":[`+textBlock("A")+`]},{"type":"TableCell","items":[`+textBlock("B")+","+textBlock("C")+`]}]},{"type":"TableRow","cells":[{"type":"TableCell","items":[]},{"type":"TableCell","items":[`+textBlock("D")+`]}]}]}`, textBlock("end")), "A | B C\n| D\nend"},
		{"actions and inputs", adaptive(textBlock("a"),
			`{"type":"ActionSet","actions":[{"type":"Action.Submit","title":"no"}]}`,
			`{"type":"Input.Text","label":"no","title":"no","value":"no","text":"no"}`,
			`{"type":"Container","selectAction":{"type":"Action.OpenUrl","title":"no"},"items":[`+textBlock("b")+`]}`,
			`{"type":"Action.ShowCard","items":[`+textBlock("no")+`]}`,
			`{"type":"Image","url":"no","altText":"no"}`), "a\nb"},
		{"code block", adaptive(`{"type":"CodeBlock","language":"Go","codeSnippet":"a := *b\n\treturn"}`), "a := *b\n\treturn"},
		{"unknown element", adaptive(`{"type":"Future","text":"a","items":[` + textBlock("b") + `]}`), "a\nb"},
		{"values of other types", adaptive(`{"type":"TextBlock","text":{"a":1}}`, `{"type":"TextBlock","text":12}`, `null`, `5`, `[1]`, `{"type":["x"],"items":7,"facts":{},"inlines":"x"}`), "12"},
		{"escapes", adaptive(textBlock(`\u00e9 \ud83d\ude00 \ud800 \"q\" a\u0000b`)), "é 😀 \ufffd \"q\" ab"},
		{"duplicate names", `{"type":"AdaptiveCard","body":[` + textBlock("a") + `],"body":[` + textBlock("b") + `]}`, "a\nb"},
		{"thumbnail card", `{"title":"Posted","subtitle":"<h3>A subtitle</h3>","text":"Body. <br>And a <a href=\"https://x.example/\">link</a>.","images":[{"url":"no","alt":"no"}],"buttons":[{"type":"messageBack","title":"no","text":"no"}]}`, "Posted\nA subtitle\nBody.\nAnd a link (https://x.example/)."},
		{"connector card", `{"@type":"MessageCard","summary":"no","title":"Build","sections":[{"activityTitle":"**Ada**","activitySubtitle":"today","activityImage":"no","facts":[{"name":"Branch","value":"main"}],"text":"Failed"}],"potentialAction":[{"name":"no"}]}`, "Build\nAda\ntoday\nFailed\nBranch: main"},
		{"connector card with a summary only", `{"@type":"MessageCard","summary":"Only this"}`, "Only this"},
		{"list card", `{"title":"Files","items":[{"type":"section","title":"New"},{"type":"file","id":"no","title":"Report","subtitle":"teams > new"}]}`, "Files\nNew\nReport\nteams > new"},
		{"announcement", `{"title":"Notice","cardImageType":"colorTheme","cardImageDetails":{"colorTheme":"indigo"}}`, "Notice"},
		{"code snippet", `{"name":"","language":"python","codeSnippetUrl":"https://x.example/$value"}`, "[code snippet: python]"},
		{"code snippet without language", `{"codeSnippetUrl":"https://x.example/$value"}`, "[code snippet]"},
		{"quoted message", `{"messageId":"1616963377068","messagePreview":"Hello *there*\nall\u200b","messageSender":{"application":null,"device":null,"user":{"userIdentityType":"aadUser","id":"x","displayName":"no"}}}`, "> Hello *there*\n> all"},
		{"forwarded message", `{"originalMessageId":"1","originalMessageContent":"\n<p>hello <b>all</b></p><p>bye</p>\n","originalConversationId":"19:x@thread.v2","originalMessageSender":{"user":{"displayName":"no"}}}`, "> hello all\n> bye"},
		{"meeting", `{"exchangeId":null,"subject":"Weekly","organizerId":"no"}`, "Weekly"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, ok := read(test.in)
			if diff := cmp.Diff(test.want, got); diff != "" || !ok {
				t.Errorf("read(%s) = ok %v (-want +got):\n%s", test.in, ok, diff)
			}
		})
	}
}

func TestReadOfNoCard(t *testing.T) {
	t.Parallel()
	for _, in := range []string{
		"", " ", "null", "true", "[]", `"text"`, "{", "{}x", "{} {}", "<p>no</p>", `{"type":"AdaptiveCard","body":[`,
		`{"type":"AdaptiveCard","body":[{"type":"TextBlock","text":"a"}]`, `{"a":}`, `{'a':1}`,
		strings.Repeat(`{"items":[`, 100_000),
	} {
		if got, ok := read(in); ok || got != "" {
			t.Errorf("read(%.40q) = %.40q, %v; want nothing", in, got, ok)
		}
	}
}

// TestReadOnce shows that an answer that a card repeats is given once.
func TestReadOnce(t *testing.T) {
	t.Parallel()
	const long = "The quarterly review moved to Thursday at ten"
	tests := []struct {
		name   string
		blocks []string
		want   string
	}{
		{"same text", []string{"Hi", "Hi"}, "Hi"},
		{"links before marks", []string{"Done[1](https://x.example/1).", "Done[^1^]."}, "Done[1] (https://x.example/1)."},
		{"marks before links", []string{"Done[^1^].", "Done[1](https://x.example/1)."}, "Done[1] (https://x.example/1)."},
		{"plain before links", []string{"Read plan.docx", "Read **[plan.docx](https://x.example/p)** [2]"}, "Read plan.docx (https://x.example/p) [2]"},
		{"broken links before marks", []string{`- **[plan](**: read[1](\\nnow`, "- **plan[3]**: read[^1^]\\nnow"}, "- plan[3]: read[1]\nnow"},
		{"three forms", []string{long, long + "[^1^]", long + " [1](https://x.example/1)"}, long + " [1] (https://x.example/1)"},
		{"long, apart", []string{long + ".", "Between", long + "!"}, long + ".\nBetween"},
		{"short, apart", []string{"Yes", "No", "Yes"}, "Yes\nNo\nYes"},
		{"different numbers", []string{"Paid 100", "Paid 200"}, "Paid 100\nPaid 200"},
		{"different scripts", []string{"会议推迟了", "会议取消了"}, "会议推迟了\n会议取消了"},
		{"emoji only", []string{"👍", "👍"}, "👍\n👍"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var blocks []string
			for _, b := range test.blocks {
				blocks = append(blocks, textBlock(strings.ReplaceAll(b, `\\n`, `\n`)))
			}
			if got, _ := read(adaptive(blocks...)); got != test.want {
				t.Errorf("read(%q) = %q, want %q", test.blocks, got, test.want)
			}
		})
	}
}
