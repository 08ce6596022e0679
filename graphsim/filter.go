package graphsim

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// node is a parsed $filter: and, or, a comparison, or a lambda any.
type node struct {
	op          string // and, or, eq, ne, gt, ge, lt, le, any; of the directory also in and startswith
	left, right *node
	path        string   // lower case
	text        string   // the literal
	list        []string // the literals of in
	kind        litKind
	when        time.Time
}

type litKind uint8

const (
	litString litKind = iota + 1
	litTime
	litOther
)

// Bounds of what the parser takes.
const (
	maxFilter      = 8 << 10
	maxFilterDepth = 32
)

var errFilter = errors.New("graphsim: malformed filter")

type filterParser struct {
	s         string
	pos       int
	depth     int
	directory bool // in and startswith are known
}

// parseFilter reads the part of the OData filter language that these APIs know: and, or, parentheses, comparisons of
// a property path with a string, number, word or time, and collection/any(v: …).
func parseFilter(s string) (*node, error) { return (&filterParser{s: s}).parse() }

// parseUserFilter reads what parseFilter does, and the directory's in and startswith.
func parseUserFilter(s string) (*node, error) { return (&filterParser{s: s, directory: true}).parse() }

func (p *filterParser) parse() (*node, error) {
	if len(p.s) > maxFilter {
		return nil, fmt.Errorf("%w: too long", errFilter)
	}
	n, err := p.or("")
	if err != nil {
		return nil, err
	}
	if p.space(); p.pos != len(p.s) {
		return nil, p.fail("text after the expression")
	}
	return n, nil
}

func (p *filterParser) fail(what string) error {
	return fmt.Errorf("%w: %s at position %d", errFilter, what, p.pos)
}

func (p *filterParser) space() {
	for p.pos < len(p.s) && (p.s[p.pos] == ' ' || p.s[p.pos] == '\t') {
		p.pos++
	}
}

