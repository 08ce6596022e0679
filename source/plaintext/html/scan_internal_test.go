package html

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	nethtml "golang.org/x/net/html"

	"github.com/parley-gateway/parley/source/plaintext/textbuf"
)

// listing collects tokens, text between two tags in one.
type listing struct {
	tokens []string
	text   strings.Builder // since the last tag
}

func (l *listing) addf(format string, args ...any) {
	l.flush()
	l.tokens = append(l.tokens, fmt.Sprintf(format, args...))
}

func (l *listing) flush() {
	if l.text.Len() > 0 {
		l.tokens = append(l.tokens, fmt.Sprintf("text %q", l.text.String()))
	}
	l.text.Reset()
}

// tokens lists what [Scanner] reads.
func tokens(in string) []string {
	var l listing
	for s := NewScanner(in); ; {
		switch s.Next() {
		case TokenEOF:
			l.flush()
			return l.tokens
		case TokenText:
			str := s.Tok.Text
			if !s.Tok.Raw {
				str = decodeText(str)
			}
			l.text.WriteString(str)
		case TokenStart:
			a := s.Tok.Attr
			l.addf("start %d %q", s.Tok.Tag, []string{textbuf.DecodeAttr(a.ID), textbuf.DecodeAttr(a.Alt), textbuf.DecodeAttr(a.Title), textbuf.DecodeAttr(a.Href), textbuf.DecodeAttr(a.Start), textbuf.DecodeAttr(a.ItemType), textbuf.DecodeAttr(a.ItemID)})
		case TokenEnd:
			l.addf("end %d", s.Tok.Tag)
		}
	}
}

// decodeText decodes character references as the writer does.
func decodeText(s string) string {
	var b strings.Builder
	for s != "" {
		if s[0] == '&' {
			if r, r2, n := textbuf.Entity(s); n > 0 {
				b.WriteRune(r)
				if r2 != 0 {
					b.WriteRune(r2)
				}
				s = s[n:]
				continue
			}
		}
		b.WriteByte(s[0])
		s = s[1:]
	}
	return b.String()
}

// standardTokens lists the same as the tokenizer of x/net/html reads it.
func standardTokens(in string) []string {
	var l listing
	for z := nethtml.NewTokenizer(strings.NewReader(in)); ; {
		switch z.Next() {
		case nethtml.ErrorToken:
			l.flush()
			return l.tokens
		case nethtml.TextToken:
			l.text.Write(z.Text())
		case nethtml.StartTagToken, nethtml.SelfClosingTagToken:
			name, more := z.TagName()
			tag, values := Lookup(string(name)), make([]string, 7)
			for more {
				var k, v []byte
				k, v, more = z.TagAttr()
				for i, want := range []string{"id", "alt", "title", "href", "start", "itemtype", "itemid"} {
					if string(k) == want {
						values[i] = withoutControls(string(v))
					}
				}
			}
			l.addf("start %d %q", tag, values)
		case nethtml.EndTagToken:
			name, _ := z.TagName()
			l.addf("end %d", Lookup(string(name)))
		case nethtml.CommentToken, nethtml.DoctypeToken:
		}
	}
}

// withoutControls does to a decoded attribute what decodeAttr does.
func withoutControls(s string) string {
	return strings.Map(func(r rune) rune {
		if textbuf.IsBarredInNames(r) {
			return -1
		}
		return r
	}, s)
}

// FuzzScanner compares the scanner with the tokenizer of x/net/html, which serves as the standard, but for scripts that
// hide their end in a comment.
func FuzzScanner(f *testing.F) {
	for _, s := range []string{
		"<!--a--!>b<!-->c<!--->d<!doctype e>f<?g>h</ i>j</>k<l", "<p a='>' id=\">\" alt=>d</p e='>'>f<br/id=/>i",
		"<TITLE>a<b>&lt;</TiTlE x>c<xmp><d></xmp >", "a<a href='?a=1&copy=2&lt;3&copy' HREF=x TITLE = y/>&amp &lt;i&notit; &#106;&#x6b&nGt;&#128;",
		"<plaintext>a</plaintext>", "<textarea>a</textarea-b></textarea\fc>d", "1 < 2 </ 3 <", "<a =id==c '\"=d>e", "<ol start=\"3\"start=4><li></ol/>",
		"<script>a</scrip></script>b", "<style><!--</style>", "</", "<a", "<a id", "<a id=", "<a id=x", "<a id='x", "a<!", "<!-", "<!--x--", "<img\nalt=a\x00\xff>",
		"<emoji id=\"smile\" alt=\"😄\" title=\"Smile\"></emoji>&CounterClockwiseContourIntegral;&aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa;",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		in = strings.Map(func(r rune) rune { // both replace these, each at its own time
			if r == 0 || r == '\r' {
				return ' '
			}
			return r
		}, textbuf.Valid(in))
		if low := strings.ToLower(in); strings.Contains(low, "<script") && strings.Contains(low, "<!--") {
			return
		}
		if diff := cmp.Diff(standardTokens(in), tokens(in)); diff != "" {
			t.Errorf("%q (-standard +Scanner):\n%s", in, diff)
		}
	})
}
