package card

import (
	"strings"

	"github.com/parley-gateway/parley/source/plaintext/textbuf"
)

// object reads one object of a card and what is in it.
func (c *Reader) object(depth int) error {
	if depth > maxDepth {
		return c.dec.SkipValue()
	}
	var e element
	start := len(c.blocks)
	err := c.members(func(name key) error {
		if into := e.field(name); into != nil {
			return c.str(into)
		}
		switch name {
		case keyChildren, keyRows:
			return c.list(func(int) error { return c.child(name, depth) })
		case keyColumns:
			c.column++
			defer func() { c.column-- }()
			return c.list(func(int) error { return c.child(name, depth) })
		case keyCells:
			return c.cells(depth)
		case keyInlines:
			return c.inlines()
		case keyFacts:
			return c.list(func(int) error { return c.fact() })
		case keyActivity:
			var s string
			err := c.str(&s)
			e.activities = join(e.activities, s)
			return err
		default:
			return c.dec.SkipValue()
		}
	})
	if err != nil {
		return err
	}
	c.finish(&e, start, depth)
	return nil
}

// child reads an object in an array of elements; a table's row starts a line.
func (c *Reader) child(name key, depth int) error {
	if c.dec.PeekKind() != '{' {
		return c.dec.SkipValue()
	}
	if name != keyRows || c.row {
		return c.object(depth + 1)
	}
	c.row, c.started, c.borders = true, false, 0
	err := c.object(depth + 1)
	c.row = false
	return err
}

// cells reads the cells of a table's row.
func (c *Reader) cells(depth int) error {
	return c.list(func(i int) error {
		if i > 0 && c.row {
			c.borders++
		}
		return c.child(keyCells, depth)
	})
}

// inlines joins the text runs of a RichTextBlock.
func (c *Reader) inlines() error {
	var joined strings.Builder
	err := c.list(func(int) error {
		var s string
		var err error
		if c.dec.PeekKind() == '{' {
			err = c.members(func(name key) error {
				if name == keyText {
					return c.str(&s)
				}
				return c.dec.SkipValue()
			})
		} else {
			err = c.str(&s)
		}
		joined.WriteString(s)
		return err
	})
	c.push(block{kind: blockLiteral, text: joined.String(), dedupe: true})
	return err
}

// fact reads a fact of an Adaptive Card (title, value) or of a connector card (name, value).
func (c *Reader) fact() error {
	var title, name, value string
	err := c.members(func(k key) error {
		switch k {
		case keyTitle:
			return c.str(&title)
		case keyName:
			return c.str(&name)
		case keyValue:
			return c.str(&value)
		default:
			return c.dec.SkipValue()
		}
	})
	if title == "" {
		title = name
	}
	c.push(block{kind: blockFact, text: title, value: value})
	return err
}

// finish adds the element's own text before that of its children, or takes the children back if the element has no text.
func (c *Reader) finish(e *element, start, depth int) {
	if hasNoText(e.kind) {
		c.blocks = c.blocks[:start]
		return
	}
	if depth == 1 && (e.preview != "" || e.forwarded != "") {
		c.quote = true
		c.blocks = c.blocks[:start]
		c.push(block{kind: blockQuote, text: e.preview})
		c.push(block{kind: blockForward, text: e.forwarded})
		return
	}
	children := len(c.blocks)
	switch {
	case e.kind == "AdaptiveCard":
	case e.kind == "CodeBlock":
		c.push(block{kind: blockLiteral, text: e.code})
	case isAdaptive(e.kind):
		c.push(block{kind: blockMarkdown, text: e.text, dedupe: true})
	case e.codeURL != "":
		c.push(block{kind: blockLiteral, text: snippet(e)})
	default:
		for _, s := range []string{e.title, e.subtitle, e.activities, e.text} {
			c.push(block{kind: blockBot, text: s, dedupe: true})
		}
	}
	c.hoist(start, children)
	if depth == 1 && len(c.blocks) == 0 && e.kind != "AdaptiveCard" {
		c.push(block{kind: blockBot, text: join(e.subject, e.summary)})
	}
}

// hoist moves the blocks from own on before those from start on.
func (c *Reader) hoist(start, own int) {
	var few [4]block
	n := copy(few[:], c.blocks[own:])
	if n == 0 || start == own {
		return
	}
	copy(c.blocks[start+n:], c.blocks[start:own])
	copy(c.blocks[start:], few[:n])
}

// hasNoText reports whether the strings of an element are no part of a message: actions, inputs, media.
func hasNoText(kind string) bool {
	for _, prefix := range []string{"Action", "Input.", "Image", "Media", "Icon", "Chart."} {
		if strings.HasPrefix(kind, prefix) {
			return true
		}
	}
	return false
}

// isAdaptive reports whether an element is one of Adaptive Cards, which have no text but "text".
func isAdaptive(kind string) bool {
	switch kind {
	case "TextBlock", "RichTextBlock", "TextRun", "Container", "ColumnSet", "Column", "FactSet", "Table", "TableRow",
		"TableCell", "Carousel", "CarouselPage":
		return true
	}
	return false
}

// snippet stands for a code snippet, whose text Graph keeps as hosted content.
func snippet(e *element) string {
	for _, s := range []string{e.name, e.title, e.language} {
		if s = textbuf.CleanName(s); s != "" {
			return "[code snippet: " + s + "]"
		}
	}
	return "[code snippet]"
}

// join puts two texts on lines of their own.
func join(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + "\n" + b
}

// element is what an object of a card says itself, beside its children.
type element struct {
	kind, text, title, subtitle, name    string
	summary, subject, language, codeURL  string
	code, preview, forwarded, activities string
}

// field is where the string property name goes, or nil.
func (e *element) field(name key) *string {
	switch name {
	case keyType:
		return &e.kind
	case keyText:
		return &e.text
	case keyTitle:
		return &e.title
	case keySubtitle:
		return &e.subtitle
	case keyName:
		return &e.name
	case keySummary:
		return &e.summary
	case keySubject:
		return &e.subject
	case keyLanguage:
		return &e.language
	case keyCodeURL:
		return &e.codeURL
	case keyCode:
		return &e.code
	case keyPreview:
		return &e.preview
	case keyForwarded:
		return &e.forwarded
	default:
		return nil
	}
}
