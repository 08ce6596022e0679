// Package lifetime decides when a server ends its connections and calls: connections at their age, streams after a frame from which
// they can be resumed, calls whose places other callers need, and answers that their client does not take. Four types do so: ConnAges
// watches the connections of gRPC, a Hold keeps what a call takes until its answer is out, a StreamCloser ends one stream, and an
// Eviction ends a stream for other callers. The interceptors hold and limits and the streams of package service use them.
package lifetime
