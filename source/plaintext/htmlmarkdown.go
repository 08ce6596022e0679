package plaintext

import (
	"regexp"
	"strconv"
	"strings"

	"golang.org/x/net/html"
)

// maxLook bounds the text that is searched for Markdown. An answer that is written in it shows it early.
const maxLook = 64 << 10

// markdownMarks finds what Markdown writes and people who write HTML do not: bold text and text that is struck out, links, citations,
// code, headings, list items and tables.
var markdownMarks = regexp.MustCompile(`(?m)\*\*[^\s*][^\n]*?\*\*|__[^\s_][^\n]*?__|~~[^\s~][^\n]*?~~|\]\((?:https?://|mailto:)|\[\^\d+\^\]|` +
	"`[^`\\n]+`|^[ \\t]*(?:#{1,6} +[^\\s]|```|[-*+] +[^\\s]|\\d{1,3}[.)] +[^\\s]|\\|[^\\n]*\\|[ \\t]*$)")

// answerMarkdown returns an HTML answer of Copilot as Markdown. ok is false for an answer that is HTML alone: it has elements
// other than those of Teams, and no mark of Markdown in its text.
func answerMarkdown(content string) (markdown string, ok bool) {
	content = valid(content)
	if content == "<systemEventMessage/>" {
		return "", false
	}
	words, elements := visibleStart(content)
	if elements && !markdownMarks.Match(words) {
		return "", false
	}
	w := markdownWriter{out: make([]byte, 0, min(len(content), maxRoom))}
	w.run(content)
	return string(w.out), true
}

// visibleStart is the beginning of the text that content shows, code left out, and whether content has elements other than those
// of Teams.
func visibleStart(content string) (words []byte, elements bool) {
	s := scanner{src: content}
	for code := 0; len(words) < maxLook; {
		kind := s.next()
		t := &s.tok
		switch {
		case kind == tokenEOF:
			return words, elements
		case kind == tokenText:
			if code == 0 && !t.tag.isHidden() {
				words = append(words, t.text[:min(len(t.text), maxLook)]...)
			}
			continue
		case t.tag == tagAt, t.tag == tagAttachment, t.tag == tagEmoji:
			continue
		case t.tag == tagBr:
			words = append(words, '\n')
			continue
		}
		elements = true
		switch {
		case t.tag == tagOther, t.tag == tagA:
		case t.tag != tagPre && t.tag != tagCode:
			words = append(words, '\n')
		case kind == tokenStart:
			code++
		default:
			code = max(code-1, 0)
		}
	}
	return words, elements
}

// markdownWriter writes HTML as the Markdown that means the same; text stays as it is written, since it is Markdown already.
type markdownWriter struct {
	scan   scanner
	out    []byte
	quotes int
	depth  int
	lists  [maxLists]list
	pre    int
	code   int
	cells  int
	href   string // the address of the open link, as written
	block  bool   // nothing but block tags since the last line end: white space is none of the text's
	skip   bool   // the text before the next tag is said already
}

func (w *markdownWriter) run(content string) {
	w.scan.src, w.block = content, true
	for len(w.out) < maxMarkdown {
		t := &w.scan.tok
		switch w.scan.next() {
		case tokenEOF:
			w.endLink()
			return
		case tokenText:
			if !w.skip && !t.tag.isHidden() {
				w.text(t.text, t.raw)
			}
		case tokenStart:
			w.skip = false
			w.start(t)
		case tokenEnd:
			w.skip = false
			w.end(t.tag)
		}
	}
}

// maxMarkdown bounds what is written; the text that is made of it is half of that at most.
const maxMarkdown = 2 << 20

// put appends s, or what still fits.
func (w *markdownWriter) put(s string) {
	w.out = append(w.out, s[:min(len(s), maxMarkdown-len(w.out))]...)
}

