package plaintext

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// renderHTML returns the readable text of an HTML body, at most limit bytes; the package comment has the rules. Without atts,
// attachment tags leave nothing.
func renderHTML(content string, atts *resolver, limit int) string {
	content = valid(content)
	if s, ok := simpleHTML(content); ok {
		return clip(s, limit)
	}
	return string(writeHTML(make([]byte, 0, min(len(content), limit, maxRoom)), content, atts, limit))
}

// maxRoom is how much room for a text is made before it is known to be that long.
const maxRoom = 64 << 10

// writeHTML writes the text of content into room, which is empty and grows if it must.
func writeHTML(room []byte, content string, atts *resolver, limit int) []byte {
	h := htmlWalk{writer: writer{max: limit, mark: markNone, out: room}, atts: atts, emoji: -1}
	h.run(content)
	return h.bytes()
}

// simpleHTML returns content itself, without outer white space, if its text is the same.
func simpleHTML(content string) (string, bool) {
	s := strings.Trim(content, " \t\r\n\f")
	if strings.IndexByte(s, '<') >= 0 || plainRun(s) < len(s) {
		return "", false
	}
	return s, true
}

// htmlWalk writes the text of HTML, token by token.
type htmlWalk struct {
	writer

	scan scanner
	atts *resolver

	href   string // address of the open link, as written
	tables int    // open tables; only the rows of the outermost are laid out
	cells  int    // cells so far in the row
	skip   bool   // the text before the next tag is said already
	emoji  int    // the length of out where an emoji without alt text began; -1 for none
}

func (h *htmlWalk) run(content string) {
	h.scan.src = content
	for !h.full {
		switch h.scan.next() {
		case tokenEOF:
			h.endLink()
			return
		case tokenText:
			t := &h.scan.tok
			if !h.skip && !t.tag.isHidden() {
				h.text(t.text, !t.raw)
			}
		case tokenStart:
			h.skip = false
			h.start(&h.scan.tok)
		case tokenEnd:
			h.skip = false
			h.end(h.scan.tok.tag)
		}
	}
}

func (h *htmlWalk) start(t *token) {
	switch t.tag {
	case tagBlock:
		h.breakLine()
	case tagBr:
		h.lineEnd()
	case tagHr:
		h.breakLine()
		h.visible("---")
		h.breakLine()
	case tagUl, tagOl:
		h.openList(t)
	case tagLi:
		h.breakLine()
		h.item = !h.cell
	case tagQuote:
		h.breakLine()
		h.quotes++
	case tagTable, tagTr, tagCell:
		h.startTable(t.tag)
	case tagPre:
		h.breakLine()
		h.verbatim++
		h.skipLF = true
	case tagCode:
		h.verbatim++
	case tagA:
		h.endLink()
		h.href, h.mark = t.attr.href, markArmed
	case tagAt:
		h.mention, h.name = true, true
	case tagEmoji, tagImg, tagVideo, tagAudio:
		h.picture(t)
	case tagAttachment:
		h.attachment(t.attr.id)
	default: // its text is all that counts
	}
}

func (h *htmlWalk) end(t tag) {
	switch t {
	case tagBlock, tagLi:
		h.breakLine()
	case tagBr:
		h.lineEnd() // browsers read </br> as <br>
	case tagUl, tagOl:
		if h.depth > 0 {
			h.depth--
		}
		h.item = false
		h.breakLine()
	case tagQuote:
		if h.quotes > 0 {
			h.quotes--
		}
		h.breakLine()
	case tagTable, tagTr, tagCell:
		h.endTable(t)
	case tagPre, tagCode:
		h.endVerbatim(t)
	case tagA:
		h.endLink()
	case tagAt:
		h.mention, h.name = false, false
	case tagEmoji:
		if h.emoji == len(h.out) {
			h.visible(pictureWord(tagEmoji))
		}
		h.emoji = -1
	default: // nothing ends with it
	}
}

