package graphclient

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
)

func packed(t *testing.T, parts ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	for _, part := range parts {
		w := gzip.NewWriter(&b)
		if _, err := io.WriteString(w, part); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}

func answer(body []byte, encoding string, length int64) *http.Response {
	return &http.Response{
		Header: http.Header{"Content-Encoding": {encoding}}, ContentLength: length, Body: io.NopCloser(bytes.NewReader(body)),
	}
}

// TestNothingOfABodyIsLeftInTheNext reads bodies with the same pool one after another: nothing of one may be left in the next.
func TestNothingOfABodyIsLeftInTheNext(t *testing.T) {
	t.Parallel()
	const limit = 1 << 16
	long, short := strings.Repeat("0123456789abcdef", limit/16), "short"
	lies := packed(t, long)
	copy(lies[len(lies)-4:], []byte{0xff, 0xff, 0xff, 0xff})
	tests := []struct {
		name     string
		body     []byte
		encoding string
		length   int64
		want     string
		err      error
	}{
		{"plain", []byte(short), "", 5, short, nil},
		{"plain without length", []byte(long), "identity", -1, long, nil},
		{"as long as allowed", []byte(long), "", limit, long, nil},
		{"empty", nil, "", 0, "", nil},
		{"length too large", []byte(long + "x"), "", limit + 1, "", errTooLarge},
		{"too large without length", []byte(long + "x"), "", -1, "", errTooLarge},
		{"gzip", packed(t, short), "gzip", -1, short, nil},
		{"gzip as long as allowed", packed(t, long), "gzip", int64(len(packed(t, long))), long, nil},
		{"gzip of two members", packed(t, short, long[5:]), "x-gzip", -1, short + long[5:], nil},
		{"gzip too large", packed(t, long, "x"), "gzip", -1, "", errTooLarge},
		{"gzip of a false length", lies, "gzip", -1, "", gzip.ErrChecksum},
		{"gzip cut", packed(t, long)[:30], "gzip", 30, "", io.ErrUnexpectedEOF},
		{"no gzip", []byte(long), "gzip", -1, "", gzip.ErrHeader},
		{"unknown", []byte(short), "br", 5, "", errAny},
	}
	p := &bodyPool{}
	for round := range 3 {
		for _, test := range tests {
			buffer := p.get()
			got, err := p.read(answer(test.body, test.encoding, test.length), limit, *buffer)
			if string(got) != test.want {
				t.Errorf("round %d, %s: %d bytes, want %d", round, test.name, len(got), len(test.want))
			}
			if (err == nil) != (test.err == nil) || test.err != nil && !errors.Is(test.err, errAny) && !sameError(err, test.err) {
				t.Errorf("round %d, %s: %v, want %v", round, test.name, err, test.err)
			}
			if err == nil {
				*buffer = got
			}
			p.put(buffer)
		}
	}
}

var errAny = errors.New("any")

// sameError compares with the standard library's errors too, which those of other packages say the same as.
func sameError(err, want error) bool { return errors.Is(err, want) || err.Error() == want.Error() }
