package card

import (
	"bytes"
	"strings"

	"github.com/parley-gateway/parley/source/plaintext/html"
	"github.com/parley-gateway/parley/source/plaintext/markdown"
	"github.com/parley-gateway/parley/source/plaintext/textbuf"
)

// longText is the number of letters from which a text that comes again anywhere in a card is a repetition.
const longText = 32

// dropRepeats marks the blocks that say the same as another one.
func (c *Reader) dropRepeats() {
	if len(c.blocks) < 2 {
		return
	}
	var long map[uint64]int // blocks of long texts by their hash
	prints := make([]fingerprint, len(c.blocks))
	last := -1 // the block before, if it may be repeated
	for i := range c.blocks {
		b := &c.blocks[i]
		if !b.dedupe {
			last = -1
			continue
		}
		prints[i] = newFingerprint(c.seed, b.text)
		a := &prints[i]
		first := -1
		if a.letters >= longText {
			if at, ok := long[a.hash]; ok {
				first = at
			} else {
				if long == nil {
					long = make(map[uint64]int)
				}
				long[a.hash] = i
			}
		} else if last >= 0 && a.letters > 0 && prints[last].hash == a.hash && !b.column {
			first = last
		}
		if first < 0 {
			last = i
			continue
		}
		if old := &prints[first]; a.links > old.links || a.links == old.links && a.broken < old.broken {
			c.blocks[first].text, c.blocks[first].kind = b.text, b.kind
			*old = *a
		}
		b.repeat = true
	}
}

// write lays out the blocks.
func (c *Reader) write(limit int) string {
	m := markdown.Writer{Buffer: textbuf.Buffer{Max: limit}}
	for i := range c.blocks {
		b := &c.blocks[i]
		if b.repeat || m.Full {
			continue
		}
		from := len(m.Out)
		switch {
		case from == 0:
		case !b.joined:
			m.Put("\n")
		case b.cells == 0:
			m.Put(" ")
		}
		for j := range b.cells {
			if j > 0 || b.joined {
				m.Put(" ")
			}
			m.Put("|")
		}
		if b.cells > 0 {
			m.Put(" ")
		}
		text := len(m.Out)
		b.write(&m, limit)
		if len(m.Out) == text && !b.joined && b.cells == 0 {
			m.Out = m.Out[:from]
		}
	}
	return string(textbuf.Finish(bytes.Trim(m.Out, " \n")))
}

// write writes the text of the block.
func (b *block) write(m *markdown.Writer, limit int) {
	switch b.kind {
	case blockMarkdown:
		m.Part(b.text)
	case blockLiteral:
		m.Verbatim(strings.Trim(b.text, "\r\n"))
	case blockBot:
		if strings.IndexByte(b.text, '<') >= 0 {
			m.Put(html.Render(b.text, nil, limit))
		} else {
			m.Part(b.text)
		}
	case blockFact:
		m.Part(b.text)
		if b.text != "" {
			if !strings.HasSuffix(strings.TrimRight(b.text, " "), ":") {
				m.Put(":")
			}
			m.Put(" ")
		}
		m.Part(b.value)
	case blockQuote:
		m.Quote(b.text)
	case blockForward:
		m.Quote(html.Render(b.text, nil, limit))
	}
}