func isWord(c byte) bool {
	return c == '_' || c == '@' || c == '.' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// word reads a run of path characters.
func (p *filterParser) word(more string) string {
	p.space()
	start := p.pos
	for p.pos < len(p.s) && (isWord(p.s[p.pos]) || strings.IndexByte(more, p.s[p.pos]) >= 0) {
		p.pos++
	}
	return p.s[start:p.pos]
}

func (p *filterParser) keyword(k string) bool {
	mark := p.pos
	if strings.EqualFold(p.word(""), k) {
		return true
	}
	p.pos = mark
	return false
}

func (p *filterParser) take(c byte) bool {
	p.space()
	if p.pos < len(p.s) && p.s[p.pos] == c {
		p.pos++
		return true
	}
	return false
}

func (p *filterParser) or(variable string) (*node, error) {
	return p.chain("or", func() (*node, error) {
		return p.chain("and", func() (*node, error) { return p.primary(variable) })
	})
}

func (p *filterParser) chain(op string, next func() (*node, error)) (*node, error) {
	left, err := next()
	if err != nil {
		return nil, err
	}
	for p.keyword(op) {
		right, err := next()
		if err != nil {
			return nil, err
		}
		left = &node{op: op, left: left, right: right}
	}
	return left, nil
}

func (p *filterParser) primary(variable string) (*node, error) {
	if p.depth++; p.depth > maxFilterDepth {
		return nil, p.fail("too deep")
	}
	defer func() { p.depth-- }()
	if p.take('(') {
		n, err := p.or(variable)
		if err != nil {
			return nil, err
		}
		if !p.take(')') {
			return nil, p.fail("expected )")
		}
		return n, nil
	}
	path := strings.ToLower(p.word("/"))
	if path == "" {
		return nil, p.fail("expected a property")
	}
	if p.directory && path == "startswith" && p.take('(') {
		return p.startsWith()
	}
	if collection, ok := strings.CutSuffix(path, "/any"); ok && p.take('(') {
		return p.lambda(collection, variable)
	}
	if variable != "" {
		rest, ok := strings.CutPrefix(path, variable+"/")
		if !ok {
			return nil, p.fail("expected the variable")
		}
		path = rest
	}
	return p.comparison(path)
}

func (p *filterParser) lambda(collection, outer string) (*node, error) {
	if outer != "" {
		return nil, p.fail("nested any")
	}
	variable := strings.ToLower(p.word(""))
	if variable == "" || !p.take(':') {
		return nil, p.fail("expected a variable and a colon")
	}
	body, err := p.or(variable)
	if err != nil {
		return nil, err
	}
	if !p.take(')') {
		return nil, p.fail("expected )")
	}
	return &node{op: "any", path: collection, left: body}, nil
}

func (p *filterParser) comparison(path string) (*node, error) {
	op := strings.ToLower(p.word(""))
	if p.directory && op == "in" {
		return p.in(path)
	}
	switch op {
	case "eq", "ne", "gt", "ge", "lt", "le":
	default:
		return nil, p.fail("expected an operator")
	}
	n := &node{op: op, path: path}
	p.space()
	if p.take('\'') {
		return n, p.quoted(n)
	}
	n.text = p.word(":-+")
	if n.text == "" {
		return nil, p.fail("expected a value")
	}
	n.kind = litOther
	if t, err := time.Parse(time.RFC3339Nano, n.text); err == nil {
		n.kind, n.when = litTime, t
	}
	return n, nil
}

// startsWith reads what follows startswith(.
func (p *filterParser) startsWith() (*node, error) {
	n := &node{op: "startswith", path: strings.ToLower(p.word("/"))}
	if n.path == "" || !p.take(',') || !p.take('\'') {
		return nil, p.fail("expected a property, a comma and a string")
	}
	if err := p.quoted(n); err != nil {
		return nil, err
	}
	if !p.take(')') {
		return nil, p.fail("expected )")
	}
	return n, nil
}

// in reads the list of strings behind in.
func (p *filterParser) in(path string) (*node, error) {
	n := &node{op: "in", path: path, kind: litString}
	if !p.take('(') {
		return nil, p.fail("expected (")
	}
	for {
		if !p.take('\'') {
			return nil, p.fail("expected a string")
		}
		var one node
		if err := p.quoted(&one); err != nil {
			return nil, err
		}
		n.list = append(n.list, one.text)
		if p.take(')') {
			return n, nil
		}
		if !p.take(',') {
			return nil, p.fail("expected , or )")
		}
	}
}

func (p *filterParser) quoted(n *node) error {
	var b strings.Builder
	for p.pos < len(p.s) {
		c := p.s[p.pos]
		p.pos++
		if c != '\'' {
			b.WriteByte(c)
			continue
		}
		if p.pos < len(p.s) && p.s[p.pos] == '\'' {
			b.WriteByte('\'')
			p.pos++
			continue
		}
		n.kind, n.text = litString, b.String()
		return nil
	}
	return p.fail("unterminated string")
}

// conjuncts splits the top of the expression at its ands.
func (n *node) conjuncts() []*node {
	if n == nil {
		return nil
	}
	if n.op == "and" {
		return append(n.left.conjuncts(), n.right.conjuncts()...)
	}
	return []*node{n}
}

// each visits every comparison and lambda.
func (n *node) each(f func(*node)) {
	switch n.op {
	case "and", "or":
		n.left.each(f)
		n.right.each(f)
	default:
		f(n)
	}
}

// holds evaluates the expression; leaf decides comparisons and lambdas.
func (n *node) holds(leaf func(*node) bool) bool {
	switch n.op {
	case "and":
		return n.left.holds(leaf) && n.right.holds(leaf)
	case "or":
		return n.left.holds(leaf) || n.right.holds(leaf)
	default:
		return leaf(n)
	}
}

// compareText answers eq and ne on strings without case.
func (n *node) compareText(v string) bool { return strings.EqualFold(n.text, v) == (n.op == "eq") }
