package rest

import (
	"net/http"

	"github.com/klauspost/compress/gzip"
)

// response is what the mux writes an answer to. It compresses streams, and remembers how far the answer got.
type response struct {
	http.ResponseWriter

	zip   *gzip.Writer // nil = plain
	begun bool         // the headers are out
	lost  bool         // the client is gone
	whole bool         // nothing follows
}

// squeeze has what follows compressed.
func (r *response) squeeze() {
	r.Header()["Content-Encoding"] = valueGzip
	r.zip = zipTo(r.ResponseWriter)
}

// plain undoes squeeze, before the headers are out.
func (r *response) plain() {
	r.Header().Del("Content-Encoding")
	if r.zip != nil {
		unzip(r.zip, false)
		r.zip = nil
	}
}

// WriteHeader implements http.ResponseWriter.
func (r *response) WriteHeader(code int) {
	r.begun = true
	r.ResponseWriter.WriteHeader(code)
}

// Write implements http.ResponseWriter.
func (r *response) Write(b []byte) (n int, err error) {
	if len(b) == 0 {
		return 0, nil
	}
	r.begun = true
	if r.zip != nil {
		n, err = r.zip.Write(b)
	} else {
		n, err = r.ResponseWriter.Write(b)
	}
	r.lost = r.lost || err != nil
	return n, err
}

// FlushError sends what was written; http.ResponseController looks for it.
func (r *response) FlushError() error {
	r.begun = true
	var err error
	if r.zip != nil {
		err = r.zip.Flush()
	}
	if err == nil {
		err = http.NewResponseController(r.ResponseWriter).Flush()
	}
	r.lost = r.lost || err != nil
	return err
}

// Unwrap returns the writer below; http.ResponseController looks for it.
func (r *response) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// end writes what compression holds back, unless the answer was cut.
func (r *response) end() {
	if r.zip != nil {
		unzip(r.zip, r.whole && !r.lost)
		r.zip = nil
	}
}
