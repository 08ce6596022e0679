package plaintext

import (
	"net/url"
	"slices"
	"strings"

	"github.com/parley-gateway/parley/source/plaintext/html"
	"github.com/parley-gateway/parley/source/plaintext/textbuf"
)

const (
	// HostedPath is in every link to a content that Teams hosts.
	HostedPath = "hostedContents/"

	hostedCollection = "hostedContents"
	hostedValue      = "$value"

	maxHosted   = 100  // contents of one body
	maxHostedID = 1024 // bytes of an id
)

// HostedContents returns the ids of the contents that Teams hosts for a message and that its HTML shows or links to, in order, each
// once, at most 100. Links to the contents of other messages are left out. The host of a link does not count: whoever asks for a
// content asks for it below the message.
func HostedContents(content, message string) []string {
	if !strings.Contains(content, HostedPath) {
		return nil
	}
	var ids []string
	s := html.NewScanner(textbuf.Valid(content))
	for len(ids) < maxHosted {
		switch s.Next() {
		case html.TokenEOF:
			return ids
		case html.TokenStart:
			for _, link := range []string{s.Tok.Attr.Src, s.Tok.Attr.Href} {
				if id := hostedID(textbuf.DecodeAttr(link), message); id != "" && !slices.Contains(ids, id) {
					ids = append(ids, id)
				}
			}
		default:
		}
	}
	return ids
}

// hostedID is the id in a link to a hosted content of the message: …/messages/{message}/hostedContents/{id}/$value, or the same from
// hostedContents on, relative to the message. It is empty for any other link.
func hostedID(link, message string) string {
	link, _, _ = strings.Cut(link, "#")
	link, _, _ = strings.Cut(link, "?")
	at := strings.LastIndex(link, HostedPath)
	if at < 0 || at > 0 && link[at-1] != '/' {
		return ""
	}
	segments := strings.Split(link[at:], "/")
	if len(segments) != 3 || segments[0] != hostedCollection || unescaped(segments[2]) != hostedValue || !isOf(link[:at], message) {
		return ""
	}
	id := unescaped(segments[1])
	if len(id) > maxHostedID || id == "." || id == ".." || strings.ContainsAny(id, `/\`) {
		return ""
	}
	return id
}

// isOf reports whether the part of a link before hostedContents is that of the message.
func isOf(before, message string) bool {
	switch before {
	case "", "./", "../":
		return true
	}
	segments := strings.Split(strings.TrimSuffix(before, "/"), "/")
	if len(segments) < 2 {
		return false
	}
	of, id := segments[len(segments)-2], segments[len(segments)-1]
	return (of == "messages" || of == "replies") && message != "" && unescaped(id) == message
}

// unescaped is a segment of a path without percent-encodings; empty if one is broken.
func unescaped(segment string) string {
	id, err := url.PathUnescape(segment)
	if err != nil {
		return ""
	}
	return id
}
