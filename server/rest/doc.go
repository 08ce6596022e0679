// Package rest is the REST face of the API: a strict front door, grpc-gateway for the unary methods, and handlers of our own
// for streams and downloads. It reaches the services through a gRPC connection only, so every interceptor works for REST
// too. Which paths exist follows from the google.api.http rules in the descriptors: a new method needs no code here.
package rest
