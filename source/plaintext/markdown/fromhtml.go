package markdown

import (
	"regexp"
	"strconv"
	"strings"

	nethtml "golang.org/x/net/html"

	"github.com/parley-gateway/parley/source/plaintext/html"
	"github.com/parley-gateway/parley/source/plaintext/textbuf"
)

// maxLook bounds the text that is searched for Markdown. An answer that is written in it shows it early.
const maxLook = 64 << 10

// markdownMarks finds what Markdown writes and people who write HTML do not: bold text and text that is struck out, links, citations,
// code, headings, list items and tables.
var markdownMarks = regexp.MustCompile(`(?m)\*\*[^\s*][^\n]*?\*\*|__[^\s_][^\n]*?__|~~[^\s~][^\n]*?~~|\]\((?:https?://|mailto:)|\[\^\d+\^\]|` +
	"`[^`\\n]+`|^[ \\t]*(?:#{1,6} +[^\\s]|```|[-*+] +[^\\s]|\\d{1,3}[.)] +[^\\s]|\\|[^\\n]*\\|[ \\t]*$)")

// FromAnswer returns an HTML answer of Copilot as Markdown. ok is false for an answer that is HTML alone: it has elements
// other than those of Teams, and no mark of Markdown in its text.
func FromAnswer(content string) (text string, ok bool) {
	content = textbuf.Valid(content)
	if content == "<systemEventMessage/>" {
		return "", false
	}
	words, elements := visibleStart(content)
	if elements && !markdownMarks.Match(words) {
		return "", false
	}
	w := converter{out: make([]byte, 0, textbuf.Room(len(content), maxMarkdown))}
	w.run(content)
	return string(w.out), true
}

// visibleStart is the beginning of the text that content shows, code left out, and whether content has elements other than those
// of Teams.
func visibleStart(content string) (words []byte, elements bool) {
	s := html.NewScanner(content)
	for code := 0; len(words) < maxLook; {
		kind := s.Next()
		t := &s.Tok
		switch {
		case kind == html.TokenEOF:
			return words, elements
		case kind == html.TokenText:
			if code == 0 && !t.Tag.IsHidden() {
				words = append(words, t.Text[:min(len(t.Text), maxLook)]...)
			}
			continue
		case t.Tag == html.TagAt, t.Tag == html.TagAttachment, t.Tag == html.TagEmoji:
			continue
		case t.Tag == html.TagBr:
			words = append(words, '\n')
			continue
		}
		elements = true
		switch {
		case t.Tag == html.TagOther, t.Tag == html.TagA:
		case t.Tag != html.TagPre && t.Tag != html.TagCode:
			words = append(words, '\n')
		case kind == html.TokenStart:
			code++
		default:
			code = max(code-1, 0)
		}
	}
	return words, elements
}

// converter writes HTML as the Markdown that means the same; text stays as it is written, since it is Markdown already.
type converter struct {
	scan   html.Scanner
	out    []byte
	quotes int
	depth  int
	lists  [html.MaxLists]int // the number of the next item of each open list, or 0 for bullets
	pre    int
	code   int
	cells  int
	href   string // the address of the open link, as written
	block  bool   // there were only block tags since the last line end: white space before the text is left out
	skip   bool   // the text up to the next tag is left out: an alt text stands for it
}

func (w *converter) run(content string) {
	w.scan, w.block = html.NewScanner(content), true
	for len(w.out) < maxMarkdown {
		t := &w.scan.Tok
		switch w.scan.Next() {
		case html.TokenEOF:
			w.endLink()
			return
		case html.TokenText:
			if !w.skip && !t.Tag.IsHidden() {
				w.text(t.Text, t.Raw)
			}
		case html.TokenStart:
			w.skip = false
			w.start(t)
		case html.TokenEnd:
			w.skip = false
			w.end(t.Tag)
		}
	}
}

// maxMarkdown bounds what is written; the text that is made of it is half of that at most.
const maxMarkdown = 2 << 20

// put appends s, or what still fits.
func (w *converter) put(s string) {
	w.out = append(w.out, s[:min(len(s), maxMarkdown-len(w.out))]...)
}

func (w *converter) text(s string, raw bool) {
	if w.pre > 0 || w.code > 0 {
		if !raw {
			s = nethtml.UnescapeString(s)
		}
		w.put(s)
		return
	}
	if w.block {
		if s = strings.TrimLeft(s, " \t\r\n\f"); s == "" {
			return
		}
	}
	w.block = false
	for w.quotes > 0 && len(w.out) < maxMarkdown {
		n := strings.IndexByte(s, '\n')
		if n < 0 {
			break
		}
		w.put(s[:n])
		w.lineEnd()
		s = s[n+1:]
	}
	w.put(s)
}

