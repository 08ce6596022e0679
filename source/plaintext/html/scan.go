package html

import (
	"strings"

	"github.com/parley-gateway/parley/source/plaintext/textbuf"
)

// Kind says what a token of [Scanner] is.
type Kind uint8

// The kinds of tokens.
const (
	TokenEOF   Kind = iota // the end of the text
	TokenText              // text between tags, or the raw text of an element such as <script>
	TokenStart             // a start tag, self-closing or not
	TokenEnd               // an end tag
)

// Token is one piece of HTML. Its strings are parts of the scanned text: nothing
// is copied or decoded.
type Token struct {
	Kind Kind
	Tag  Tag
	Text string // text tokens: as written
	Raw  bool   // text tokens: character references stand for themselves
	Attr Attrs  // start tags
}

// Attrs are the values of the attributes that Parley reads, as written. Of an
// attribute that comes twice the first counts, as in browsers.
type Attrs struct {
	ID, Alt, Title, Href, Start, ItemType, ItemID, Src string

	seen uint8
}

// set notes value under key, whatever its case.
func (a *Attrs) set(key, value string) {
	var at *string
	var bit uint8
	switch {
	case isKey(key, "id"):
		at, bit = &a.ID, 1
	case isKey(key, "alt"):
		at, bit = &a.Alt, 2
	case isKey(key, "title"):
		at, bit = &a.Title, 4
	case isKey(key, "href"):
		at, bit = &a.Href, 8
	case isKey(key, "start"):
		at, bit = &a.Start, 16
	case isKey(key, "itemtype"):
		at, bit = &a.ItemType, 32
	case isKey(key, "itemid"):
		at, bit = &a.ItemID, 64
	case isKey(key, "src"):
		at, bit = &a.Src, 128
	default:
		return
	}
	if a.seen&bit == 0 {
		a.seen |= bit
		*at = value
	}
}

// isKey compares by ASCII case alone: characters that fold to ASCII are longer.
func isKey(key, name string) bool { return len(key) == len(name) && strings.EqualFold(key, name) }

// Scanner splits HTML into tokens by the rules of the WHATWG tokenizer, so far as
// they decide where tags, attributes and comments end. The tokenizer of
// golang.org/x/net/html gives the same tokens (a test compares them), but copies
// every name and attribute: 37 allocations for a message of 200 bytes and 207 MiB for 4 MiB of attributes.
type Scanner struct {
	src     string
	pos     int
	rawTag  Tag    // the element whose raw text comes next, or TagOther
	rawName string // its name as written

	Tok Token // the token that Next read last
}

// NewScanner is a scanner of src.
func NewScanner(src string) Scanner { return Scanner{src: src} }

// Next reads the next token into s.Tok and tells its kind. Comments, doctypes and processing
// instructions are passed over; a tag that the text ends in is dropped.
func (s *Scanner) Next() Kind {
	if s.rawTag != TagOther && s.rawText() {
		return s.Tok.Kind
	}
	for s.pos < len(s.src) {
		if lt := s.textEnd(); lt > s.pos {
			s.setText(TagOther, lt)
			return TokenText
		}
		if s.markup() {
			return s.Tok.Kind
		}
	}
	s.Tok.Kind = TokenEOF
	return TokenEOF
}

// textEnd is the position of the next '<' that opens markup, or the end of the text.
func (s *Scanner) textEnd() int {
	for i := s.pos; ; i++ {
		n := strings.IndexByte(s.src[i:], '<')
		if n < 0 {
			return len(s.src)
		}
		i += n
		if i+1 == len(s.src) {
			return len(s.src)
		}
		if c := s.src[i+1]; textbuf.IsLetter(c) || c == '/' || c == '!' || c == '?' {
			if c == '/' && i+2 == len(s.src) {
				return len(s.src)
			}
			return i
		}
	}
}

// markup reads what starts with the '<' at s.pos; false means that it was no tag.
func (s *Scanner) markup() bool {
	switch c := s.src[s.pos+1]; {
	case textbuf.IsLetter(c):
		return s.tagAt(s.pos+1, TokenStart)
	case c == '/' && textbuf.IsLetter(s.src[s.pos+2]):
		return s.tagAt(s.pos+2, TokenEnd)
	case c == '!' && strings.HasPrefix(s.src[s.pos:], "<!--"):
		s.pos = commentEnd(s.src, s.pos+len("<!--"))
	default:
		s.pos = after(s.src, s.pos+1, '>')
	}
	return false
}

