package plaintext_test

import (
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/parley-gateway/parley/source/plaintext"
	"github.com/parley-gateway/parley/source/plaintext/html"
)

// hostileMax is the most bytes that hostileSize bytes of input may allocate.
const hostileMax = 32 << 20

// fill repeats s to hostileSize bytes.
func fill(s string) string { return strings.Repeat(s, hostileSize/len(s)) }

// fillEach joins what next gives for 0, 1, 2 … to hostileSize bytes.
func fillEach(next func(i int) string) string {
	var b strings.Builder
	for i := 0; b.Len() < hostileSize; i++ {
		b.WriteString(next(i))
	}
	return b.String()
}

// body is a message body of hostileSize bytes that costs much when read carelessly.
type body struct {
	name, kinds string // kinds: h, m, t for the types html, markdown and text that it troubles
	content     func() string
}

// filled makes a body of repetitions of s, behind prefix.
func filled(kinds, name, prefix, s string) body {
	return body{name: name, kinds: kinds, content: func() string { return prefix + fill(s) }}
}

// hostileBodies lists the bodies.
func hostileBodies() []body {
	return []body{
		filled("hmt", "plain", "", "x"),
		filled("hm", "words", "", "word "),
		filled("hm", "lines", "", "a\n"),
		filled("hmt", "angles", "", "<"),
		filled("hm", "ampersands", "", "&"),
		filled("h", "slash angles", "", "</"),
		filled("h", "comment starts", "", "<!--"),
		filled("h", "comment dashes", "<!--", "- "),
		filled("h", "open tag", "<a ", "x"),
		filled("h", "open quote", "<a href=\"", "x"),
		{"many attributes", "h", func() string { return "<a " + fillEach(func(i int) string { return strconv.Itoa(i) + " " }) + ">" }},
		{"same attribute", "h", func() string { return "<a " + fill("id=x ") + ">" }},
		{"huge attribute", "h", func() string { return "<a href=\"" + fill("x") + "\">t</a>" }},
		{"huge encoded href", "h", func() string { return "<a href=\"" + fill("&nGt;") + "\">t</a>" }},
		{"huge alt", "h", func() string { return "<img alt=\"" + fill("&amp;") + "\">" }},
		filled("h", "nested lists", "", "<ul><li>"),
		filled("h", "nested lists text", "", "<ul><li>a"),
		filled("h", "nested ordered", "", "<ol><li>a<br>b"),
		filled("h", "nested quotes", "", "<blockquote>a<br>"),
		filled("h", "nested divisions", "", "<div>"),
		filled("h", "nested tables", "", "<table><tr><td>a"),
		filled("h", "nested links", "<a href=y>", "<a href=x>"),
		filled("h", "nested links text", "", "<a href=x>y"),
		filled("h", "nested pre", "", "<pre>\n"),
		filled("h", "nested code", "", "<code> "),
		filled("h", "scripts", "", "<script></scrip"),
		filled("h", "raw end tags", "<script>", "</script"),
		filled("h", "titles", "", "<title>"),
		filled("hmt", "attachment tags", "", `<attachment id="a"></attachment>`),
		filled("hmt", "attachment starts", "", "<attachment "),
		filled("hmt", "attachment quotes", "", `<attachment id="`),
		filled("hm", "mentions", "", "<at>"),
		filled("hm", "breaks", "", "<br>"),
		filled("h", "breaks in pre", "<pre>", "<br>"),
		filled("h", "line ends in pre", "<pre>a", "\n"),
		filled("h", "cells", "<table><tr>", "<td>"),
		filled("hm", "wide references", "", "&nGt;"),
		filled("hm", "long reference", "&", "a"),
		filled("hm", "references", "", "&a&b;"),
		filled("h", "old references", "", "&notit"),
		filled("h", "numeric references", "", "&#1;"),
		filled("h", "long numeric", "&#", "9"),
		filled("h", "windows references", "", "&#128;"),
		filled("hmt", "invalid UTF-8", "", "\x80a"),
		filled("hm", "invalid bytes", "", "\xff"),
		filled("hm", "nulls", "", "\x00"),
		filled("hm", "zero width", "", "\u200b"),
		filled("h", "no-break spaces", "", "\u00a0"),
		filled("hmt", "escape characters", "", "\x1b\r"),
		filled("h", "images", "", "<img>"),
		filled("m", "images in HTML", "", "<img alt=a>"),
		filled("h", "cells and quotes", "<table><blockquote><blockquote>", "<td>a\n"),
		filled("h", "code in quotes", "<blockquote><blockquote>", "<pre>a<li>"),
		filled("m", "stars", "", "*"),
		filled("m", "emphasis", "", "*a"),
		filled("m", "emphasis mixed", "", "*a _b ~~c "),
		filled("m", "emphasis open", "", "*a "),
		filled("m", "emphasis close", "", "a* "),
		filled("m", "underscores", "", "_a_b"),
		filled("m", "emphasis deep", "", "*a_"),
		{"backticks", "m", func() string { return fillEach(func(i int) string { return strings.Repeat("`", i%70) + " " }) }},
		filled("m", "backtick pairs", "", "`a"),
		filled("m", "brackets", "", "["),
		filled("m", "brackets closed", "", "[]"),
		filled("m", "links", "", "[a](b)"),
		filled("m", "link starts", "", "[]("),
		filled("m", "link starts words", "", "[](aaaa"),
		filled("m", "link starts spaces", "", "[](a "),
		filled("m", "link starts titles", "", "[](a \""),
		filled("m", "link parentheses", "", "[](("),
		{"link spaces", "m", func() string { return "[](" + strings.Repeat(" ", 1<<20) }},
		filled("m", "images", "", "![a"),
		filled("m", "images closed", "", "![a]()"),
		filled("m", "citations", "", "[^1^]"),
		filled("m", "escapes", "", "\\*"),
		filled("m", "quotes", "", ">"),
		filled("m", "quote lines", "", "> > >\n"),
		filled("m", "hashes", "", "#"),
		filled("m", "rules", "", "---\n"),
		filled("m", "table rules", "", "|-|\n"),
		filled("m", "fences", "", "```\n"),
		{"long fence", "m", func() string { return fill("`") + "\n" + fill("a\n") }},
		filled("m", "indents", "", " \n"),
		filled("hm", "html in every style", "", "<p>a</p><b>*c*</b> [d](e) &lt; "),
	}
}