// picture writes the alt text of a picture or an emoji, or else a word for it in brackets. What stands inside of an emoji
// counts when it has no alt text. What stands behind one that nothing closes is not inside of it.
func (h *htmlWalk) picture(t *token) {
	alt, word := t.attr.alt, pictureWord(t.tag)
	if t.tag == tagEmoji && alt == "" {
		alt = t.attr.title
	}
	name := h.name
	h.name = true
	from := len(h.out)
	h.text(alt, true)
	h.name = name
	closes := t.tag != tagImg && h.scan.closes(t.tag)
	switch {
	case len(h.out) > from:
		h.skip = closes
	case t.tag == tagEmoji && closes:
		h.emoji = len(h.out)
	default:
		h.visible(word)
		h.skip = closes
	}
}

// pictureWord stands for what has no alt text.
func pictureWord(t tag) string {
	switch t {
	case tagVideo:
		return "[video]"
	case tagAudio:
		return "[audio]"
	case tagEmoji:
		return "[emoji]"
	default:
		return "[image]"
	}
}

func (h *htmlWalk) openList(t *token) {
	h.breakLine()
	h.depth++
	if h.depth <= maxLists {
		h.lists[h.depth-1] = list{next: firstNumber(t)}
	}
}

// firstNumber is the number of the first item of a list, or 0 for one with bullets.
func firstNumber(t *token) int {
	if t.tag != tagOl {
		return 0
	}
	if n, err := strconv.Atoi(strings.TrimSpace(t.attr.start)); err == nil && n > 0 && n < 1<<31 {
		return n
	}
	return 1
}

// startTable lays out rows and cells. Tables inside of cells become part of the cell's line.
func (h *htmlWalk) startTable(t tag) {
	if t == tagTable {
		h.breakLine()
		h.tables++
		return
	}
	if h.tables > 1 {
		h.space = true
		return
	}
	h.cell = false
	if t == tagTr {
		h.breakLine()
		h.cells = 0
		return
	}
	if h.cells > 0 {
		h.begin()
		h.trimSpaces()
		if n := len(h.out); n > 0 && h.out[n-1] != '\n' {
			h.put(" ")
		}
		h.put("| ")
	}
	h.cells++
	h.cell = true
}

func (h *htmlWalk) endTable(t tag) {
	if t == tagTable && h.tables > 0 {
		h.tables--
	}
	if t == tagTable && h.tables > 0 || t != tagTable && h.tables > 1 {
		h.space = true
		return
	}
	h.cell = false
	if t != tagCell {
		h.breakLine()
	}
}

func (h *htmlWalk) endVerbatim(t tag) {
	if h.verbatim > 0 {
		h.verbatim--
		h.skipLF = false
		h.keep = min(h.keep, len(h.out))
	}
	if t == tagPre {
		h.verbLF = 0
		h.breakLine()
	}
}

// attachment writes what stands for the attachment.
func (h *htmlWalk) attachment(id string) {
	if h.atts == nil {
		return
	}
	s, block := h.atts.resolve(decodeAttr(id))
	if s == "" {
		return
	}
	if !block {
		h.visible(s)
		return
	}
	h.breakLine()
	for line := range strings.SplitSeq(s, "\n") {
		if h.full {
			return
		}
		if line != "" {
			h.visible(line)
		}
		h.lineEnd()
	}
}

// decodeAttr is an attribute value, decoded and without the characters that a name does not hold.
func decodeAttr(s string) string {
	if strings.IndexByte(s, '&') < 0 && strings.IndexFunc(s, isNameless) < 0 {
		return s
	}
	w := writer{max: 2 * len(s), out: make([]byte, 0, len(s)+len(s)/4)}
	w.attr(s)
	return string(w.out)
}

// attr writes an attribute value, decoded and without the characters that a name does not hold.
func (w *writer) attr(s string) {
	for s != "" && !w.full {
		n := 0
		for n < len(s) && isPlain(s[n]) {
			n++
		}
		if n > 0 {
			w.put(s[:n])
			s = s[n:]
			continue
		}
		second := rune(0)
		first, n := utf8.DecodeRuneInString(s)
		if s[0] == '&' {
			if r, r2, m := entity(s, true); m > 0 {
				first, second, n = r, r2, m
			}
		}
		if !isNameless(first) {
			w.putRune(first)
		}
		if second != 0 {
			w.putRune(second)
		}
		s = s[n:]
	}
}
