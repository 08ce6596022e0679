package callinfo

import "context"

// HTTPRequest is the request over REST behind a call: what package rest and the interceptors tell each other about it, beside
// headers and messages.
type HTTPRequest struct {
	// Reconnect is set where an EventSource comes back to a stream with its last id. Package rest sets it before the call begins.
	Reconnect bool
	// Fields are the fields of the answer that the query parameter selects; empty = all. Package rest sets them before the call begins.
	Fields string
	// Unreadable says why the request cannot be read; nil = it can. Package rest sets it before the call begins, and the interceptor reading
	// ends the call with it.
	Unreadable error
	// Unchanged is set where the client has the answer already, so that it is not sent again. The interceptor conditional sets it.
	Unchanged bool
	// Writing is the writing of the answer.
	Writing
}

// Writing is the writing of an answer over HTTP, which goes on after the method has answered.
type Writing struct {
	// Abort ends a write that waits for the client at once; otherwise the answer has a few seconds for its end. nil = it cannot be aborted. It
	// may be called from any goroutine.
	Abort func()

	account ByteAccount
	ends    []func()
}

// ByteAccount counts the bytes that a call holds.
type ByteAccount interface{ Add(bytes int64) }

// CountIn has the bytes of the rendered answer counted in an account, which is open until the writing ends.
func (w *Writing) CountIn(account ByteAccount) { w.account = account }

// Rendered counts the bytes of the rendered answer, if anybody counts them.
func (w *Writing) Rendered(bytes int) {
	if w.account != nil {
		w.account.Add(int64(bytes))
	}
}

// OnEnd has a function run when the writing ends.
func (w *Writing) OnEnd(do func()) { w.ends = append(w.ends, do) }

// End ends the writing.
func (w *Writing) End() {
	for _, do := range w.ends {
		do()
	}
	w.ends = nil
}

// HTTPKey is the key of a context under which its *HTTPRequest stands.
type HTTPKey struct{}

// WithHTTP returns the context of a call over REST.
func WithHTTP(ctx context.Context, request *HTTPRequest) context.Context {
	return context.WithValue(ctx, HTTPKey{}, request)
}

// httpOf returns the request over REST behind a context; nil for gRPC.
func httpOf(ctx context.Context) *HTTPRequest {
	request, _ := ctx.Value(HTTPKey{}).(*HTTPRequest)
	return request
}
