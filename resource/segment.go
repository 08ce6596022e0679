package resource

import (
	"encoding/base64"
	"net/url"
	"strings"
)

// encodedMark begins a segment that holds its id in base64url.
const encodedMark = "~"

// appendSegment appends an id as one segment of a resource name: verbatim if it is made of unreserved characters, ':' and '@'
// only, else as "~" and its unpadded base64url. Ids that a segment could not carry verbatim without a second meaning
// (a leading "~", the wildcard "-", the dot segments) are encoded too. ParseSegment is its inverse.
func appendSegment(b []byte, id string) []byte {
	if verbatim(id) {
		return append(b, id...)
	}
	return base64.RawURLEncoding.AppendEncode(append(b, encodedMark...), []byte(id))
}

func verbatim(id string) bool {
	switch {
	case id == "", id == "-", id == ".", id == "..", strings.HasPrefix(id, encodedMark):
		return false
	}
	for i := range len(id) {
		if !plain(id[i]) {
			return false
		}
	}
	return true
}

// plain reports whether a byte stands verbatim in a segment: RFC 3986 unreserved, ':' and '@'.
func plain(c byte) bool {
	switch {
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		return true
	default:
		return strings.IndexByte("-._~:@", c) >= 0
	}
}

// ParseSegment reads the id of a segment of a name, and accepts two more forms that people type: a raw id, and
// a raw id that is percent-encoded once. It does not validate the id, but refuses an empty one.
// The error is an *Error without a Field.
func ParseSegment(seg string) (string, error) {
	switch {
	case seg == "":
		return "", &Error{Problem: "an id is empty", Fix: "give the id that the resource was listed with"}
	case strings.HasPrefix(seg, encodedMark):
		id, err := base64.RawURLEncoding.Strict().DecodeString(seg[len(encodedMark):])
		if err != nil || len(id) == 0 {
			return "", &Error{Problem: "an id that begins with ~ is not base64url", Fix: "copy the name as it was listed, or give the raw id"}
		}
		return string(id), nil
	case strings.Contains(seg, "%"):
		id, err := url.PathUnescape(seg)
		if err != nil || id == "" {
			return "", &Error{Problem: "an id has a % that begins no percent-encoded byte", Fix: "encode % as %25, or give the id as ~ and its base64url"}
		}
		return id, nil
	default:
		return seg, nil
	}
}
