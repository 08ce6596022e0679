package markdown

import (
	"cmp"
	"strings"
	"unicode/utf8"

	"github.com/parley-gateway/parley/source/plaintext/html"
	"github.com/parley-gateway/parley/source/plaintext/textbuf"
)

const (
	maxOpens    = 32 // '[' without ']' that are remembered
	maxRuns     = 64 // open emphasis marks that are remembered, each of * _ ~
	maxBacktick = 63 // backticks that may open inline code
)

// gone takes the place of a mark in Out until the end of the line, when it is removed. The text itself never holds it.
const gone = 0

// opener is a '[' that may become a link.
type opener struct {
	at    int // in out
	image bool
}

// inline writes the text of one line without its marks.
func (m *Writer) inline(s string) {
	m.from, m.nopens, m.noCode = len(m.Out), 0, 0
	for i := range m.runs {
		m.runs[i].n = 0
	}
	for i := 0; i < len(s) && !m.Full; {
		from := i
		for i < len(s) && isProse(s[i]) {
			i++
		}
		m.Put(s[from:i])
		if i < len(s) {
			i += m.special(s, i)
		}
	}
	m.compact()
}

// isProse is false for what may be a mark, a control character, or a character that is left out.
func isProse(c byte) bool {
	switch c {
	case '\\', '`', '*', '_', '~', '[', ']', '!', '<', '&', 0x7f, 0xc2, 0xe2, 0xef:
		return false
	}
	return c >= ' '
}

// special writes what starts at s[i] and gives its length. A case that does not return has found no mark: the byte is text.
func (m *Writer) special(s string, i int) int {
	switch c := s[i]; c {
	case '\\':
		if i+1 < len(s) && isPunct(s[i+1]) {
			m.Put(s[i+1 : i+2])
			return 2
		}
		if i+1 == len(s) {
			return 1 // a hard line break
		}
	case '`':
		return m.backticks(s, i)
	case '*', '_', '~':
		return m.emphasis(s, i)
	case '!':
		if i+1 < len(s) && s[i+1] == '[' && m.open(opener{at: len(m.Out), image: true}) {
			m.Put("![")
			return 2
		}
	case '[':
		if number, n := Citation(s[i:]); n > 0 && s[i+1] == '^' {
			m.Put("[")
			m.Put(number)
			m.Put("]")
			return n
		}
		m.open(opener{at: len(m.Out)})
	case ']':
		return m.closeLink(s, i)
	case '<':
		return m.angle(s, i)
	case '&':
		if first, second, n := textbuf.Entity(s[i:]); n > 0 {
			m.char(first)
			if second != 0 {
				m.char(second)
			}
			return n
		}
	default:
		r, n := utf8.DecodeRuneInString(s[i:])
		m.char(r)
		return n
	}
	m.Put(s[i : i+1])
	return 1
}

// char writes a character, a no-break space as a space, nothing for those that have no look.
func (m *Writer) char(r rune) {
	switch {
	case r == '\u00a0':
		m.Put(" ")
	case textbuf.IsDropped(r), m.inName && textbuf.IsBidi(r):
	default:
		m.PutRune(r)
	}
}

// backticks writes inline code as it is, or the backticks if nothing closes them.
func (m *Writer) backticks(s string, i int) int {
	n := run(s, i)
	if n > maxBacktick || m.noCode&(1<<n) != 0 {
		m.Put(s[i : i+n])
		return n
	}
	for j := i + n; ; {
		k := strings.IndexByte(s[j:], '`')
		if k < 0 {
			m.noCode |= 1 << n
			m.Put(s[i : i+n])
			return n
		}
		j += k
		if l := run(s, j); l != n {
			j += l
			continue
		}
		code := s[i+n : j]
		if len(code) > 2 && code[0] == ' ' && code[len(code)-1] == ' ' {
			code = code[1 : len(code)-1]
		}
		m.Verbatim(code)
		return j + n - i
	}
}

// open notes a '[' that comes next, and reports false if too many are open.
func (m *Writer) open(o opener) bool {
	if m.nopens == maxOpens {
		return false
	}
	m.opens[m.nopens] = o
	m.nopens++
	return true
}

