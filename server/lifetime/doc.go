// Package lifetime decides when a server ends its connections and calls: connections at their age, streams after a frame from which
// they can be resumed, calls whose places other callers need, and answers that their client does not take. Six types do so.
// GRPCConns watches the connections of the gRPC listener. Shutdown tells that the server stops. Streams decides when a stream ends, and gives each one a
// StreamCloser, which ends it. An Eviction ends a stream for other callers. A Hold keeps what a call takes until its answer is out. The
// interceptors named hold and limits, and the streams of package service, use them.
package lifetime
