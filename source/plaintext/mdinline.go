package plaintext

import (
	"cmp"
	"strings"
	"unicode/utf8"
)

const (
	maxOpens    = 32 // '[' without ']' that are remembered
	maxRuns     = 64 // open emphasis marks that are remembered, each of * _ ~
	maxBacktick = 63 // backticks that may open inline code
)

// gone takes the place of a mark in out until the end of the line, when it is removed. The text itself never holds it.
const gone = 0

// opener is a '[' that may become a link.
type opener struct {
	at    int // in out
	image bool
}

// inline writes the text of one line without its marks.
func (m *markdown) inline(s string) {
	m.from, m.nopens, m.noCode = len(m.out), 0, 0
	for i := range m.runs {
		m.runs[i].n = 0
	}
	for i := 0; i < len(s) && !m.full; {
		from := i
		for i < len(s) && isProse(s[i]) {
			i++
		}
		m.put(s[from:i])
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

// special writes what starts at s[i] and gives its length.
func (m *markdown) special(s string, i int) int {
	switch c := s[i]; c {
	case '\\':
		if i+1 < len(s) && isPunct(s[i+1]) {
			m.put(s[i+1 : i+2])
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
		if i+1 < len(s) && s[i+1] == '[' && m.open(true) {
			m.put("![")
			return 2
		}
	case '[':
		if number, n := citation(s[i:]); n > 0 && s[i+1] == '^' {
			m.put("[")
			m.put(number)
			m.put("]")
			return n
		}
		m.open(false)
	case ']':
		return m.closeLink(s, i)
	case '<':
		return m.angle(s, i)
	case '&':
		if first, second, n := entity(s[i:], false); n > 0 {
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
	m.put(s[i : i+1])
	return 1
}

// char writes a character, a no-break space as a space, nothing for those that have no look.
func (m *markdown) char(r rune) {
	switch {
	case r == '\u00a0':
		m.put(" ")
	case isDropped(r), m.name && isBidi(r):
	default:
		m.putRune(r)
	}
}

// backticks writes inline code as it is, or the backticks if nothing closes them.
func (m *markdown) backticks(s string, i int) int {
	n := run(s, i)
	if n > maxBacktick || m.noCode&(1<<n) != 0 {
		m.put(s[i : i+n])
		return n
	}
	for j := i + n; ; {
		k := strings.IndexByte(s[j:], '`')
		if k < 0 {
			m.noCode |= 1 << n
			m.put(s[i : i+n])
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
		m.code(code)
		return j + n - i
	}
}

// open notes that a '[' comes next.
func (m *markdown) open(image bool) bool {
	if m.nopens == maxOpens {
		return false
	}
	m.opens[m.nopens] = opener{at: len(m.out), image: image}
	m.nopens++
	return true
}

// closeLink writes the ']' at s[i], or the address that follows it if it ends a link.
func (m *markdown) closeLink(s string, i int) int {
	if m.nopens == 0 {
		m.put("]")
		return 1
	}
	m.nopens--
	o := m.opens[m.nopens]
	if i+1 == len(s) || s[i+1] != '(' || o.at >= len(m.out) {
		m.put("]")
		return 1
	}
	url, n := linkTarget(s[i+1:])
	if n == 0 {
		m.put("]")
		return 1
	}
	if o.image {
		clear(m.out[o.at:min(o.at+2, len(m.out))])
		if o.at+2 >= len(m.out) {
			m.put(pictureWord(tagImg))
		}
		return n + 1
	}
	label := m.out[o.at+1:]
	switch cited := isNumber(label); {
	case url == "" || !isAddress(url):
		m.out[o.at] = gone
	case len(label) == 0:
		m.out[o.at] = gone
		m.writeURL(url)
	case !cited && sameAddress(label, []byte(url)):
		m.out[o.at] = gone
	case cited:
		m.put("] (")
		m.writeURL(url)
		m.put(")")
	default:
		m.out[o.at] = gone
		m.put(" (")
		m.writeURL(url)
		m.put(")")
	}
	return n + 1
}

// writeURL writes the address of a link.
func (m *markdown) writeURL(url string) { m.attr(url) }

// isNumber reports whether a label is that of a citation.
func isNumber(label []byte) bool {
	for _, c := range label {
		if !isDigit(c) {
			return false
		}
	}
	return len(label) > 0 && len(label) <= 4
}

// angle writes what the '<' at s[i] starts: an address, a mention, a line break, an attachment, or itself.
func (m *markdown) angle(s string, i int) int {
	rest := s[i:]
	end := strings.IndexAny(rest[1:], "<>") + 1
	if end == 0 || rest[end] != '>' {
		m.put("<")
		return 1
	}
	inner := rest[1:end]
	if strings.HasPrefix(rest, attachmentTag) {
		if id, n := readAttachmentTag(rest); n > 0 {
			if m.atts != nil {
				m.place(m.atts.resolve(id))
			}
			return n
		}
	}
	switch name := strings.TrimRight(inner, " /"); {
	case strings.EqualFold(name, "br"):
		m.put("\n")
		return end + 1
	case strings.EqualFold(name, "/at"), strings.EqualFold(name, "/emoji"), strings.EqualFold(name, "/customemoji"):
		m.name = false
		return end + 1
	case len(name) > 2 && strings.EqualFold(name[:3], "at "):
		m.name = true
		if !strings.HasPrefix(rest[end+1:], "@") {
			m.put("@")
		}
		return end + 1
	case strings.Contains(name, "://") && !strings.ContainsAny(name, " \t"):
		m.attr(inner)
		return end + 1
	}
	if n := m.picture(rest[:end+1]); n > 0 {
		return n
	}
	m.put("<")
	return 1
}

// picture writes the alt text of the emoji or image whose tag starts s, and gives the length of the tag.
func (m *markdown) picture(s string) int {
	i := 1
	for i < len(s) && isLetter(s[i]) {
		i++
	}
	t := lookup(s[1:i])
	if t != tagEmoji && t != tagImg {
		return 0
	}
	var a attrs
	n, ok := readAttrs(s, i, &a)
	if !ok {
		return 0
	}
	alt := a.alt
	if t == tagEmoji {
		alt = cmp.Or(alt, a.title)
	}
	from := len(m.out)
	m.attr(alt)
	if len(m.out) == from {
		m.put(pictureWord(t))
	}
	return n
}

// place writes the text of an attachment.
func (m *markdown) place(s string, block bool) {
	if s == "" {
		return
	}
	m.insert(s, block)
	if block {
		m.put("\n")
	}
}

// compact removes what was struck out of the line.
func (m *markdown) compact() {
	from := min(m.from, len(m.out))
	kept := from
	for _, c := range m.out[from:] {
		if c != gone {
			m.out[kept] = c
			kept++
		}
	}
	m.out = m.out[:kept]
}