func (w *markdownWriter) text(s string, raw bool) {
	if w.pre > 0 || w.code > 0 {
		if !raw {
			s = html.UnescapeString(s)
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
func (w *markdownWriter) line() {
	if !w.block {
		w.lineEnd()
	}
	w.block = true
}

func (w *markdownWriter) lineEnd() {
	w.put("\n")
	for range min(w.quotes, maxIndent) {
		w.put("> ")
	}
}

func (w *markdownWriter) start(t *token) {
	switch t.tag {
	case tagBlock, tagTable:
		w.line()
	case tagBr:
		w.lineEnd()
	case tagHr:
		w.line()
		w.put("\n---\n")
	case tagUl, tagOl:
		w.line()
		w.openList(t)
	case tagLi:
		w.line()
		w.item()
	case tagQuote:
		w.line()
		w.quotes++
		w.put("> ")
	case tagTr:
		w.line()
		w.cells = 0
	case tagCell:
		if w.cells++; w.cells > 1 {
			w.put(" | ")
		}
		w.block = true
	case tagPre:
		w.line()
		w.pre++
		w.put("```\n")
	case tagCode:
		if w.code++; w.pre == 0 && w.code == 1 {
			w.put("`")
		}
		w.block = false
	case tagA:
		w.endLink()
		if _, n := linkTarget("(" + t.attr.href + ")"); n == len(t.attr.href)+2 {
			w.href, w.block = t.attr.href, false
			w.put("[")
		}
	case tagAt:
		w.put(`<at id="0">`)
		w.block = false
	case tagEmoji, tagImg, tagVideo, tagAudio:
		w.picture(t)
	case tagAttachment:
		quote := `"`
		if strings.Contains(t.attr.id, quote) {
			quote = "'"
		}
		w.put("<attachment id=" + quote + t.attr.id + quote + "></attachment>")
		w.block = false
	default: // its text is all that counts
	}
}

func (w *markdownWriter) end(t tag) {
	switch t {
	case tagBlock, tagLi, tagTable, tagTr:
		w.line()
	case tagBr:
		w.lineEnd()
	case tagUl, tagOl:
		w.depth = max(w.depth-1, 0)
		w.line()
	case tagQuote:
		w.quotes = max(w.quotes-1, 0)
		w.line()
	case tagPre:
		if w.pre > 0 {
			w.pre--
			w.put("\n```\n")
			w.block = true
		}
	case tagCode:
		if w.code = max(w.code-1, 0); w.pre == 0 && w.code == 0 {
			w.put("`")
		}
	case tagA:
		w.endLink()
	case tagAt:
		w.put("</at>")
	default: // nothing ends with it
	}
}

func (w *markdownWriter) endLink() {
	if w.href != "" {
		w.put("](" + w.href + ")")
		w.href = ""
	}
}

// picture writes an alt text as the Markdown of an image without address would read, or the word in its place.
func (w *markdownWriter) picture(t *token) {
	alt := t.attr.alt
	if t.tag == tagEmoji && alt == "" {
		alt = t.attr.title
	}
	alt = strings.Join(strings.Fields(cleanName(alt)), " ")
	closes := t.tag != tagImg && w.scan.closes(t.tag)
	if alt == "" && (t.tag != tagEmoji || !closes) {
		alt = pictureWord(t.tag)
	}
	w.put(alt)
	w.block = false
	w.skip = alt != "" && closes
}

func (w *markdownWriter) openList(t *token) {
	if w.depth++; w.depth > maxLists {
		return
	}
	w.lists[w.depth-1] = list{next: firstNumber(t)}
}

// item writes the marker of a list item.
func (w *markdownWriter) item() {
	for range min(w.depth, maxIndent) - 1 {
		w.put("  ")
	}
	if l := &w.lists[min(max(w.depth, 1), maxLists)-1]; w.depth > 0 && l.next > 0 {
		w.put(strconv.Itoa(l.next) + ". ")
		l.next++
		return
	}
	w.put("- ")
}
