package lane

import (
	"bytes"
	"strings"
)

const (
	plainStart = "GET /"
	plainEnd   = " HTTP/1.1"
)

// mayBePlain says whether a head that begins like this can still be one that plainGet takes: it is a GET, and its lines end
// in CRLF so far.
func mayBePlain(begun []byte) bool {
	n := min(len(begun), len(plainStart))
	return string(begun[:n]) == plainStart[:n] && bytes.Count(begun, lf) == bytes.Count(begun, crlf)
}

// plainGet returns the target of a request of which there is no doubt: a GET of HTTP/1.1 without a body, for one host, whose
// connection goes on. It is strict where RFC 9112 leaves room, since what it does not take is read by net/http.
func plainGet(head []byte) (target string, ok bool) {
	first, rest, ok := bytes.Cut(head, crlf)
	if !ok || !bytes.HasPrefix(first, []byte(plainStart)) || !bytes.HasSuffix(first, []byte(plainEnd)) {
		return "", false
	}
	path := first[len(plainStart)-1 : max(len(first)-len(plainEnd), len(plainStart)-1)]
	if !only(path, visible) || len(path) == 0 {
		return "", false
	}
	hosts := 0
	for len(rest) > len(crlf) {
		line, after, ok := bytes.Cut(rest, crlf)
		name, value, named := bytes.Cut(line, []byte(":"))
		if !ok || !named || len(name) == 0 || !only(name, nameChar) || !only(value, valueChar) {
			return "", false
		}
		value = bytes.Trim(value, " \t")
		switch kindOf(name) {
		case host:
			hosts++
			if len(value) == 0 || !only(value, hostChar) {
				return "", false
			}
		case connection:
			if !bytes.EqualFold(value, []byte("keep-alive")) {
				return "", false
			}
		case framing:
			return "", false
		default:
		}
		rest = after
	}
	return string(path), hosts == 1 && bytes.Equal(rest, crlf)
}

var crlf, lf = []byte("\r\n"), []byte("\n")

// kind is what a header field means to the lane.
type kind int

const (
	plain      kind = iota // nothing
	host                   // Host
	connection             // Connection
	framing                // it changes what follows the head, or how
)

// kinds are the fields that mean something, in lower case.
var kinds = map[string]kind{
	"host": host, "connection": connection, "content-length": framing, "transfer-encoding": framing, "expect": framing,
	"upgrade": framing, "trailer": framing, "http2-settings": framing,
}

func kindOf[T ~string | ~[]byte](name T) kind {
	const longest = len("transfer-encoding")
	if len(name) > longest {
		return plain
	}
	var lower [longest]byte
	for i := range len(name) {
		c := name[i]
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		lower[i] = c
	}
	return kinds[string(lower[:len(name)])]
}

// Classes of characters.
const (
	visible   byte = 1 << iota // in a request target
	nameChar                   // in a field's name; a subset of RFC 9110's token
	valueChar                  // in a field's value
	hostChar                   // in Host
)

var classes = func() (table [256]byte) {
	const alphanumeric = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	for c := byte(' '); c <= '~'; c++ {
		table[c] |= valueChar
		if c != ' ' {
			table[c] |= visible
		}
		if strings.IndexByte(alphanumeric+"-_", c) >= 0 {
			table[c] |= nameChar
		}
		if strings.IndexByte(alphanumeric+"-_.:[]", c) >= 0 {
			table[c] |= hostChar
		}
	}
	table['\t'] |= valueChar
	return table
}()

// only says whether a text holds characters of one class only.
func only[T ~string | ~[]byte](text T, class byte) bool {
	for i := range len(text) {
		if classes[text[i]]&class == 0 {
			return false
		}
	}
	return true
}
