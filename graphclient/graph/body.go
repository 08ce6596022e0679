package graph

import (
	"io"
	"net/http"
	"strings"

	"github.com/klauspost/compress/gzip"
)

// RawBody returns the body of an answer as it was sent, and whether it is compressed with gzip.
func RawBody(resp *http.Response) (body io.Reader, packed bool, err error) {
	switch encoding := strings.ToLower(strings.TrimSpace(resp.Header.Get("Content-Encoding"))); encoding {
	case "", "identity":
		return resp.Body, false, nil
	case "gzip", "x-gzip":
		return resp.Body, true, nil
	default:
		return nil, false, &Error{Kind: KindMalformed, Reason: "unknown content encoding"}
	}
}

// DecodedBody returns the body of an answer without its content encoding, as a stream.
func DecodedBody(resp *http.Response) (io.Reader, error) {
	body, packed, err := RawBody(resp)
	if err != nil || !packed {
		return body, err
	}
	return gzip.NewReader(body)
}

// maxDrain is how many bytes are read so that a connection can be used again.
const maxDrain = 64 << 10

// Discard reads a little and closes the body, so that the connection lives on.
func Discard(body io.ReadCloser) {
	_, _ = io.CopyN(io.Discard, body, maxDrain) // a failure only costs the connection
	_ = body.Close()                            // nothing more is read from it
}
