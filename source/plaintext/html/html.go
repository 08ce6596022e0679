package html

import (
	"strconv"
	"strings"

	"github.com/parley-gateway/parley/source/plaintext/textbuf"
)

// Attachments finds the attachments of the message whose body is rendered.
type Attachments interface {
	// Resolve returns the text that stands for an attachment, and whether it wants lines of its own. The text is empty for an
	// unknown id and for one that was resolved before.
	Resolve(id string) (text string, block bool)
}

// Render returns the readable text of an HTML body, at most limit bytes; package plaintext has the rules. Without atts,
// attachment tags leave nothing.
func Render(content string, atts Attachments, limit int) string {
	content = textbuf.Valid(content)
	if s, ok := Simple(content); ok {
		return textbuf.Clip(s, limit)
	}
	return string(Append(make([]byte, 0, textbuf.Room(len(content), limit)), content, atts, limit))
}

// Append appends the text of content, which is valid UTF-8, to room, which is empty and grows if it must.
func Append(room []byte, content string, atts Attachments, limit int) []byte {
	h := renderer{layout: layout{Buffer: textbuf.Buffer{Max: limit, Out: room}, linkStart: noLink}, atts: atts, emoji: -1}
	h.run(content)
	return h.bytes()
}

// Simple returns content itself, without outer white space, if its text is the same.
func Simple(content string) (string, bool) {
	s := strings.Trim(content, " \t\r\n\f")
	if strings.IndexByte(s, '<') >= 0 || plainRun(s) < len(s) {
		return "", false
	}
	return s, true
}

// renderer writes the text of HTML, token by token.
type renderer struct {
	layout

	scan Scanner
	atts Attachments

	href   string // address of the open link, as written
	tables int    // open tables; only the rows of the outermost are laid out
	cells  int    // cells so far in the row
	skip   bool   // the text up to the next tag is left out: an alt text stands for it
	emoji  int    // the length of Out where an emoji without alt text began; -1 for none
}

func (h *renderer) run(content string) {
	h.scan = NewScanner(content)
	for !h.Full {
		switch h.scan.Next() {
		case TokenEOF:
			h.endLink()
			return
		case TokenText:
			switch t := &h.scan.Tok; {
			case h.skip, t.Tag.IsHidden():
			case t.Raw:
				h.rawText(t.Text)
			default:
				h.text(t.Text)
			}
		case TokenStart:
			h.skip = false
			h.start(&h.scan.Tok)
		case TokenEnd:
			h.skip = false
			h.end(h.scan.Tok.Tag)
		}
	}
}

func (h *renderer) start(t *Token) {
	switch t.Tag {
	case TagBlock:
		h.breakLine()
	case TagBr:
		h.lineEnd()
	case TagHr:
		h.breakLine()
		h.visible("---")
		h.breakLine()
	case TagUl, TagOl:
		h.openList(t)
	case TagLi:
		h.breakLine()
		h.item = !h.cell
	case TagQuote:
		h.breakLine()
		h.quotes++
	case TagTable, TagTr, TagCell:
		h.startTable(t.Tag)
	case TagPre:
		h.breakLine()
		h.verbatim++
		h.skipLF = true
	case TagCode:
		h.verbatim++
	case TagA:
		h.endLink()
		h.href, h.linkStart = t.Attr.Href, linkPending
	case TagAt:
		h.mentionDue, h.inName = true, true
	case TagEmoji, TagImg, TagVideo, TagAudio:
		h.picture(t)
	case TagAttachment:
		h.attachment(t.Attr.ID)
	default: // its text is all that counts
	}
}

