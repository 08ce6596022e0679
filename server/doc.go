// Package server is the gateway's outside: it listens for gRPC, for REST (package rest) and for its operator, and puts the same
// services (package service) behind the same interceptors (package interceptor) for both protocols.
//
// A Server is a value: New checks the configuration, Start opens the listeners, Close ends open streams with a resume token
// and waits for everything it started.
package server
