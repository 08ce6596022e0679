package markdown

import (
	"bytes"
	"strings"

	"github.com/parley-gateway/parley/source/plaintext/html"
	"github.com/parley-gateway/parley/source/plaintext/textbuf"
)

// Render returns the readable text of a Markdown body, at most limit bytes; package plaintext has the rules. Without atts,
// attachment tags leave nothing.
func Render(content string, atts html.Attachments, limit int) string {
	content = textbuf.Valid(content)
	m := Writer{Buffer: textbuf.Buffer{Max: limit, Out: make([]byte, 0, textbuf.Room(len(content), limit))}, atts: atts}
	m.run(content)
	return string(textbuf.Finish(bytes.TrimRight(m.Out, " \n")))
}

// Writer writes the text of Markdown line by line: emphasis and links that go over a line end stay as they are, which
// keeps the cost linear.
type Writer struct {
	textbuf.Buffer

	atts html.Attachments

	from   int    // start of the current line's inline text in Out
	fence  string // the marks that opened the code block, or empty
	blank  int    // blank lines not yet written
	begun  bool   // a line was written
	prose  bool   // the last line was a paragraph's
	inName bool   // what follows is a name: bidirectional controls are left out
	opens  [maxOpens]opener
	nopens int
	runs   [3]runStack // open emphasis: * _ ~
	noCode uint64      // bit n: no run of n backticks follows in this line
}

// run appends the text of content to Out.
func (m *Writer) run(content string) {
	for content != "" && !m.Full {
		line, rest := content, ""
		if n := strings.IndexByte(content, '\n'); n >= 0 {
			line, rest = content[:n], content[n+1:]
		}
		m.line(strings.TrimSuffix(line, "\r"))
		content = rest
	}
}

// Part writes one Markdown text of its own.
func (m *Writer) Part(s string) {
	m.fence, m.blank, m.begun, m.prose = "", 0, false, false
	m.run(strings.TrimSpace(s))
}

// Quote writes each line as a quote.
func (m *Writer) Quote(s string) {
	mark := "> "
	for line := range strings.Lines(strings.TrimSpace(s)) {
		if m.Full {
			return
		}
		m.Put(mark)
		mark = "\n> "
		m.Verbatim(strings.TrimRight(line, " \r\n"))
	}
}

// line writes one line.
func (m *Writer) line(line string) {
	body := strings.TrimLeft(line, " \t")
	indent := line[:len(line)-len(body)]
	body = strings.TrimRight(body, " \t")
	if m.fence != "" {
		if strings.HasPrefix(body, m.fence) && strings.Trim(body, m.fence[:1]) == "" {
			m.fence = ""
			return
		}
		m.start("")
		m.Verbatim(line)
		return
	}
	prose := m.prose
	m.prose = false
	switch {
	case body == "":
		m.blank++
		return
	case strings.HasPrefix(body, "```") || strings.HasPrefix(body, "~~~"):
		if f := body[:run(body, 0)]; f[0] == '~' || strings.IndexByte(body[len(f):], '`') < 0 {
			m.fence = f
			return
		}
	case isRule(body):
		if !prose || body[0] != '-' {
			m.start(indent)
			m.Put("---")
		}
		return
	case prose && strings.Trim(body, "=") == "" || isTableRule(body):
		m.prose = prose
		return
	}
	m.start(indent)
	body = m.markers(body)
	m.inline(body)
	m.prose = true
}

// start begins a line with the blank line held back, at most one outside of code.
func (m *Writer) start(indent string) {
	if m.begun {
		m.Put("\n")
		if m.blank > 0 {
			m.Put("\n")
		}
	}
	m.begun, m.blank = true, 0
	m.Put(indent)
}

// Verbatim writes s as it is, but for characters that have no look: a line of a code block.
func (m *Writer) Verbatim(line string) {
	for _, r := range line {
		if m.Full {
			return
		}
		if r != '\r' {
			m.char(r)
		}
	}
}

// markers writes the marks of quotes, headings, list items and table rows at the start of a line and gives the rest.
func (m *Writer) markers(s string) string {
	for n := 0; strings.HasPrefix(s, ">"); n++ {
		if n < html.MaxIndent {
			m.Put("> ")
		}
		s = strings.TrimLeft(s[1:], " \t")
	}
	if n := run(s, 0); n > 0 && n <= 6 && s[0] == '#' && (n == len(s) || s[n] == ' ') {
		return strings.TrimRight(strings.TrimRight(strings.TrimLeft(s[n:], " "), "#"), " ")
	}
	if len(s) > 1 && (s[0] == '-' || s[0] == '*' || s[0] == '+') && (s[1] == ' ' || s[1] == '\t') {
		m.Put("- ")
		return strings.TrimLeft(s[2:], " \t")
	}
	if len(s) > 1 && s[0] == '|' {
		s = strings.Trim(strings.TrimSuffix(s[1:], "|"), " \t")
	}
	return s
}

// run is the number of times that s[i] is repeated from i on.
func run(s string, i int) int {
	n := i
	for n < len(s) && s[n] == s[i] {
		n++
	}
	return n - i
}

// isRule reports whether a line is "---", "* * *" and the like.
func isRule(s string) bool {
	if c := s[0]; c != '-' && c != '*' && c != '_' {
		return false
	}
	n := 0
	for i := range len(s) {
		switch s[i] {
		case s[0]:
			n++
		case ' ', '\t':
		default:
			return false
		}
	}
	return n >= 3
}

// isTableRule reports whether a line is the one between a table's head and body, "|---|:-:|".
func isTableRule(s string) bool {
	return strings.IndexByte(s, '|') >= 0 && strings.IndexByte(s, '-') >= 0 && strings.Trim(s, "|-: \t") == ""
}
