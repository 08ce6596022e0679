package plaintext_test

import (
	"strings"
	"testing"

	"github.com/parley-gateway/parley/source/plaintext"
)

// shortHTML is a chat message of the usual size and make.
const shortHTML = `<div><div><at id="0">General</at>&nbsp;Hello there!</div><p>Please see <a href="https://x.example/doc" title="d">the doc</a> and <b>reply</b></p><ul><li>one</li><li>two &amp; three</li></ul></div>`

func benchInputs() map[string]plaintext.Input {
	answer := strings.Repeat("- **[Rollout review](https://teams.example/l/1)**: the team agreed to move the pilot[1](https://teams.example/l/1).\\n", 10)
	marks := strings.Repeat("- **Rollout review[2]**: the team agreed to move the pilot[^2^].\\n", 10)
	return map[string]plaintext.Input{
		"text":      {ContentType: "text", Content: "Hello user2, user 3, how is the plan for Monday?"},
		"html/none": {ContentType: "html", Content: "Hello user2, user 3, how is the plan for Monday?"},
		"html/200B": {ContentType: "html", Content: shortHTML},
		"html/16KB": {ContentType: "html", Content: strings.Repeat(shortHTML, 80)},
		"markdown":  {ContentType: "markdown", Content: "**Hello**, see [the plan](https://x.example/plan) and `config.yaml`:\n\n- one\n- two [^1^]\n"},
		"card":      {ContentType: "html", Content: cardTag, Attachments: []plaintext.Attachment{attachedCard(adaptive(textBlock(answer), textBlock(marks)))}},
		"file":      {ContentType: "html", Content: "Here it is. " + cardTag, Attachments: []plaintext.Attachment{{ID: cardID, Name: "plan.docx", ContentType: "reference"}}},
	}
}

func BenchmarkPlain(b *testing.B) {
	for name, in := range benchInputs() {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(in.Content)))
			b.ReportAllocs()
			for b.Loop() {
				_ = plaintext.Plain(in)
			}
		})
	}
}

// TestAllocations keeps everyday messages cheap.
//
//nolint:paralleltest // counts the allocations of the whole process
func TestAllocations(t *testing.T) {
	inputs := benchInputs()
	for name, most := range map[string]float64{"text": 0, "html/none": 0, "html/200B": 2, "html/16KB": 2, "markdown": 2} {
		in := inputs[name]
		if got := testing.AllocsPerRun(100, func() { _ = plaintext.Plain(in) }); got > most {
			t.Errorf("%s: %.0f allocations, want at most %.0f", name, got, most)
		}
	}
}
