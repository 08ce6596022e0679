package html

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/parley-gateway/parley/source/plaintext/textbuf"
)

const (
	// MaxIndent is the number of levels of lists and quotes that are shown.
	MaxIndent = 8
	// MaxLists is the number of levels of lists that are numbered apart.
	MaxLists = 16
)

// layout lays out text in lines. White space and line ends are held back until something visible follows, so
// that neither lines nor the text end in them.
type layout struct {
	textbuf.Buffer

	newlines int  // line ends that collapse to one blank line at most, not yet written
	verbLF   int  // line ends of verbatim text, not yet written
	space    bool // white space before the next visible character
	midLine  bool // the current line has its prefix
	verbatim int  // open verbatim elements
	skipLF   bool // the next line end directly follows <pre>
	keep     int  // Out[:keep] is verbatim: not trimmed

	quotes, depth int           // open quotes and lists
	lists         [MaxLists]int // the number of the next item of each open list, or 0 for bullets; innermost at depth-1
	item          bool          // a list item has begun, its marker is not yet written
	cell          bool          // in a table cell: line ends become spaces
	mentionDue    bool          // an '@' is due
	inName        bool          // what follows is a name: bidirectional controls are left out
	linkStart     int           // start of the open link's text; linkPending until known
}

const (
	noLink      = -1
	linkPending = -2
)

// breakLine asks for a new line for the next visible character.
func (w *layout) breakLine() {
	if w.cell {
		w.space = true
		return
	}
	w.newlines = max(w.newlines, 1)
	w.space = false
}

// lineEnd adds one line end, as <br> does.
func (w *layout) lineEnd() {
	switch {
	case w.cell:
		w.space = true
	case w.verbatim > 0:
		w.verbLF++
	default:
		w.newlines = min(w.newlines+1, 2)
		w.space = false
	}
}

// begin writes what was held back: a visible character follows.
func (w *layout) begin() {
	if n := w.newlines + w.verbLF; n > 0 {
		if len(w.Out) > 0 {
			w.trimSpaces()
			for ; n > 0 && !w.Full; n-- {
				w.Put("\n")
			}
		}
		w.newlines, w.verbLF, w.midLine = 0, 0, false
	}
	if !w.midLine {
		w.midLine, w.space = true, false
		w.prefix()
	} else if w.space {
		w.space = false
		if len(w.Out) > 0 && w.Out[len(w.Out)-1] != ' ' {
			w.Put(" ")
		}
	}
	if w.linkStart == linkPending {
		w.linkStart = len(w.Out)
	}
}

// prefix writes quote marks, indent and list marker of a new line.
func (w *layout) prefix() {
	for range min(w.quotes, MaxIndent) {
		w.Put("> ")
	}
	depth := min(w.depth, MaxIndent)
	if !w.item {
		if !w.cell {
			w.indent(depth)
		}
		return
	}
	w.item = false
	w.indent(depth - 1)
	if w.depth > 0 {
		if next := &w.lists[min(w.depth, MaxLists)-1]; *next > 0 {
			var number [20]byte
			w.Put(string(strconv.AppendInt(number[:0], int64(*next), 10)))
			w.Put(". ")
			*next++
			return
		}
	}
	w.Put("- ")
}

func (w *layout) indent(levels int) {
	for range levels {
		w.Put("  ")
	}
}

// trimSpaces takes spaces from the end of the last line, but not from verbatim text.
func (w *layout) trimSpaces() {
	n := len(w.Out)
	for n > w.keep && w.Out[n-1] == ' ' {
		n--
	}
	w.Out = w.Out[:n]
}

// visible writes a piece that is neither empty nor starts with white space.
func (w *layout) visible(s string) {
	w.begin()
	if w.mentionDue {
		w.mentionDue = false
		if s[0] != '@' {
			w.Put("@")
		}
	}
	w.Put(s)
}

// text writes text of HTML: white space collapses outside of verbatim elements, character references are decoded.
func (w *layout) text(s string) { w.write(s, true) }

// rawText is text for the raw text of an element, in which character references stand for themselves.
func (w *layout) rawText(s string) { w.write(s, false) }

func (w *layout) write(s string, decode bool) {
	for s != "" && !w.Full {
		n := plainRun(s)
		if n > 0 {
			w.visible(s[:n])
			w.skipLF = false
		} else {
			n = w.special(s, decode)
		}
		s = s[n:]
	}
	if w.verbatim > 0 {
		w.keep = len(w.Out)
	}
}

// plainRun is the length of the part of s that is written as it is: words and the single spaces between them.
func plainRun(s string) int {
	for i := range len(s) {
		if !textbuf.IsPlain(s[i]) && (s[i] != ' ' || i == 0 || i+1 == len(s) || !textbuf.IsPlain(s[i+1])) {
			return i
		}
	}
	return len(s)
}

// special writes the first character of s, which plainRun did not take, and gives its length in s.
func (w *layout) special(s string, decode bool) int {
	switch c := s[0]; {
	case textbuf.IsSpace(c):
		return w.white(s)
	case c == '&':
		n := 0
		if decode {
			var first, second rune
			if first, second, n = textbuf.Entity(s); n > 0 {
				w.rune(first)
				if second != 0 {
					w.rune(second)
				}
			}
		}
		if n == 0 {
			w.visible("&")
			n = 1
		}
		w.skipLF = false
		return n
	case c < utf8.RuneSelf:
		return 1
	default:
		r, n := utf8.DecodeRuneInString(s)
		w.rune(r)
		w.skipLF = false
		return n
	}
}

// white writes the white space that s starts with.
func (w *layout) white(s string) int {
	if w.verbatim == 0 {
		w.space = true
		return 1
	}
	n := 1
	switch {
	case s[0] == '\r' && strings.HasPrefix(s, "\r\n"):
		n = 2
		fallthrough
	case s[0] == '\n' || s[0] == '\r':
		if !w.skipLF {
			w.lineEnd()
		}
	case w.cell:
		w.space = true
	default:
		w.begin()
		w.Put(s[:1])
	}
	w.skipLF = false
	return n
}

// rune writes one decoded character.
func (w *layout) rune(r rune) {
	switch {
	case r == '\u00a0':
		w.noBreakSpace()
	case textbuf.IsDropped(r) || w.inName && textbuf.IsBidi(r):
	case r == '\u2028' || r == '\u2029':
		w.lineEnd()
	case r < utf8.RuneSelf && textbuf.IsSpace(byte(r)):
		w.space = true
	default:
		w.begin()
		if w.mentionDue {
			w.mentionDue = false
			if r != '@' {
				w.Put("@")
			}
		}
		w.PutRune(r)
	}
}

// noBreakSpace writes a space that does not collapse. Alone on a line it leaves a blank line, which is how Teams writes
// one.
func (w *layout) noBreakSpace() {
	if len(w.Out) == 0 && w.verbatim == 0 {
		return
	}
	w.begin()
	w.Put(" ")
}

// bytes is the text, without white space at its end.
func (w *layout) bytes() []byte {
	w.trimSpaces()
	return textbuf.Finish(w.Out)
}