// line begins a line, if the current one has anything on it.
func (w *converter) line() {
	if !w.block {
		w.lineEnd()
	}
	w.block = true
}

func (w *converter) lineEnd() {
	w.put("\n")
	for range min(w.quotes, html.MaxIndent) {
		w.put("> ")
	}
}

// start writes the mark of Markdown that means the same as a start tag.
func (w *converter) start(t *html.Token) {
	switch t.Tag {
	case html.TagBlock, html.TagTable:
		w.line()
	case html.TagBr:
		w.lineEnd()
	case html.TagHr:
		w.line()
		w.put("\n---\n")
	case html.TagUl, html.TagOl:
		w.line()
		w.openList(t)
	case html.TagLi:
		w.line()
		w.item()
	case html.TagQuote:
		w.line()
		w.quotes++
		w.put("> ")
	case html.TagTr:
		w.line()
		w.cells = 0
	case html.TagCell:
		if w.cells++; w.cells > 1 {
			w.put(" | ")
		}
		w.block = true
	case html.TagPre:
		w.line()
		w.pre++
		w.put("```\n")
	case html.TagCode:
		if w.code++; w.pre == 0 && w.code == 1 {
			w.put("`")
		}
		w.block = false
	case html.TagA:
		w.endLink()
		// Only an address that Markdown reads back whole; of any other link the text stays.
		if _, n := LinkTarget("(" + t.Attr.Href + ")"); n == len(t.Attr.Href)+2 {
			w.href, w.block = t.Attr.Href, false
			w.put("[")
		}
	case html.TagAt: // Markdown has no mark of a mention; package markdown reads this one. The id is not needed.
		w.put(`<at id="0">`)
		w.block = false
	case html.TagEmoji, html.TagImg, html.TagVideo, html.TagAudio:
		w.picture(t)
	case html.TagAttachment:
		quote := `"`
		if strings.Contains(t.Attr.ID, quote) {
			quote = "'"
		}
		w.put("<attachment id=" + quote + t.Attr.ID + quote + "></attachment>")
		w.block = false
	default: // its text is all that counts
	}
}

func (w *converter) end(t html.Tag) {
	switch t {
	case html.TagBlock, html.TagLi, html.TagTable, html.TagTr:
		w.line()
	case html.TagBr:
		w.lineEnd()
	case html.TagUl, html.TagOl:
		w.depth = max(w.depth-1, 0)
		w.line()
	case html.TagQuote:
		w.quotes = max(w.quotes-1, 0)
		w.line()
	case html.TagPre:
		if w.pre > 0 {
			w.pre--
			w.put("\n```\n")
			w.block = true
		}
	case html.TagCode:
		if w.code = max(w.code-1, 0); w.pre == 0 && w.code == 0 {
			w.put("`")
		}
	case html.TagA:
		w.endLink()
	case html.TagAt:
		w.put("</at>")
	default: // nothing ends with it
	}
}

func (w *converter) endLink() {
	if w.href != "" {
		w.put("](" + w.href + ")")
		w.href = ""
	}
}

// picture writes an alt text as the Markdown of an image without address would read, or the word in its place.
func (w *converter) picture(t *html.Token) {
	alt := t.Attr.Alt
	if t.Tag == html.TagEmoji && alt == "" {
		alt = t.Attr.Title
	}
	alt = strings.Join(strings.Fields(textbuf.CleanName(alt)), " ")
	closes := t.Tag != html.TagImg && w.scan.Closes(t.Tag)
	if alt == "" && (t.Tag != html.TagEmoji || !closes) {
		alt = t.Tag.Word()
	}
	w.put(alt)
	w.block = false
	w.skip = alt != "" && closes
}

func (w *converter) openList(t *html.Token) {
	if w.depth++; w.depth > html.MaxLists {
		return
	}
	w.lists[w.depth-1] = t.FirstNumber()
}

// item writes the marker of a list item.
func (w *converter) item() {
	for range min(w.depth, html.MaxIndent) - 1 {
		w.put("  ")
	}
	if next := &w.lists[min(max(w.depth, 1), html.MaxLists)-1]; w.depth > 0 && *next > 0 {
		w.put(strconv.Itoa(*next) + ". ")
		*next++
		return
	}
	w.put("- ")
}
