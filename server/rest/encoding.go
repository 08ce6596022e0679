package rest

import (
	"bytes"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/klauspost/compress/gzip"
)

// leastSqueezed is the size in bytes below which compression is not worth its while.
const leastSqueezed = 1 << 10

// AcceptsGzip says whether the headers of a request ask for gzip.
func AcceptsGzip(header http.Header) bool { return acceptsGzip(header["Accept-Encoding"]) }

// Squeeze returns the gzip form of a body.
func Squeeze(body []byte) ([]byte, error) { return squeeze(body) }

// acceptsGzip says whether Accept-Encoding asks for gzip (RFC 9110, 12.5.3): it is named or covered by *, not with a weight of
// 0, and not behind the plain form. Without the header the plain form is sent.
func acceptsGzip(accept []string) bool {
	const unnamed = -1
	squeezed, plain, other := float64(unnamed), float64(unnamed), float64(unnamed)
	for _, value := range accept {
		for part := range strings.SplitSeq(value, ",") {
			name, parameters, _ := strings.Cut(part, ";")
			weight := weightOf(parameters)
			switch strings.ToLower(strings.TrimSpace(name)) {
			case "gzip", "x-gzip":
				squeezed = max(squeezed, weight)
			case "identity":
				plain = max(plain, weight)
			case "*":
				other = max(other, weight)
			}
		}
	}
	if squeezed == unnamed {
		squeezed = other
	}
	return squeezed > 0 && squeezed >= plain
}

// weightOf reads the parameter q; without one a coding weighs 1, with a broken one nothing.
func weightOf(parameters string) float64 {
	for parameter := range strings.SplitSeq(parameters, ";") {
		name, value, found := strings.Cut(strings.TrimSpace(parameter), "=")
		if !found || !strings.EqualFold(name, "q") {
			continue
		}
		weight, err := strconv.ParseFloat(value, 64)
		if err != nil || !(weight >= 0 && weight <= 1) {
			return 0
		}
		return weight
	}
	return 1
}

// zips are writers that rest between answers.
var zips sync.Pool

// zipTo returns a gzip writer; give it back with unzip.
func zipTo(w io.Writer) *gzip.Writer {
	if zip, ok := zips.Get().(*gzip.Writer); ok {
		zip.Reset(w)
		return zip
	}
	zip, err := gzip.NewWriterLevel(w, gzip.BestSpeed)
	if err != nil {
		return gzip.NewWriter(w) // the level exists
	}
	return zip
}

// unzip gives a writer back; whole ends what it wrote.
func unzip(zip *gzip.Writer, whole bool) {
	if whole {
		_ = zip.Close() // the client is gone if this fails
	}
	zip.Reset(io.Discard)
	zips.Put(zip)
}

// squeeze returns the gzip form of a body.
func squeeze(body []byte) ([]byte, error) {
	var out bytes.Buffer
	out.Grow(len(body)/4 + 512)
	zip := zipTo(&out)
	_, err := zip.Write(body)
	if err == nil {
		err = zip.Close()
	}
	unzip(zip, false)
	return out.Bytes(), err
}
