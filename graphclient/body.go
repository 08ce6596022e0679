package graphclient

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/klauspost/compress/gzip"
)

const (
	maxFault = 256 << 10 // bytes of an error body that are looked at
	maxDrain = 64 << 10  // bytes read so that a connection can be used again
)

var errTooLarge = errors.New("answer exceeds the size limit")

// decoded returns the body without its content encoding.
func decoded(resp *http.Response) (io.Reader, error) {
	switch encoding := strings.ToLower(strings.TrimSpace(resp.Header.Get("Content-Encoding"))); encoding {
	case "", "identity":
		return resp.Body, nil
	case "gzip", "x-gzip":
		return gzip.NewReader(resp.Body)
	default:
		return nil, &Error{Kind: KindMalformed, reason: "unknown content encoding"}
	}
}

// readBody reads and decodes a whole body of at most limit decoded bytes.
func readBody(resp *http.Response, limit int64) ([]byte, error) {
	plain := resp.Header.Get("Content-Encoding") == ""
	if plain && resp.ContentLength > limit {
		return nil, errTooLarge
	}
	r, err := decoded(resp)
	if err != nil {
		return nil, err
	}
	var buf bytes.Buffer
	if size := resp.ContentLength; size > 0 {
		if !plain {
			size *= 6
		}
		buf.Grow(int(min(size, limit)) + bytes.MinRead)
	}
	if _, err := buf.ReadFrom(io.LimitReader(r, limit+1)); err != nil {
		return nil, err
	}
	if int64(buf.Len()) > limit {
		return nil, errTooLarge
	}
	return buf.Bytes(), nil
}

// bodyError names what went wrong while a body was read.
func bodyError(ctx context.Context, err error) *Error {
	var own *Error
	switch {
	case errors.As(err, &own):
		return own
	case errors.Is(err, errTooLarge):
		return &Error{Kind: KindTooLarge, Err: err, final: true}
	case errors.Is(err, gzip.ErrHeader), errors.Is(err, gzip.ErrChecksum):
		return &Error{Kind: KindMalformed, Err: err, reason: "broken compression"}
	default:
		return transportError(ctx, err)
	}
}

// discard reads a little and closes the body, so that the connection lives on.
func discard(body io.ReadCloser) {
	_, _ = io.CopyN(io.Discard, body, maxDrain) // a failure only costs the connection
	_ = body.Close()                            // nothing more is read from it
}
