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

// minGzipSize is the size in bytes from which an answer is worth compressing.
const minGzipSize = 1 << 10

// AcceptsGzip reports whether the headers of a request ask for gzip.
func AcceptsGzip(header http.Header) bool { return acceptsGzip(header["Accept-Encoding"]) }

// Gzip returns the gzip form of a body.
func Gzip(body []byte) ([]byte, error) { return compress(body) }

// acceptsGzip reports whether Accept-Encoding asks for gzip (RFC 9110, 12.5.3): it is named or covered by *, not with a weight of
// 0, and not behind the plain form. Without the header the plain form is sent.
func acceptsGzip(accept []string) bool {
	const unnamed = -1
	compressed, plain, other := float64(unnamed), float64(unnamed), float64(unnamed)
	for _, value := range accept {
		for part := range strings.SplitSeq(value, ",") {
			name, parameters, _ := strings.Cut(part, ";")
			weight := weightOf(parameters)
			switch strings.ToLower(strings.TrimSpace(name)) {
			case "gzip", "x-gzip":
				compressed = max(compressed, weight)
			case "identity":
				plain = max(plain, weight)
			case "*":
				other = max(other, weight)
			}
		}
	}
	if compressed == unnamed {
		compressed = other
	}
	return compressed > 0 && compressed >= plain
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

// gzipWriters is the pool of writers.
var gzipWriters sync.Pool

// getGzipWriter takes a writer from the pool; putGzipWriter gives it back.
func getGzipWriter(w io.Writer) *gzip.Writer {
	if writer, ok := gzipWriters.Get().(*gzip.Writer); ok {
		writer.Reset(w)
		return writer
	}
	writer, err := gzip.NewWriterLevel(w, gzip.BestSpeed)
	if err != nil {
		return gzip.NewWriter(w) // the level exists
	}
	return writer
}

// putGzipWriter gives a writer back to the pool.
func putGzipWriter(writer *gzip.Writer) {
	writer.Reset(io.Discard)
	gzipWriters.Put(writer)
}

// compress returns the gzip form of a body.
func compress(body []byte) ([]byte, error) {
	var out bytes.Buffer
	out.Grow(len(body)/4 + 512)
	writer := getGzipWriter(&out)
	_, err := writer.Write(body)
	if err == nil {
		err = writer.Close()
	}
	putGzipWriter(writer)
	return out.Bytes(), err
}
