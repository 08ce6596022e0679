package rest

import (
	"context"
	"crypto/tls"
	"math"
	"net/http"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"
)

// Backend runs the methods of the API; full gRPC names name them. Requests belong to several calls at a time and are never
// changed. Errors are statuses of the contract.
type Backend interface {
	// Unary returns the answer of a method that has one, a message or an Unchanged.
	Unary(ctx context.Context, call *Call, method string, request proto.Message) (any, error)
	// Stream hands over the parts of a stream one by one: messages, or batches of encoded events (timeline.Batch). Each is used
	// when send returns. An error of send ends the stream.
	Stream(ctx context.Context, call *Call, method string, request proto.Message, send func(part any) error) error
}

// Call is what a backend learns of a request beside its message, and what it tells of the answer beside its body.
type Call struct {
	// Header holds the request headers that the API knows, by metadata key.
	Header metadata.MD
	// TLS is the connection's; nil without TLS.
	TLS *tls.ConnectionState
	// Same, if set, says whether the caller has an answer already; the backend then returns Unchanged instead.
	Same func(answer any) bool
	// Valid says whether the request, which is the same in calls of one URL, was found to be valid. The backend sets it.
	Valid *atomic.Bool
	// RequestID, CacheStatus and Age become headers of the answer; for a stream they are known with the first message.
	RequestID, CacheStatus, Age string
}

// Unchanged stands for an answer that the caller has already.
type Unchanged struct {
	// Answer is what was not handed out.
	Answer any
}

// newCall takes from a request what the API reads of it.
func newCall(r *http.Request, what *asked) *Call {
	return &Call{Header: incomingMetadata(r.Header), TLS: r.TLS, Valid: &what.valid}
}

// tell sets the headers that the backend told.
func (c *Call) tell(header http.Header) {
	// One array for all values.
	values := []string{c.RequestID, c.CacheStatus, c.Age}
	if c.RequestID != "" {
		header["X-Request-Id"] = values[0:1:1]
	}
	if c.CacheStatus != "" {
		header["Cache-Status"], header["Age"] = values[1:2:2], values[2:3:3]
	}
}

// deadlineOf gives a request the deadline of its grpc-timeout header, if there is one.
func deadlineOf(r *http.Request) (context.Context, context.CancelFunc, error) {
	text := r.Header.Get("Grpc-Timeout")
	if text == "" {
		return r.Context(), func() {}, nil
	}
	timeout, ok := parseTimeout(text)
	if !ok {
		return nil, nil, errTimeout()
	}
	ctx, cancel := context.WithTimeout(r.Context(), timeout)
	return ctx, cancel, nil
}

// timeoutUnits are the units of a grpc-timeout header.
var timeoutUnits = map[byte]time.Duration{
	'H': time.Hour, 'M': time.Minute, 'S': time.Second, 'm': time.Millisecond, 'u': time.Microsecond, 'n': time.Nanosecond,
}

// parseTimeout reads up to 8 digits and a unit (the gRPC protocol over HTTP/2).
func parseTimeout(text string) (time.Duration, bool) {
	digits := len(text) - 1
	if digits < 1 || digits > 8 {
		return 0, false
	}
	unit, ok := timeoutUnits[text[digits]]
	if !ok {
		return 0, false
	}
	n := int64(0)
	for i := range digits {
		if text[i] < '0' || text[i] > '9' {
			return 0, false
		}
		n = 10*n + int64(text[i]-'0')
	}
	if n > math.MaxInt64/int64(unit) {
		return math.MaxInt64, true
	}
	return time.Duration(n) * unit, true
}
