package plaintext

import "strings"

// tokenKind says what a token of [scanner] is.
type tokenKind uint8

const (
	tokenEOF   tokenKind = iota
	tokenText            // text between tags, or the raw text of an element such as <script>
	tokenStart           // a start tag, self-closing or not
	tokenEnd             // an end tag
)

// token is one piece of HTML. Its strings are parts of the scanned text: nothing
// is copied or decoded.
type token struct {
	kind tokenKind
	tag  tag
	text string // text tokens: as written
	raw  bool   // text tokens: character references stand for themselves
	attr attrs  // start tags
}

// attrs are the values of the attributes that Parley reads, as written. Of an
// attribute that comes twice the first counts, as in browsers.
type attrs struct {
	id, alt, title, href, start, itemType, itemID string
	seen                                          uint8
}

// set notes value under key, whatever its case.
func (a *attrs) set(key, value string) {
	var at *string
	var bit uint8
	switch {
	case isKey(key, "id"):
		at, bit = &a.id, 1
	case isKey(key, "alt"):
		at, bit = &a.alt, 2
	case isKey(key, "title"):
		at, bit = &a.title, 4
	case isKey(key, "href"):
		at, bit = &a.href, 8
	case isKey(key, "start"):
		at, bit = &a.start, 16
	case isKey(key, "itemtype"):
		at, bit = &a.itemType, 32
	case isKey(key, "itemid"):
		at, bit = &a.itemID, 64
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

// scanner splits HTML into tokens by the rules of the WHATWG tokenizer, so far as
// they decide where tags, attributes and comments end. The tokenizer of
// golang.org/x/net/html gives the same tokens (a test compares them), but copies
// every name and attribute: 37 allocations for a message of 200 bytes and 207 MiB for 4 MiB of attributes.
type scanner struct {
	src     string
	pos     int
	rawTag  tag    // the element whose raw text comes next, or tagOther
	rawName string // its name as written
	tok     token
}

// next reads the next token into s.tok and tells its kind. Comments, doctypes and processing
// instructions are passed over; a tag that the text ends in is dropped.
func (s *scanner) next() tokenKind {
	if s.rawTag != tagOther && s.rawText() {
		return s.tok.kind
	}
	for s.pos < len(s.src) {
		if lt := s.textEnd(); lt > s.pos {
			s.setText(tagOther, lt, false)
			return tokenText
		}
		if s.markup() {
			return s.tok.kind
		}
	}
	s.tok.kind = tokenEOF
	return tokenEOF
}

// textEnd is the position of the next '<' that opens markup, or the end of the text.
func (s *scanner) textEnd() int {
	for i := s.pos; ; i++ {
		n := strings.IndexByte(s.src[i:], '<')
		if n < 0 {
			return len(s.src)
		}
		i += n
		if i+1 == len(s.src) {
			return len(s.src)
		}
		if c := s.src[i+1]; isLetter(c) || c == '/' || c == '!' || c == '?' {
			if c == '/' && i+2 == len(s.src) {
				return len(s.src)
			}
			return i
		}
	}
}

// markup reads what starts with the '<' at s.pos; false means that it was no tag.
func (s *scanner) markup() bool {
	switch c := s.src[s.pos+1]; {
	case isLetter(c):
		return s.tagAt(s.pos+1, tokenStart)
	case c == '/' && isLetter(s.src[s.pos+2]):
		return s.tagAt(s.pos+2, tokenEnd)
	case c == '!' && strings.HasPrefix(s.src[s.pos:], "<!--"):
		s.pos = commentEnd(s.src, s.pos+len("<!--"))
	default:
		s.pos = after(s.src, s.pos+1, '>')
	}
	return false
}

// tagAt reads the tag whose name starts at i.
func (s *scanner) tagAt(i int, kind tokenKind) bool {
	from := i
	for i < len(s.src) && !isSpace(s.src[i]) && s.src[i] != '/' && s.src[i] != '>' {
		i++
	}
	name := s.src[from:i]
	s.tok.kind, s.tok.tag = kind, lookup(name)
	if s.tok.attr.seen != 0 {
		s.tok.attr = attrs{}
	}
	end, ok := readAttrs(s.src, i, &s.tok.attr)
	s.pos = end
	if !ok {
		s.tok.kind = tokenEOF
		return true
	}
	if kind == tokenStart && s.tok.tag.isRaw() {
		s.rawTag, s.rawName = s.tok.tag, name
	}
	return true
}

// closes reports whether the next tag ends an element of the kind that has just begun, so that the text up to there is its content.
// Elements without an end tag, self-closing ones included, have none.
func (s *scanner) closes(t tag) bool {
	at := strings.IndexByte(s.src[s.pos:], '<')
	if at < 0 || !strings.HasPrefix(s.src[s.pos+at:], "</") {
		return false
	}
	name := s.src[s.pos+at+len("</"):]
	end := strings.IndexFunc(name[:min(len(name), longestTag+1)], func(r rune) bool { return r > 0x7f || !isLetter(byte(r)) })
	return end > 0 && lookup(name[:end]) == t
}

// rawText reads the text of the element s.rawTag up to its end tag; false means that it has none.
func (s *scanner) rawText() bool {
	end := len(s.src)
	if s.rawTag != tagPlaintext {
		end = rawEnd(s.src, s.pos, s.rawName)
	}
	decoded := s.rawTag == tagTextarea || s.rawTag == tagTitle
	empty := end == s.pos
	s.setText(s.rawTag, end, !decoded)
	s.rawTag = tagOther
	return !empty
}

// setText makes the text up to end the current token.
func (s *scanner) setText(of tag, end int, raw bool) {
	s.tok.kind, s.tok.tag, s.tok.raw = tokenText, of, raw
	s.tok.text = s.src[s.pos:end]
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
			if c := src[end]; isSpace(c) || c == '/' || c == '>' {
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

// readAttrs reads attributes from i up to the '>' that ends the tag and gives the position after it; false
// means that src ended first.
func readAttrs(src string, i int, into *attrs) (int, bool) {
	for {
		i = skipSpace(src, i)
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
		i = skipSpace(src, i)
		if i == len(src) {
			return i, false
		}
		value := ""
		switch src[i] {
		case '/':
			i++
		case '=':
			if value, i = attrValue(src, skipSpace(src, i+1)); i == len(src) {
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
	for i < len(src) && !isSpace(src[i]) && src[i] != '>' {
		i++
	}
	return src[from:i], i
}

func skipSpace(src string, i int) int {
	for i < len(src) && isSpace(src[i]) {
		i++
	}
	return i
}

func endsKey(c byte) bool { return isSpace(c) || c == '=' || c == '/' || c == '>' }

// isSpace reports whether c is white space in HTML.
func isSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\t' || c == '\r' || c == '\f' }

func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