// closeLink writes the ']' at s[i], or the address that follows it if it ends a link.
func (m *Writer) closeLink(s string, i int) int {
	if m.nopens == 0 {
		m.Put("]")
		return 1
	}
	m.nopens--
	o := m.opens[m.nopens]
	if i+1 == len(s) || s[i+1] != '(' || o.at >= len(m.Out) {
		m.Put("]")
		return 1
	}
	url, n := LinkTarget(s[i+1:])
	if n == 0 {
		m.Put("]")
		return 1
	}
	if o.image {
		clear(m.Out[o.at:min(o.at+2, len(m.Out))])
		if o.at+2 >= len(m.Out) {
			m.Put(html.TagImg.Word())
		}
		return n + 1
	}
	label := m.Out[o.at+1:]
	switch cited := isNumber(label); {
	case url == "" || !textbuf.IsAddress(url):
		m.Out[o.at] = gone
	case len(label) == 0:
		m.Out[o.at] = gone
		m.writeURL(url)
	case !cited && textbuf.SameAddress(label, []byte(url)):
		m.Out[o.at] = gone
	case cited:
		m.Put("] (")
		m.writeURL(url)
		m.Put(")")
	default:
		m.Out[o.at] = gone
		m.Put(" (")
		m.writeURL(url)
		m.Put(")")
	}
	return n + 1
}

// writeURL writes the address of a link.
func (m *Writer) writeURL(url string) { m.PutAttr(url) }

// isNumber reports whether a label is that of a citation.
func isNumber(label []byte) bool {
	for _, c := range label {
		if !textbuf.IsDigit(c) {
			return false
		}
	}
	return len(label) > 0 && len(label) <= 4
}

// angle writes what the '<' at s[i] starts: an address, a mention, a line break, an attachment, or itself.
func (m *Writer) angle(s string, i int) int {
	rest := s[i:]
	end := strings.IndexAny(rest[1:], "<>") + 1
	if end == 0 || rest[end] != '>' {
		m.Put("<")
		return 1
	}
	inner := rest[1:end]
	if strings.HasPrefix(rest, html.AttachmentTag) {
		if id, n := html.ReadAttachment(rest); n > 0 {
			if m.atts != nil {
				m.place(m.atts.Resolve(id))
			}
			return n
		}
	}
	switch name := strings.TrimRight(inner, " /"); {
	case strings.EqualFold(name, "br"):
		m.Put("\n")
		return end + 1
	case strings.EqualFold(name, "/at"), strings.EqualFold(name, "/emoji"), strings.EqualFold(name, "/customemoji"):
		m.inName = false
		return end + 1
	case len(name) > 2 && strings.EqualFold(name[:3], "at "):
		m.inName = true
		if !strings.HasPrefix(rest[end+1:], "@") {
			m.Put("@")
		}
		return end + 1
	case strings.Contains(name, "://") && !strings.ContainsAny(name, " \t"):
		m.PutAttr(inner)
		return end + 1
	}
	if n := m.picture(rest[:end+1]); n > 0 {
		return n
	}
	m.Put("<")
	return 1
}

// picture writes the alt text of the emoji or image whose tag starts s, and gives the length of the tag.
func (m *Writer) picture(s string) int {
	i := 1
	for i < len(s) && textbuf.IsLetter(s[i]) {
		i++
	}
	t := html.Lookup(s[1:i])
	if t != html.TagEmoji && t != html.TagImg {
		return 0
	}
	var a html.Attrs
	n, ok := html.ReadAttrs(s, i, &a)
	if !ok {
		return 0
	}
	alt := a.Alt
	if t == html.TagEmoji {
		alt = cmp.Or(alt, a.Title)
	}
	from := len(m.Out)
	m.PutAttr(alt)
	if len(m.Out) == from {
		m.Put(t.Word())
	}
	return n
}

// place writes the text of an attachment.
func (m *Writer) place(s string, block bool) {
	if s == "" {
		return
	}
	m.Insert(s, block)
	if block {
		m.Put("\n")
	}
}

// compact removes what was struck out of the line.
func (m *Writer) compact() {
	from := min(m.from, len(m.Out))
	kept := from
	for _, c := range m.Out[from:] {
		if c != gone {
			m.Out[kept] = c
			kept++
		}
	}
	m.Out = m.Out[:kept]
}