// hostileCards are JSON texts of hostileSize bytes.
func hostileCards() map[string]func() string {
	list := func(item string) func() string {
		return func() string { return `{"type":"AdaptiveCard","body":[` + fill(item+",") + item + `]}` }
	}
	return map[string]func() string{
		"arrays":        func() string { return fill("[") },
		"objects":       func() string { return fill(`{"items":[`) },
		"closed arrays": func() string { return strings.Repeat("[", 9000) + strings.Repeat("]", 9000) },
		"numbers":       list("0"),
		"empty objects": list("{}"),
		"small texts":   list(`{"text":"a"}`),
		"text blocks":   list(`{"type":"TextBlock","text":"ab cd"}`),
		"many texts": func() string {
			return `{"body":[` + fillEach(func(i int) string { return fmt.Sprintf(`{"text":"%d"},`, i) }) + `{}]}`
		},
		"many long texts": func() string {
			return `{"body":[` + fillEach(func(i int) string { return fmt.Sprintf(`{"text":"%036d"},`, i) }) + `{}]}`
		},
		"runs":        func() string { return `{"body":[{"type":"RichTextBlock","inlines":[` + fill(`"a",`) + `""]}]}` },
		"many runs":   list(`{"inlines":["a"]}`),
		"facts":       func() string { return `{"facts":[` + fill(`{"title":"a","value":"b"},`) + `{}]}` },
		"cells":       func() string { return `{"rows":[{"cells":[` + fill(`{"text":"a"},`) + `{}]}]}` },
		"empty cells": func() string { return `{"rows":[{"cells":[` + fill(`{},`) + `{"text":"a"}]}]}` },
		"rows":        func() string { return `{"rows":[` + fill(`{"cells":[{"text":"a"}]},`) + `{}]}` },
		"one text": func() string {
			return `{"type":"AdaptiveCard","body":[{"type":"TextBlock","text":"` + fill("x") + `"}]}`
		},
		"one escape": func() string {
			return `{"type":"AdaptiveCard","body":[{"type":"TextBlock","text":"` + fill(`\n`) + `"}]}`
		},
		"null escapes": func() string {
			return `{"type":"AdaptiveCard","body":[{"type":"TextBlock","text":"` + fill(`\u0000`) + `"}]}`
		},
		"star text": func() string {
			return `{"type":"AdaptiveCard","body":[{"type":"TextBlock","text":"` + fill(`*a `) + `"}]}`
		},
		"link text": func() string {
			return `{"type":"AdaptiveCard","body":[{"type":"TextBlock","text":"` + fill(`[](`) + `"}]}`
		},
		"bot html": func() string { return `{"title":"` + fill(`<b>`) + `"}` },
		"same key": func() string { return `{` + fill(`"text":"a",`) + `"text":""}` },
		"many keys": func() string {
			return `{` + fillEach(func(i int) string { return fmt.Sprintf(`"%d":0,`, i) }) + `"text":""}`
		},
		"deep titles": func() string {
			return strings.Repeat(`{"title":"a","items":[`, 60) + fill(`{"title":"b"},`) + `{}` + strings.Repeat(`]}`, 60)
		},
		"quote":         func() string { return `{"messagePreview":"` + fill(`a\n`) + `"}` },
		"forward":       func() string { return `{"originalMessageContent":"` + fill(`<br>a`) + `"}` },
		"white space":   func() string { return fill(" ") },
		"invalid UTF-8": func() string { return `{"text":"` + fill("\x80a") + `"}` },
	}
}

