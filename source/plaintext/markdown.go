package plaintext

import (
	"bytes"
	"strings"
)

// renderMarkdown returns the readable text of a Markdown body, at most limit bytes; the package comment has the rules. Without
// atts, attachment tags leave nothing.
func renderMarkdown(content string, atts *resolver, limit int) string {
	content = valid(content)
	m := markdown{writer: writer{max: limit, out: make([]byte, 0, min(len(content), limit, 64<<10))}, atts: atts}
	m.run(content)
	return string(finished(bytes.TrimRight(m.out, " \n")))
}

// markdown writes the text of Markdown line by line: emphasis and links that go over a line end stay as they are, which
// keeps the cost linear.
type markdown struct {
	writer

	atts *resolver

	from   int    // start of the current line's inline text in out
	fence  string // the marks that opened the code block, or empty
	blank  int    // blank lines not yet written
	begun  bool   // a line was written
	prose  bool   // the last line was a paragraph's
	opens  [maxOpens]opener
	nopens int
	runs   [3]runStack // open emphasis: * _ ~
	noCode uint64      // bit n: no run of n backticks follows in this line
}

// run writes content behind what out holds.
func (m *markdown) run(content string) {
	for content != "" && !m.full {
		line, rest := content, ""
		if n := strings.IndexByte(content, '\n'); n >= 0 {
			line, rest = content[:n], content[n+1:]
		}
		m.line(strings.TrimSuffix(line, "\r"))
		content = rest
	}
}

// line writes one line.
func (m *markdown) line(line string) {
	body := strings.TrimLeft(line, " \t")
	indent := line[:len(line)-len(body)]
	body = strings.TrimRight(body, " \t")
	if m.fence != "" {
		if strings.HasPrefix(body, m.fence) && strings.Trim(body, m.fence[:1]) == "" {
			m.fence = ""
			return
		}
		m.start("")
		m.code(line)
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
			m.put("---")
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
func (m *markdown) start(indent string) {
	if m.begun {
		m.put("\n")
		if m.blank > 0 {
			m.put("\n")
		}
	}
	m.begun, m.blank = true, 0
	m.put(indent)
}

// code writes a line of a code block.
func (m *markdown) code(line string) {
	for _, r := range line {
		if m.full {
			return
		}
		if r != '\r' {
			m.char(r)
		}
	}
}

// markers writes the marks of quotes, headings, list items and table rows at the start of a line and gives the rest.
func (m *markdown) markers(s string) string {
	for n := 0; strings.HasPrefix(s, ">"); n++ {
		if n < maxIndent {
			m.put("> ")
		}
		s = strings.TrimLeft(s[1:], " \t")
	}
	if n := run(s, 0); n > 0 && n <= 6 && s[0] == '#' && (n == len(s) || s[n] == ' ') {
		return strings.TrimRight(strings.TrimRight(strings.TrimLeft(s[n:], " "), "#"), " ")
	}
	if len(s) > 1 && (s[0] == '-' || s[0] == '*' || s[0] == '+') && (s[1] == ' ' || s[1] == '\t') {
		m.put("- ")
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
