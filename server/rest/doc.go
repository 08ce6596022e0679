// Package rest is the REST face of the API: a strict front door over a Backend that runs the methods in this process, behind
// the same interceptors as over gRPC. Which paths exist follows from the google.api.http rules in the descriptors: a new
// method needs no code here.
//
// A request is parsed once: its method and its message are remembered by the URL as it was sent. Who asks, what the policy
// says, records and limits are the backend's and are asked every time.
package rest
