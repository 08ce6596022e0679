package plaintext

import (
	"bytes"
	"strings"
)

// longAnswer is the number of letters from which a text that comes again anywhere in a card is a repetition.
const longAnswer = 32

// dropRepeats strikes out the blocks that say the same as another one.
func (c *cardReader) dropRepeats() {
	if len(c.blocks) < 2 {
		return
	}
	var long map[uint64]int // place and measure of each long answer
	answers := make([]answer, len(c.blocks))
	last := -1 // the block before, if it may be repeated
	for i := range c.blocks {
		b := &c.blocks[i]
		if !b.answer {
			last = -1
			continue
		}
		answers[i] = newAnswer(c.seed, b.text)
		a := &answers[i]
		first := -1
		if a.letters >= longAnswer {
			if at, ok := long[a.key]; ok {
				first = at
			} else {
				if long == nil {
					long = make(map[uint64]int)
				}
				long[a.key] = i
			}
		} else if last >= 0 && a.letters > 0 && answers[last].key == a.key && !b.column {
			first = last
		}
		if first < 0 {
			last = i
			continue
		}
		if old := &answers[first]; a.links > old.links || a.links == old.links && a.broken < old.broken {
			c.blocks[first].text, c.blocks[first].kind = b.text, b.kind
			*old = *a
		}
		b.gone = true
	}
}

// write lays out the blocks.
func (c *cardReader) write(limit int) string {
	m := markdown{writer: writer{max: limit}}
	for i := range c.blocks {
		b := &c.blocks[i]
		if b.gone || m.full {
			continue
		}
		from := len(m.out)
		switch {
		case from == 0:
		case !b.joined:
			m.put("\n")
		case b.cells == 0:
			m.put(" ")
		}
		for j := range b.cells {
			if j > 0 || b.joined {
				m.put(" ")
			}
			m.put("|")
		}
		if b.cells > 0 {
			m.put(" ")
		}
		text := len(m.out)
		m.block(b, limit)
		if len(m.out) == text && !b.joined && b.cells == 0 {
			m.out = m.out[:from]
		}
	}
	return string(finished(bytes.Trim(m.out, " \n")))
}

// block writes the text of one block.
func (m *markdown) block(b *block, limit int) {
	switch b.kind {
	case blockMarkdown:
		m.part(b.text)
	case blockLiteral:
		m.code(strings.Trim(b.text, "\r\n"))
	case blockBot:
		if strings.IndexByte(b.text, '<') >= 0 {
			m.put(renderHTML(b.text, nil, limit))
		} else {
			m.part(b.text)
		}
	case blockFact:
		m.part(b.text)
		if b.text != "" {
			if !strings.HasSuffix(strings.TrimRight(b.text, " "), ":") {
				m.put(":")
			}
			m.put(" ")
		}
		m.part(b.value)
	case blockQuote:
		m.quoted(b.text)
	case blockForward:
		m.quoted(renderHTML(b.text, nil, limit))
	}
}

// part writes one Markdown text of its own.
func (m *markdown) part(s string) {
	m.fence, m.blank, m.begun, m.prose = "", 0, false, false
	m.run(strings.TrimSpace(s))
}

// quoted writes each line as a quote.
func (m *markdown) quoted(s string) {
	mark := "> "
	for line := range strings.Lines(strings.TrimSpace(s)) {
		if m.full {
			return
		}
		m.put(mark)
		mark = "\n> "
		m.code(strings.TrimRight(line, " \r\n"))
	}
}