func (h *renderer) end(t Tag) {
	switch t {
	case TagBlock, TagLi:
		h.breakLine()
	case TagBr:
		h.lineEnd() // browsers read </br> as <br>
	case TagUl, TagOl:
		if h.depth > 0 {
			h.depth--
		}
		h.item = false
		h.breakLine()
	case TagQuote:
		if h.quotes > 0 {
			h.quotes--
		}
		h.breakLine()
	case TagTable, TagTr, TagCell:
		h.endTable(t)
	case TagPre, TagCode:
		h.endVerbatim(t)
	case TagA:
		h.endLink()
	case TagAt:
		h.mentionDue, h.inName = false, false
	case TagEmoji:
		if h.emoji == len(h.Out) {
			h.visible(TagEmoji.Word())
		}
		h.emoji = -1
	default: // nothing ends with it
	}
}

// picture writes the alt text of a picture or an emoji, or else a word for it in brackets. The content of an emoji is written when
// it has no alt text. Text after an emoji that nothing closes is not its content.
func (h *renderer) picture(t *Token) {
	alt, word := t.Attr.Alt, t.Tag.Word()
	if t.Tag == TagEmoji && alt == "" {
		alt = t.Attr.Title
	}
	name := h.inName
	h.inName = true
	from := len(h.Out)
	h.text(alt)
	h.inName = name
	closes := t.Tag != TagImg && h.scan.Closes(t.Tag)
	switch {
	case len(h.Out) > from:
		h.skip = closes
	case t.Tag == TagEmoji && closes:
		h.emoji = len(h.Out)
	default:
		h.visible(word)
		h.skip = closes
	}
}

// Word stands for a picture, an emoji, a video or a sound without alt text.
func (t Tag) Word() string {
	switch t {
	case TagVideo:
		return "[video]"
	case TagAudio:
		return "[audio]"
	case TagEmoji:
		return "[emoji]"
	default:
		return "[image]"
	}
}

func (h *renderer) openList(t *Token) {
	h.breakLine()
	h.depth++
	if h.depth <= MaxLists {
		h.lists[h.depth-1] = t.FirstNumber()
	}
}

// FirstNumber is the number of the first item of a list, or 0 for one with bullets.
func (t *Token) FirstNumber() int {
	if t.Tag != TagOl {
		return 0
	}
	if n, err := strconv.Atoi(strings.TrimSpace(t.Attr.Start)); err == nil && n > 0 && n < 1<<31 {
		return n
	}
	return 1
}

// startTable lays out rows and cells. Tables inside of cells become part of the cell's line.
func (h *renderer) startTable(t Tag) {
	if t == TagTable {
		h.breakLine()
		h.tables++
		return
	}
	if h.tables > 1 {
		h.space = true
		return
	}
	h.cell = false
	if t == TagTr {
		h.breakLine()
		h.cells = 0
		return
	}
	if h.cells > 0 {
		h.begin()
		h.trimSpaces()
		if n := len(h.Out); n > 0 && h.Out[n-1] != '\n' {
			h.Put(" ")
		}
		h.Put("| ")
	}
	h.cells++
	h.cell = true
}

func (h *renderer) endTable(t Tag) {
	if t == TagTable && h.tables > 0 {
		h.tables--
	}
	if t == TagTable && h.tables > 0 || t != TagTable && h.tables > 1 {
		h.space = true
		return
	}
	h.cell = false
	if t != TagCell {
		h.breakLine()
	}
}

func (h *renderer) endVerbatim(t Tag) {
	if h.verbatim > 0 {
		h.verbatim--
		h.skipLF = false
		h.keep = min(h.keep, len(h.Out))
	}
	if t == TagPre {
		h.verbLF = 0
		h.breakLine()
	}
}

// attachment writes what stands for the attachment.
func (h *renderer) attachment(id string) {
	if h.atts == nil {
		return
	}
	s, block := h.atts.Resolve(textbuf.DecodeAttr(id))
	if s == "" {
		return
	}
	if !block {
		h.visible(s)
		return
	}
	h.breakLine()
	for line := range strings.SplitSeq(s, "\n") {
		if h.Full {
			return
		}
		if line != "" {
			h.visible(line)
		}
		h.lineEnd()
	}
}
