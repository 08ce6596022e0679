package rest

import (
	"net/http"
	"sync/atomic"
	"time"

	"github.com/klauspost/compress/gzip"
)

// response is the writer of an answer. It compresses streams, and records how far the answer got.
type response struct {
	http.ResponseWriter

	countBytes  func(int)    // nil = nobody counts
	gzip        *gzip.Writer // nil = not compressed
	writing     atomic.Bool  // a write is under way
	headersSent bool         // the headers are written
	writeFailed bool         // a write has failed: the client is gone
	complete    bool         // nothing follows
}

// lastWords is the time that an answer has for its end after it was aborted while it wrote nothing.
const lastWords = 5 * time.Second

// abort ends a write that waits for the client. If nothing is being written, the answer may still end with its error. It is called from any
// goroutine.
func (r *response) abort() {
	end := time.Now()
	if !r.writing.Load() {
		end = end.Add(lastWords)
	}
	_ = http.NewResponseController(r.ResponseWriter).SetWriteDeadline(end) // not every writer has deadlines
}

// startGzip compresses all that follows.
func (r *response) startGzip() {
	r.Header()["Content-Encoding"] = valueGzip
	r.gzip = getGzipWriter(r.ResponseWriter)
}

// undoGzip takes startGzip back, before the headers are out.
func (r *response) undoGzip() {
	r.Header().Del("Content-Encoding")
	if r.gzip != nil {
		putGzipWriter(r.gzip)
		r.gzip = nil
	}
}

// WriteHeader implements http.ResponseWriter.
func (r *response) WriteHeader(code int) {
	r.headersSent = true
	r.ResponseWriter.WriteHeader(code)
}

// Write implements http.ResponseWriter.
func (r *response) Write(b []byte) (n int, err error) {
	if len(b) == 0 {
		return 0, nil
	}
	r.writing.Store(true)
	defer r.writing.Store(false)
	r.headersSent = true
	if r.gzip != nil {
		n, err = r.gzip.Write(b)
	} else {
		n, err = r.ResponseWriter.Write(b)
	}
	r.writeFailed = r.writeFailed || err != nil
	if r.countBytes != nil {
		r.countBytes(n)
	}
	return n, err
}

// FlushError sends what was written; http.ResponseController looks for it.
func (r *response) FlushError() error {
	r.writing.Store(true)
	defer r.writing.Store(false)
	r.headersSent = true
	var err error
	if r.gzip != nil {
		err = r.gzip.Flush()
	}
	if err == nil {
		err = http.NewResponseController(r.ResponseWriter).Flush()
	}
	r.writeFailed = r.writeFailed || err != nil
	return err
}

// Unwrap returns the writer below; http.ResponseController looks for it.
func (r *response) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// end completes the compressed stream, unless the answer is incomplete.
func (r *response) end() {
	if r.gzip != nil {
		if r.complete && !r.writeFailed {
			_ = r.gzip.Close() // the client is gone if this fails
		}
		putGzipWriter(r.gzip)
		r.gzip = nil
	}
}