// attachedMany is a body with 100,000 attachments, about hostileSize bytes.
func attachedMany(kind string, mentioned, cards bool) plaintext.Input {
	const many = hostileSize / 40
	in := plaintext.Input{ContentType: kind, Attachments: make([]plaintext.Attachment, many)}
	var refs strings.Builder
	for i := range many {
		id := strconv.Itoa(i)
		in.Attachments[i] = plaintext.Attachment{ID: id, Name: "f" + id}
		if cards {
			in.Attachments[i].Content = `{"text":"t` + id + `"}`
		}
		if mentioned {
			refs.WriteString(`<attachment id="` + id + `"></attachment>`)
		}
	}
	in.Content = refs.String()
	return in
}

// hostileInputs calls use with every hostile input, one at a time.
func hostileInputs(use func(name string, in plaintext.Input)) {
	kinds := map[rune]string{'h': "html", 'm': "markdown", 't': "text"}
	for _, b := range hostileBodies() {
		for _, k := range b.kinds {
			use(kinds[k]+"/"+b.name, plaintext.Input{ContentType: kinds[k], Content: b.content()})
			if k != 't' {
				use("answer/"+b.name, plaintext.Input{ContentType: "html", Answer: true, Content: b.content()})
				use("answer/marked/"+b.name, plaintext.Input{ContentType: "html", Answer: true, Content: "<p>**a**</p>" + b.content()})
			}
		}
	}
	for name, content := range hostileCards() {
		use("card/"+name, plaintext.Input{ContentType: "html", Content: cardTag, Attachments: []plaintext.Attachment{attachedCard(content())}})
	}
	for _, kind := range kinds {
		use(kind+"/many files", attachedMany(kind, true, false))
		use(kind+"/many cards", attachedMany(kind, true, true))
		use(kind+"/many cards not mentioned", attachedMany(kind, false, true))
	}
}

// allocated gives the bytes that f allocates in total, freed or not. No other test may run meanwhile.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// TestHostileInputsCostLinearTime shows that 4 MiB of anything allocates at most 32 MiB, all told, and gives valid UTF-8 within the
// limit. It is not parallel: parallel tests wait until it is done, so the count is its own.
//
//nolint:paralleltest // counts the allocations of the whole process
func TestHostileInputsCostLinearTime(t *testing.T) {
	_ = html.Render("&hellip;", nil, plaintext.DefaultMax) // the table of character references is built on first use
	hostileInputs(func(name string, in plaintext.Input) {
		var got string
		if n := allocated(func() { got = plaintext.Plain(in) }); n > hostileMax {
			t.Errorf("%s: allocated %.1f MiB", name, float64(n)/(1<<20))
		}
		if len(got) > plaintext.DefaultMax || !utf8.ValidString(got) {
			t.Errorf("%s: %d bytes of text, valid UTF-8: %v", name, len(got), utf8.ValidString(got))
		}
	})
}

// BenchmarkHostile fails if an input takes more than a second.
func BenchmarkHostile(b *testing.B) {
	hostileInputs(func(name string, in plaintext.Input) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_ = plaintext.Plain(in)
			}
			if b.Elapsed() > time.Duration(b.N)*time.Second {
				b.Errorf("%v for each", b.Elapsed()/time.Duration(b.N))
			}
		})
	})
}
