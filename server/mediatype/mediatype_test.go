package mediatype_test

import (
	"testing"

	"github.com/parley-gateway/parley/server/mediatype"
)

func TestOf(t *testing.T) {
	t.Parallel()
	const png, svg, page = "\x89PNG\r\n\x1a\n", `<svg xmlns="http://www.w3.org/2000/svg">`, "<!DOCTYPE html><script>"
	for _, tc := range []struct {
		given, first, want string
		picture            bool
	}{
		{"image/png", png, "image/png", true},
		{"IMAGE/PNG; name=x", "", "image/png", true},
		{"image/png", page, "image/png", true}, // nosniff holds the browser to it
		{"image/jpg", "", "image/jpeg", true},
		{"image/gif", "", "image/gif", true},
		{"image/webp", "", "image/webp", true},
		{"image/bmp", "", "image/bmp", true},
		{"image/avif", "", "image/avif", true},
		{"", png, "image/png", true},
		{"application/octet-stream", png, "image/png", true},
		{"image/*", "GIF89a", "image/gif", true},
		{"image/svg+xml", svg, mediatype.Bytes, false},
		{"image/svg+xml", png, mediatype.Bytes, false},
		{"IMAGE/SVG+XML;charset=utf-8", svg, mediatype.Bytes, false},
		{"text/html", page, mediatype.Bytes, false},
		{"text/html", png, mediatype.Bytes, false},
		{"application/octet-stream", svg, mediatype.Bytes, false},
		{"", page, mediatype.Bytes, false},
		{"application/octet-stream", "%PDF-1.7", mediatype.Bytes, false},
		{"image/png, text/html", page, mediatype.Bytes, false},
		{"image/x-icon", "\x00\x00\x01\x00", mediatype.Bytes, false},
		{"video/mp4", "", mediatype.Bytes, false},
		{";;;", png, mediatype.Bytes, false},
	} {
		got := mediatype.Of(tc.given, []byte(tc.first))
		if got != tc.want || mediatype.IsPicture(got) != tc.picture {
			t.Errorf("%q, %q: %q, want %q", tc.given, tc.first, got, tc.want)
		}
	}
}

// FuzzOf: whatever is given, the answer is one of the list or bytes.
func FuzzOf(f *testing.F) {
	f.Add("image/png", []byte("\x89PNG"))
	f.Add("text/html;charset=\"", []byte("<html>"))
	f.Add("image/svg+xml", []byte("<svg>"))
	f.Fuzz(func(t *testing.T, given string, first []byte) {
		if got := mediatype.Of(given, first); got != mediatype.Bytes && !mediatype.IsPicture(got) {
			t.Errorf("%q", got)
		}
	})
}
