// Package rest is the REST face of the API: grpc-gateway's mux with the generated handlers of all services, over a connection
// that runs the methods in this process behind the same interceptors as over gRPC. Which paths exist follows from the
// google.api.http rules in the protos; no path below /v1/ has a handler of its own here.
//
// A request passes four places:
//
//  1. The front (rest.go) refuses what no method takes, decodes path and query strictly, and hands the mux a request of its
//     own that holds nothing else. A call (call.go) goes with it in the context.
//  2. The mux finds the generated handler. Before it, admit (admit.go) holds verb and query parameters against the method.
//  3. The generated handler makes the request message and calls the method over Config.Conn. Header tells it the first frame of a
//     stream, so that an early failure has its real status.
//  4. The mux's hooks (mux.go) write the answer: headers by a forward-response option, bodies by a marshaler for each media
//     type (marshal.go, frame.go, body.go), which write from the encoded bytes of events; errors by error.go.
package rest
