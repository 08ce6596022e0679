// Package filter is the AIP-160 subset of parley.v1: a parser with hard limits, a type check against the fields that the
// contract lists, an evaluation with three outcomes, and what of it Graph can evaluate. Packages query, merge and pager above it compile
// filters and evaluate them; below it is the clause that package source sends to Graph.
//
// A filter is comparisons of a field with a literal (=, !=, <, <=, >, >=, and : for "has"), NOT or -, AND, OR and
// parentheses; as AIP-160 says, OR binds more tightly than AND, and two terms beside each other are joined by AND.
// Bare words and functions are refused. In a text compared by =, != or :, * stands for any characters where the field knows
// wildcards, and for itself elsewhere; \* is a * everywhere. A field that an event does not have equals nothing; field:* asks
// whether it has one.
package filter

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	maxLength = 512 // characters
	maxDepth  = 16  // levels of parentheses and negations
)

// Error says what is wrong with a filter and where. Its message quotes fields and operators, never a literal.
type Error struct {
	// Position is the place in the filter in characters, from 1.
	Position int
	// Message is the fault in English.
	Message string
}

// Error gives the position first.
func (e *Error) Error() string { return fmt.Sprintf("position %d: %s", e.Position, e.Message) }

var _ error = (*Error)(nil)

// operator compares a field with a literal.
type operator string

const (
	equal    operator = "="
	unequal  operator = "!="
	less     operator = "<"
	atMost   operator = "<="
	greater  operator = ">"
	atLeast  operator = ">="
	contains operator = ":"
)

// node is a part of a filter: a comparison, a negation (one child), or children joined by and or or.
type node struct {
	join     string // "and", "or", "not"; empty for a comparison
	children []*node

	path     string
	op       operator
	literal  string
	quoted   bool  // the literal is a text in quotes
	present  bool  // the comparison asks whether the field is there
	wild     []int // offsets in the literal of each * that is not escaped
	position int   // position of the comparison in the filter
	at       int   // position of the literal
	field    *field
	value    value
}

// token is a piece of a filter's text.
type token struct {
	kind     byte // w = word, s = quoted text, o = operator, ( ) - and 0 = end
	text     string
	wild     []int // offsets in a word or text of each * that is not escaped
	position int
}

// parser reads tokens one ahead.
type parser struct {
	text  []rune
	at    int
	next  token
	depth int
}

// parse reads a filter; nil for one without any term.
func parse(text string) (*node, error) {
	if !utf8.ValidString(text) {
		return nil, &Error{1, "is not UTF-8"}
	}
	if utf8.RuneCountInString(text) > maxLength {
		return nil, &Error{maxLength + 1, fmt.Sprintf("is longer than %d characters", maxLength)}
	}
	p := &parser{text: []rune(text)}
	if err := p.advance(); err != nil {
		return nil, err
	}
	if p.next.kind == 0 {
		return nil, nil //nolint:nilnil // nothing asked for is no node and no fault
	}
	n, err := p.expression()
	if err != nil {
		return nil, err
	}
	if p.next.kind != 0 {
		return nil, p.fault("unexpected %q", p.next.text)
	}
	return n, nil
}

func (p *parser) fault(format string, args ...any) error {
	return &Error{p.next.position, fmt.Sprintf(format, args...)}
}

// expression is factors joined by AND or by standing beside each other.
func (p *parser) expression() (*node, error) {
	all := &node{join: "and"}
	for {
		factor, err := p.factor()
		if err != nil {
			return nil, err
		}
		all.children = append(all.children, factor)
		switch {
		case p.word("AND"):
			if err := p.advance(); err != nil {
				return nil, err
			}
		case p.next.kind == 0 || p.next.kind == ')':
			return all.simple(), nil
		}
	}
}

// factor is terms joined by OR.
func (p *parser) factor() (*node, error) {
	some := &node{join: "or"}
	for {
		term, err := p.term()
		if err != nil {
			return nil, err
		}
		some.children = append(some.children, term)
		if !p.word("OR") {
			return some.simple(), nil
		}
		if err := p.advance(); err != nil {
			return nil, err
		}
	}
}

// isBareWildcard reports whether the literal is a * without quotes.
func (n *node) isBareWildcard() bool { return !n.quoted && n.literal == "*" }

func (n *node) simple() *node {
	if len(n.children) == 1 {
		return n.children[0]
	}
	return n
}

func (p *parser) word(text string) bool { return p.next.kind == 'w' && p.next.text == text }

