// Package server is the gateway's outside: gRPC services, REST (package rest) over the same interceptors, the
// documents, and the admin listener. It resolves who calls and whose data is asked for, hands the question to the timeline,
// and turns every failure into the errors of the public contract (errors.go). It knows no OData and no cache keys.
//
// A Server is a value: New checks the configuration, Start opens the listeners, Close ends open streams with a resume token
// and waits for everything it started.
package server
