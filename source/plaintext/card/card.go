package card

import (
	"bytes"
	"errors"
	"hash/maphash"
	"io"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/parley-gateway/parley/source/plaintext/textbuf"
)

const (
	maxDepth  = 64      // levels of a card that are read; deeper ones are passed over
	maxBlocks = 1 << 14 // texts of one card; more are passed over
)

// errNotCard says that the JSON is no object, or that something follows it.
var errNotCard = errors.New("card: not a card")

// blockKind says how a block is written.
type blockKind uint8

const (
	blockMarkdown blockKind = iota // Markdown, as in TextBlock
	blockLiteral                   // verbatim: text runs, code
	blockBot                       // a Bot Framework text: HTML or Markdown
	blockFact                      // title and value
	blockQuote                     // a quoted message, plain
	blockForward                   // a forwarded message, HTML
)

// block is one text of a card.
type block struct {
	text   string
	value  string // of a fact
	kind   blockKind
	dedupe bool // may repeat another block
	column bool // stands in a column
	joined bool // goes on in the line of the block before
	cells  int  // cell borders before it
	repeat bool // repeats another block
}

// Reader reads the text of cards, one after the other: an Adaptive Card, one of the Bot Framework's cards (hero, thumbnail,
// list, connector), an announcement, a code snippet, or a quoted or forwarded message, told apart by their properties since
// contentType is often truncated or missing. Actions, inputs and images have no text. [NewReader] makes one.
type Reader struct {
	seed   maphash.Seed
	buf    bytes.Buffer
	dec    *jsontext.Decoder
	opts   []jsontext.Options
	blocks []block
	unq    []byte // scratch of str
	quote  bool   // the card is a quoted or forwarded message

	column  int  // open columns
	row     bool // in a table row
	started bool // the row has a block
	borders int  // cell borders not yet written
}

// NewReader is a reader of the cards of one message.
func NewReader() Reader { return Reader{seed: maphash.MakeSeed()} }

// Read returns the text of one card, at most limit bytes, and reports whether it is a quote. ok is false for a text that is no card.
func (c *Reader) Read(jsonText string, limit int) (s string, quote, ok bool) {
	c.buf.Reset()
	c.buf.WriteString(strings.TrimPrefix(jsonText, "\ufeff"))
	if c.dec == nil {
		c.opts = []jsontext.Options{jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)}
		c.dec = jsontext.NewDecoder(&c.buf, c.opts...)
	} else {
		c.dec.Reset(&c.buf, c.opts...)
	}
	clear(c.blocks)
	c.blocks, c.quote = c.blocks[:0], false
	c.column, c.row, c.started, c.borders = 0, false, false, 0
	if err := c.document(); err != nil {
		return "", false, false
	}
	c.dropRepeats()
	return c.write(limit), c.quote, true
}

// document reads the whole text.
func (c *Reader) document() error {
	if c.dec.PeekKind() != '{' {
		return errNotCard
	}
	if err := c.object(1); err != nil {
		return err
	}
	if _, err := c.dec.ReadToken(); !errors.Is(err, io.EOF) {
		return errNotCard
	}
	return nil
}

// list reads an array, each of its values with item. Anything else is passed over.
func (c *Reader) list(item func(i int) error) error {
	if c.dec.PeekKind() != '[' {
		return c.dec.SkipValue()
	}
	if _, err := c.dec.ReadToken(); err != nil {
		return err
	}
	for i := 0; c.dec.PeekKind() != ']'; i++ {
		if err := item(i); err != nil {
			return err
		}
	}
	_, err := c.dec.ReadToken()
	return err
}

// members reads the members of an object, each with value. Anything else is passed over.
func (c *Reader) members(value func(name key) error) error {
	if c.dec.PeekKind() != '{' {
		return c.dec.SkipValue()
	}
	if _, err := c.dec.ReadToken(); err != nil {
		return err
	}
	for c.dec.PeekKind() != '}' {
		name, err := c.dec.ReadValue()
		if err != nil {
			return err
		}
		if err := value(keyOf(name)); err != nil {
			return err
		}
	}
	_, err := c.dec.ReadToken()
	return err
}

// str reads a string; a number or boolean gives its JSON text, anything else nothing.
func (c *Reader) str(into *string) error {
	switch c.dec.PeekKind() {
	case '"':
		v, err := c.dec.ReadValue()
		if err != nil {
			return err
		}
		if len(v) == 2 {
			return nil
		}
		if bytes.IndexByte(v, '\\') < 0 {
			*into = textbuf.Valid(string(v[1 : len(v)-1]))
			return nil
		}
		if cap(c.unq) < len(v) {
			c.unq = make([]byte, 0, len(v))
		}
		// The error says that characters were replaced, which is what Parley wants.
		c.unq, _ = jsontext.AppendUnquote(c.unq[:0], v)
		*into = string(c.unq)
		return nil
	case '0', 't', 'f':
		v, err := c.dec.ReadValue()
		if err != nil {
			return err
		}
		*into = string(v)
		return nil
	default:
		return c.dec.SkipValue()
	}
}

// push adds a block at its place in the layout.
func (c *Reader) push(b block) {
	if len(c.blocks) >= maxBlocks || strings.TrimSpace(b.text) == "" && b.value == "" {
		return
	}
	b.column = c.column > 0
	if c.row {
		b.joined, b.cells, b.dedupe = c.started, c.borders, false
		c.started, c.borders = true, 0
	}
	c.blocks = append(c.blocks, b)
}