// term is a comparison, a negation or an expression in parentheses.
func (p *parser) term() (*node, error) {
	switch {
	case p.word("NOT"), p.next.kind == '-':
		inner, err := p.nested((*parser).term)
		if err != nil {
			return nil, err
		}
		return &node{join: "not", children: []*node{inner}}, nil
	case p.next.kind == '(':
		inner, err := p.nested((*parser).expression)
		if err != nil {
			return nil, err
		}
		if p.next.kind != ')' {
			return nil, p.fault("a parenthesis is not closed")
		}
		return inner, p.advance()
	default:
		return p.comparison()
	}
}

// nested reads the part after the next token, one level deeper.
func (p *parser) nested(read func(*parser) (*node, error)) (*node, error) {
	if p.depth++; p.depth > maxDepth {
		return nil, p.fault("is nested more than %d levels deep", maxDepth)
	}
	defer func() { p.depth-- }()
	if err := p.advance(); err != nil {
		return nil, err
	}
	return read(p)
}

func (p *parser) comparison() (*node, error) {
	if p.next.kind != 'w' || p.word("AND") || p.word("OR") {
		if p.next.kind == 's' {
			return nil, p.fault("expected a field, found a text; write field = \"text\"")
		}
		if p.next.kind == 0 {
			return nil, p.fault("expected a field, found the end")
		}
		return nil, p.fault("expected a field, found %q", p.next.text)
	}
	n := &node{path: p.next.text, position: p.next.position}
	if err := p.advance(); err != nil {
		return nil, err
	}
	switch p.next.kind {
	case 'o':
	case '(':
		return nil, &Error{n.position, "functions are not supported"}
	default:
		return nil, p.fault("expected a comparison such as = behind the field")
	}
	n.op = operator(p.next.text)
	if err := p.advance(); err != nil {
		return nil, err
	}
	negative := p.next.kind == '-'
	if negative {
		return nil, p.fault("expected a text or a name")
	}
	if p.next.kind != 'w' && p.next.kind != 's' || p.word("AND") || p.word("OR") || p.word("NOT") {
		return nil, p.fault("expected a text or a name behind %s", n.op)
	}
	n.literal, n.quoted, n.wild, n.at = p.next.text, p.next.kind == 's', p.next.wild, p.next.position
	return n, p.advance()
}

// advance reads the next token.
func (p *parser) advance() error {
	for p.at < len(p.text) && unicode.IsSpace(p.text[p.at]) {
		p.at++
	}
	p.next = token{position: p.at + 1}
	if p.at == len(p.text) {
		return nil
	}
	switch c := p.text[p.at]; {
	case c == '(' || c == ')' || c == '-':
		p.next.kind, p.next.text = byte(c), string(c)
		p.at++
	case strings.ContainsRune("=!<>:", c):
		return p.operator(c)
	case c == '"' || c == '\'':
		return p.quoted(c)
	case wordRune(c):
		from := p.at
		for p.at < len(p.text) && (wordRune(p.text[p.at]) || p.text[p.at] == '-') {
			p.at++
		}
		p.next.kind, p.next.text = 'w', string(p.text[from:p.at])
		for i, c := range p.next.text {
			if c == '*' {
				p.next.wild = append(p.next.wild, i)
			}
		}
	default:
		return p.fault("unexpected character")
	}
	return nil
}

func (p *parser) operator(c rune) error {
	p.at++
	text := string(c)
	if p.at < len(p.text) && p.text[p.at] == '=' && strings.ContainsRune("!<>", c) {
		text += "="
		p.at++
	}
	if text == "!" {
		return p.fault("expected != or NOT")
	}
	p.next.kind, p.next.text = 'o', text
	return nil
}

// quoted reads a text in double or single quotes; a backslash takes the character after it as it is, so \* is no wildcard.
func (p *parser) quoted(quote rune) error {
	var b strings.Builder
	for p.at++; p.at < len(p.text); p.at++ {
		switch c := p.text[p.at]; {
		case c == quote:
			p.at++
			p.next.kind, p.next.text = 's', b.String()
			return nil
		case c == '\\' && p.at+1 < len(p.text):
			p.at++
			b.WriteRune(p.text[p.at])
		case c == '*':
			p.next.wild = append(p.next.wild, b.Len())
			fallthrough
		default:
			b.WriteRune(c)
		}
	}
	return p.fault("a text is not closed")
}

func wordRune(c rune) bool {
	return c == '_' || c == '.' || c == '*' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}
