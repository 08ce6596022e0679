// Package server serves gRPC, REST (package rest) and the admin pages on their listeners. It gets the engine of the timeline, the tenants
// with their sources, and the parts that decide and record who reads what (authn, authz, audit); package parley makes all of them. It
// knows connections, protocols, callers and errors, and nothing of windows or Graph.
//
// A call passes, from the connection inwards: package admission, which bounds connections; grpc-go, or package rest and then inproc; the
// interceptors (package interceptor), which are the same for both protocols; and its method (package service). Package lifetime ends calls
// and connections, callinfo holds the facts of one call, and apierror the errors of the contract.
//
// A Server is a value: New checks the configuration, Start opens the listeners, Close ends open streams with a resume token
// and waits for everything it started.
package server
