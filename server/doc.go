// Package server serves gRPC, REST (package rest) and the admin pages. Both protocols have the same services (package service) behind
// the same interceptors (package interceptor).
//
// A Server is a value: New checks the configuration, Start opens the listeners, Close ends open streams with a resume token
// and waits for everything it started.
package server
