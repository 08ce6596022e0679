package plaintext

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

const (
	// DefaultMax is the most bytes of text that a function gives when not told otherwise.
	DefaultMax = 1 << 20

	maxIndent = 8  // levels of lists and quotes that are shown
	maxLists  = 16 // levels of lists whose numbers are kept apart
)

// list is one open list: the number of its next item, or 0 for bullets.
type list struct{ next int }

// writer lays out text in lines. White space and line ends are held back until something visible follows, so
// that neither lines nor the text end in them.
type writer struct {
	out  []byte
	max  int
	full bool // max is reached: nothing more is taken

	newlines int  // line ends that collapse to one blank line at most, not yet written
	verbLF   int  // line ends of verbatim text, not yet written
	space    bool // white space before the next visible character
	midLine  bool // the current line has its prefix
	verbatim int  // open verbatim elements
	skipLF   bool // the next line end directly follows <pre>
	keep     int  // out[:keep] is verbatim: not trimmed

	quotes, depth int            // open quotes and lists
	lists         [maxLists]list // innermost at depth-1
	item          bool           // a list item has begun, its marker is not yet written
	cell          bool           // in a table cell: line ends become spaces
	mention       bool           // an '@' is due
	name          bool           // what follows is a name: bidirectional controls are left out
	mark          int            // start of the open link's text; markArmed until known
}

const (
	markNone  = -1
	markArmed = -2
)

// put appends s, or what still fits.
func (w *writer) put(s string) {
	if room := w.max - len(w.out); len(s) > room {
		s, w.full = s[:max(room, 0)], true
	}
	w.out = append(w.out, s...)
}

func (w *writer) putRune(r rune) {
	if len(w.out)+utf8.RuneLen(r) > w.max {
		w.full = true
		return
	}
	w.out = utf8.AppendRune(w.out, r)
}

// breakLine asks for a new line for the next visible character.
func (w *writer) breakLine() {
	if w.cell {
		w.space = true
		return
	}
	w.newlines = max(w.newlines, 1)
	w.space = false
}

// lineEnd adds one line end, as <br> does.
func (w *writer) lineEnd() {
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
func (w *writer) begin() {
	if n := w.newlines + w.verbLF; n > 0 {
		if len(w.out) > 0 {
			w.trimSpaces()
			for ; n > 0 && !w.full; n-- {
				w.put("\n")
			}
		}
		w.newlines, w.verbLF, w.midLine = 0, 0, false
	}
	if !w.midLine {
		w.midLine, w.space = true, false
		w.prefix()
	} else if w.space {
		w.space = false
		if len(w.out) > 0 && w.out[len(w.out)-1] != ' ' {
			w.put(" ")
		}
	}
	if w.mark == markArmed {
		w.mark = len(w.out)
	}
}

// prefix writes quote marks, indent and list marker of a new line.
func (w *writer) prefix() {
	for range min(w.quotes, maxIndent) {
		w.put("> ")
	}
	depth := min(w.depth, maxIndent)
	if !w.item {
		if !w.cell {
			w.indent(depth)
		}
		return
	}
	w.item = false
	w.indent(depth - 1)
	if w.depth > 0 {
		if l := &w.lists[min(w.depth, maxLists)-1]; l.next > 0 {
			var number [20]byte
			w.put(string(strconv.AppendInt(number[:0], int64(l.next), 10)))
			w.put(". ")
			l.next++
			return
		}
	}
	w.put("- ")
}

func (w *writer) indent(levels int) {
	for range levels {
		w.put("  ")
	}
}

// trimSpaces takes spaces from the end of the last line, but not from verbatim text.
func (w *writer) trimSpaces() {
	n := len(w.out)
	for n > w.keep && w.out[n-1] == ' ' {
		n--
	}
	w.out = w.out[:n]
}

// visible writes a piece that is neither empty nor starts with white space.
func (w *writer) visible(s string) {
	w.begin()
	if w.mention {
		w.mention = false
		if s[0] != '@' {
			w.put("@")
		}
	}
	w.put(s)
}

// text writes text of HTML: white space collapses outside of verbatim elements, character references are decoded if
// asked.
func (w *writer) text(s string, decode bool) {
	for s != "" && !w.full {
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
		w.keep = len(w.out)
	}
}

// plainRun is the length of the part of s that is written as it is: words and the single spaces between them.
func plainRun(s string) int {
	for i := range len(s) {
		if !isPlain(s[i]) && (s[i] != ' ' || i == 0 || i+1 == len(s) || !isPlain(s[i+1])) {
			return i
		}
	}
	return len(s)
}

// isPlain is false for white space, control characters, '&', and bytes that may start a character that is left out.
func isPlain(c byte) bool {
	return c > ' ' && c != '&' && c != 0x7f && c != 0xc2 && c != 0xe2 && c != 0xef
}

// special writes the first character of s, which plainRun did not take, and gives its length in s.
func (w *writer) special(s string, decode bool) int {
	switch c := s[0]; {
	case isSpace(c):
		return w.white(s)
	case c == '&':
		n := 0
		if decode {
			var first, second rune
			if first, second, n = entity(s, false); n > 0 {
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
func (w *writer) white(s string) int {
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
		w.put(s[:1])
	}
	w.skipLF = false
	return n
}

// rune writes one decoded character.
func (w *writer) rune(r rune) {
	switch {
	case r == '\u00a0':
		w.noBreakSpace()
	case isDropped(r) || w.name && isBidi(r):
	case r == '\u2028' || r == '\u2029':
		w.lineEnd()
	case r < utf8.RuneSelf && isSpace(byte(r)):
		w.space = true
	default:
		w.begin()
		if w.mention {
			w.mention = false
			if r != '@' {
				w.put("@")
			}
		}
		w.putRune(r)
	}
}

// noBreakSpace writes a space that does not collapse. Alone on a line it leaves a blank line, which is how Teams writes
// one.
func (w *writer) noBreakSpace() {
	if len(w.out) == 0 && w.verbatim == 0 {
		return
	}
	w.begin()
	w.put(" ")
}

// bytes is the text, without white space at its end.
func (w *writer) bytes() []byte {
	w.trimSpaces()
	return finished(w.out)
}