// tagAt reads the tag whose name starts at i.
func (s *Scanner) tagAt(i int, kind Kind) bool {
	from := i
	for i < len(s.src) && !textbuf.IsSpace(s.src[i]) && s.src[i] != '/' && s.src[i] != '>' {
		i++
	}
	name := s.src[from:i]
	s.Tok.Kind, s.Tok.Tag = kind, Lookup(name)
	if s.Tok.Attr.seen != 0 {
		s.Tok.Attr = Attrs{}
	}
	end, ok := ReadAttrs(s.src, i, &s.Tok.Attr)
	s.pos = end
	if !ok {
		s.Tok.Kind = TokenEOF
		return true
	}
	if kind == TokenStart && s.Tok.Tag.isRaw() {
		s.rawTag, s.rawName = s.Tok.Tag, name
	}
	return true
}

// Closes reports whether the next tag ends an element of the kind that has just begun, so that the text up to there is its content.
// Elements without an end tag, self-closing ones included, have none.
func (s *Scanner) Closes(t Tag) bool {
	at := strings.IndexByte(s.src[s.pos:], '<')
	if at < 0 || !strings.HasPrefix(s.src[s.pos+at:], "</") {
		return false
	}
	name := s.src[s.pos+at+len("</"):]
	end := strings.IndexFunc(name[:min(len(name), longestTag+1)], func(r rune) bool { return r > 0x7f || !textbuf.IsLetter(byte(r)) })
	return end > 0 && Lookup(name[:end]) == t
}

// rawText reads the text of the element s.rawTag up to its end tag; false means that it has none.
func (s *Scanner) rawText() bool {
	end := len(s.src)
	if s.rawTag != TagPlaintext {
		end = rawEnd(s.src, s.pos, s.rawName)
	}
	empty := end == s.pos
	s.setText(s.rawTag, end)
	s.Tok.Raw = s.rawTag != TagTextarea && s.rawTag != TagTitle
	s.rawTag = TagOther
	return !empty
}

// setText makes the text up to end the current token; its character references are decoded.
func (s *Scanner) setText(of Tag, end int) {
	s.Tok.Kind, s.Tok.Tag, s.Tok.Raw = TokenText, of, false
	s.Tok.Text = s.src[s.pos:end]
	s.pos = end
}

// rawEnd is the position of the "</name" that ends raw text, or the end of src.
func rawEnd(src string, i int, name string) int {
	for {
		n := strings.Index(src[i:], "</")
		if n < 0 {
			return len(src)
		}
		i += n
		at := i + len("</")
		if end := at + len(name); end < len(src) && strings.EqualFold(src[at:end], name) {
			if c := src[end]; textbuf.IsSpace(c) || c == '/' || c == '>' {
				return i
			}
		}
		i = at
	}
}

// commentEnd is the position after the comment whose text starts at i.
func commentEnd(src string, i int) int {
	if rest := src[i:]; strings.HasPrefix(rest, ">") {
		return i + 1
	} else if strings.HasPrefix(rest, "->") {
		return i + 2
	}
	for {
		n := strings.Index(src[i:], "--")
		if n < 0 {
			return len(src)
		}
		i += n
		rest := src[i+2:]
		if strings.HasPrefix(rest, ">") {
			return i + 3
		}
		if strings.HasPrefix(rest, "!>") {
			return i + 4
		}
		i++
	}
}

// after is the position after the next c from i on, or the end of src.
func after(src string, i int, c byte) int {
	if n := strings.IndexByte(src[i:], c); n >= 0 {
		return i + n + 1
	}
	return len(src)
}

// ReadAttrs reads attributes from i up to the '>' that ends the tag and gives the position after it; false
// means that src ended first.
func ReadAttrs(src string, i int, into *Attrs) (int, bool) {
	for {
		i = textbuf.SkipSpace(src, i)
		if i == len(src) {
			return i, false
		}
		if src[i] == '>' {
			return i + 1, true
		}
		from := i
		for i < len(src) && (src[i] == '=' && i == from || !endsKey(src[i])) {
			i++
		}
		key := src[from:i]
		i = textbuf.SkipSpace(src, i)
		if i == len(src) {
			return i, false
		}
		value := ""
		switch src[i] {
		case '/':
			i++
		case '=':
			if value, i = attrValue(src, textbuf.SkipSpace(src, i+1)); i == len(src) {
				return i, false
			}
		}
		if key != "" {
			into.set(key, value)
		}
	}
}

// attrValue reads a quoted or bare value at i and gives the position after it.
func attrValue(src string, i int) (value string, end int) {
	if i == len(src) {
		return "", i
	}
	if q := src[i]; q == '"' || q == '\'' {
		n := strings.IndexByte(src[i+1:], q)
		if n < 0 {
			return "", len(src)
		}
		return src[i+1 : i+1+n], i + n + 2
	}
	from := i
	for i < len(src) && !textbuf.IsSpace(src[i]) && src[i] != '>' {
		i++
	}
	return src[from:i], i
}

func endsKey(c byte) bool { return textbuf.IsSpace(c) || c == '=' || c == '/' || c == '>' }
