package rest

import (
	"net/url"
	"strings"

	"github.com/parley-gateway/parley/server/apierror"
)

// decodePath turns the escaped path of a request into the path that is matched, where each segment is decoded exactly once,
// so that ids with ':' and '@' work raw and percent-encoded. A segment that would not stand for itself is refused: an encoded
// slash or backslash, a control character, a dot segment, or an empty segment between others.
func decodePath(escaped string) (string, error) {
	if !strings.HasPrefix(escaped, "/") {
		return "", apierror.Invalid("path", "the path does not begin with a slash")
	}
	segments := strings.Split(escaped[1:], "/")
	for i, segment := range segments {
		decoded, err := url.PathUnescape(segment)
		if err != nil {
			return "", apierror.Invalid(pathField(segments), "the path has a broken percent-encoding")
		}
		if problem := checkSegment(decoded); problem != "" && (decoded != "" || i < len(segments)-1) {
			return "", apierror.Invalid(pathField(segments), problem)
		}
		// Services decode percent-encodings in names once more, for callers of gRPC: a decoded % stays a %.
		segments[i] = strings.ReplaceAll(decoded, "%", "%25")
	}
	return "/" + strings.Join(segments, "/"), nil
}

// pathField is the request field that the ids of a path fill: `name` for a resource, `parent` for a collection.
func pathField(segments []string) string {
	if len(segments)%2 == 1 {
		return "name"
	}
	return "parent"
}

// checkSegment returns why a decoded segment cannot be an id, or "".
func checkSegment(segment string) string {
	switch {
	case segment == "":
		return "an id is empty"
	case segment == "." || segment == "..":
		return "an id is a dot segment"
	case strings.ContainsAny(segment, `/\`):
		return "an id holds a slash or backslash; such an id is written ~ and its base64url form"
	case strings.ContainsFunc(segment, func(c rune) bool { return c < ' ' || c == 0x7f || c == '\uFFFD' }):
		return "an id holds a control character or text that is not UTF-8"
	default:
		return ""
	}
}
