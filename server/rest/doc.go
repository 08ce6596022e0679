// Package rest serves the API over REST: grpc-gateway's mux with the generated handlers of all services, over a connection that
// runs the methods in this process behind the same interceptors as gRPC. An HTTP request comes in from package server; JSON, NDJSON or
// server-sent events go out. The google.api.http rules in the protos say which paths exist; no path below /v1/ has a handler of its own
// here.
//
// A request passes four places:
//
//  1. ServeHTTP (rest.go) hands paths outside of the API to the pages, decodes the path (path.go; one that cannot be decoded is refused
//     here) and the query or the body of a POST (call.go, post.go), and gives the mux a clean request that holds nothing else. A call
//     (call.go) travels with it in the context.
//  2. The mux finds the generated handler, or refuses the path (handleRoutingError in mux.go). Before the handler, checkRequest
//     (checkrequest.go) checks verb and query parameters (query.go) against the method. A POST has become a GET with the same query by then.
//  3. The generated handler makes the request message and calls the method over Config.Conn. The connection's Header returns after
//     the first frame of a stream, so that an early failure has its real status.
//  4. The mux's hooks (mux.go) write the answer. The service's own answer or frame, with its events still encoded, stands in the call;
//     the reply message of the generated handler may be empty. The option setHeaders writes the headers, and rewrite hands the call to
//     the marshaler of the media type in place of the reply (marshal.go). The marshaler makes the bytes of a message (body.go), or of the
//     line of a frame (frame.go), from the encoded events. The mux writes them to the call's response (response.go), which compresses and
//     counts them, and flushes after each frame; frame.go itself writes only the beginning of a long line.
//
// An error leaves in one of three ways: by writeError, when the path or the verb is wrong and no method is called; by handleError (mux.go),
// before the first byte; by handleStreamError (mux.go) and errorLine (marshal.go), as the last line of a stream. error.go has their JSON.
//
// Middlewares that know nothing of the API stand in package httpmw, the reference page in package docs.
package rest
