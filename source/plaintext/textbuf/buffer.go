package textbuf

import (
	"strings"
	"unicode/utf8"
)

// maxRoom is how much room for a text is made before it is known to be that long.
const maxRoom = 64 << 10

// Room is the capacity with which the text of size bytes of input begins, when it may have limit bytes.
func Room(size, limit int) int { return min(size, limit, maxRoom) }

// Buffer takes text up to a limit.
type Buffer struct {
	Out  []byte // the text so far
	Max  int    // most bytes of Out
	Full bool   // Max is reached: nothing more is taken
}

// Put appends s, or the part of it that still fits.
func (b *Buffer) Put(s string) {
	if room := b.Max - len(b.Out); len(s) > room {
		s, b.Full = s[:max(room, 0)], true
	}
	b.Out = append(b.Out, s...)
}

// PutRune appends r if it fits.
func (b *Buffer) PutRune(r rune) {
	if len(b.Out)+utf8.RuneLen(r) > b.Max {
		b.Full = true
		return
	}
	b.Out = utf8.AppendRune(b.Out, r)
}

// PutAttr appends the value of an attribute, decoded and without the characters that a name does not hold.
func (b *Buffer) PutAttr(s string) {
	for s != "" && !b.Full {
		n := 0
		for n < len(s) && IsPlain(s[n]) {
			n++
		}
		if n > 0 {
			b.Put(s[:n])
			s = s[n:]
			continue
		}
		second := rune(0)
		first, n := utf8.DecodeRuneInString(s)
		if s[0] == '&' {
			if r, r2, m := AttrEntity(s); m > 0 {
				first, second, n = r, r2, m
			}
		}
		if !IsBarredInNames(first) {
			b.PutRune(first)
		}
		if second != 0 {
			b.PutRune(second)
		}
		s = s[n:]
	}
}

// Insert appends the text of an attachment: as InsertBlock if it is a block, else after a space.
func (b *Buffer) Insert(s string, block bool) {
	if block {
		b.InsertBlock(s)
		return
	}
	if n := len(b.Out); n > 0 && b.Out[n-1] != '\n' && b.Out[n-1] != ' ' {
		b.Put(" ")
	}
	b.Put(s)
}

// InsertBlock appends the text of an attachment on a new line.
func (b *Buffer) InsertBlock(s string) {
	if n := len(b.Out); n > 0 && b.Out[n-1] != '\n' {
		b.Put("\n")
	}
	b.Put(s)
}

// DecodeAttr is the value of an attribute, decoded and without the characters that a name does not hold.
func DecodeAttr(s string) string {
	if strings.IndexByte(s, '&') < 0 && strings.IndexFunc(s, IsBarredInNames) < 0 {
		return s
	}
	b := Buffer{Max: 2 * len(s), Out: make([]byte, 0, len(s)+len(s)/4)}
	b.PutAttr(s)
	return string(b.Out)
}
