package filter

import (
	"strings"
	"unicode"
)

// pattern is a text with wildcards: the pieces between them, folded. A wildcard stands for any
// characters, also none.
type pattern []string

// newPattern splits a literal at its wildcards, whose offsets are given.
func newPattern(literal string, wild []int) pattern {
	p := make(pattern, 0, len(wild)+1)
	from := 0
	for _, at := range wild {
		p = append(p, fold(literal[from:at]))
		from = at + 1
	}
	return append(p, fold(literal[from:]))
}

// match reports whether the whole text fits, without regard to case. An empty text fits nothing. The pieces are found from left
// to right, each at its first match, so no text is looked through twice for one piece.
func (p pattern) match(text string) bool {
	if text == "" {
		return false
	}
	text = fold(text)
	first, last := p[0], p[len(p)-1]
	if len(text) < len(first)+len(last) || !strings.HasPrefix(text, first) || !strings.HasSuffix(text, last) {
		return false
	}
	text = text[len(first) : len(text)-len(last)]
	for _, piece := range p[1 : len(p)-1] {
		at := strings.Index(text, piece)
		if at < 0 {
			return false
		}
		text = text[at+len(piece):]
	}
	return true
}

// fold maps characters that differ in case alone to one, as strings.EqualFold compares them: the least of them.
func fold(text string) string {
	return strings.Map(func(r rune) rune {
		least := r
		for next := unicode.SimpleFold(r); next != r; next = unicode.SimpleFold(next) {
			least = min(least, next)
		}
		return least
	}, text)
}
