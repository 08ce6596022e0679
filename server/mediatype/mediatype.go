// Package mediatype chooses the media type of content that users made, so that no browser runs it: a few types of pictures, which a
// browser only shows, and plain bytes for everything else.
package mediatype

import (
	"mime"
	"net/http"
	"slices"
	"strings"
)

// Bytes is the type of everything that is not shown.
const Bytes = "application/octet-stream"

// pictures are the types that a browser decodes to pixels and nothing else. SVG is none of them: it runs scripts.
var pictures = []string{"image/avif", "image/bmp", "image/gif", "image/jpeg", "image/png", "image/webp"}

// IsPicture reports whether a media type is one of the pictures that a browser may show in place.
func IsPicture(mediaType string) bool { return slices.Contains(pictures, mediaType) }

// Of returns the media type under which a content goes out: the given type if it is a picture's. Where the given type says nothing, it is
// the type of the picture that the first bytes of the content begin. Everything else is Bytes.
func Of(given string, first []byte) string {
	kind, _, err := mime.ParseMediaType(given)
	if err != nil {
		kind = strings.ToLower(strings.TrimSpace(given))
	}
	if kind == "image/jpg" || kind == "image/pjpeg" {
		kind = "image/jpeg"
	}
	switch {
	case IsPicture(kind):
		return kind
	case kind == "", kind == Bytes, kind == "binary/octet-stream", kind == "image/*":
		if seen := http.DetectContentType(first); IsPicture(seen) {
			return seen
		}
	}
	return Bytes
}
