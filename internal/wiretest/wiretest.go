// Package wiretest carries requests of tests to handlers without sockets.
package wiretest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"
	"syscall"
)

// New returns a transport that hands requests to a handler without sockets, so that tests can run in virtual time
// (testing/synctest). A handler that breaks an answer off does so to the client as well: before the headers as a reset
// connection, later as a cut body. Flushing, slow bodies and cancellation work as over a connection; HTTP/2 does not.
func New(h http.Handler) http.RoundTripper { return &inProcess{h} }

type inProcess struct{ handler http.Handler }

// RoundTrip serves one request in a goroutine that ends with the request's context or its body.
func (t *inProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancel(r.Context())
	in, err := served(ctx, r)
	if err != nil {
		cancel()
		return nil, err
	}
	read, write := io.Pipe()
	w := &answering{header: http.Header{}, body: write, begun: make(chan struct{})}
	go t.serve(w, in)
	select {
	case <-w.begun:
	case <-ctx.Done():
		w.abandon()
		cancel()
		return nil, r.Context().Err()
	}
	if w.status == 0 {
		cancel()
		return nil, fmt.Errorf("in process: %w", syscall.ECONNRESET)
	}
	unhook := context.AfterFunc(r.Context(), func() { write.CloseWithError(r.Context().Err()) })
	length := int64(-1)
	if _, err := fmt.Sscan(w.sent.Get("Content-Length"), &length); err != nil {
		length = -1
	}
	return &http.Response{
		Status: http.StatusText(w.status), StatusCode: w.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: w.sent, ContentLength: length, Request: r,
		Body: &answerBody{read, func() { unhook(); cancel() }},
	}, nil
}

// serve runs the handler and ends the answer as it ends.
func (t *inProcess) serve(w *answering, r *http.Request) {
	defer func() {
		p := recover()
		if err, ok := p.(error); p != nil && (!ok || !errors.Is(err, http.ErrAbortHandler)) {
			panic(p) //nolint:forbidigo // not ours
		}
		if p == nil {
			w.WriteHeader(http.StatusOK)
			_ = w.body.Close() // never fails
			return
		}
		w.begin(0)
		w.body.CloseWithError(io.ErrUnexpectedEOF)
	}()
	t.handler.ServeHTTP(w, r)
}

// served is the request as a server sees it.
func served(ctx context.Context, r *http.Request) (*http.Request, error) {
	in := r.Clone(ctx)
	if r.URL.Opaque != "" {
		target, err := url.ParseRequestURI(r.URL.Opaque)
		if err != nil {
			return nil, err
		}
		in.URL = target
	}
	in.RequestURI = r.URL.RequestURI()
	if in.Host == "" {
		in.Host = r.URL.Host
	}
	if in.Body == nil {
		in.Body = http.NoBody
	}
	return in, nil
}

// answering is the handler's side of an answer.
type answering struct {
	header, sent http.Header
	status       int // 0 = broken off before the headers
	body         *io.PipeWriter
	begun        chan struct{}
	once         sync.Once
}

var _ http.Flusher = (*answering)(nil)

func (w *answering) Header() http.Header { return w.header }

func (w *answering) WriteHeader(status int) { w.begin(status) }

func (w *answering) begin(status int) {
	w.once.Do(func() {
		w.status, w.sent = status, make(http.Header, len(w.header))
		for name, values := range w.header {
			w.sent[http.CanonicalHeaderKey(name)] = values
		}
		close(w.begun)
	})
}

func (w *answering) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.body.Write(p)
}

// Flush does nothing: what is written is there at once.
func (w *answering) Flush() {}

// abandon makes writes fail.
func (w *answering) abandon() { w.body.CloseWithError(context.Canceled) }

// answerBody is the client's side of an answer.
type answerBody struct {
	*io.PipeReader

	end func()
}

// Close ends the request.
func (b *answerBody) Close() error {
	b.end()
	return b.PipeReader.Close()
}
