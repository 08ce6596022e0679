package rest

import (
	"net/http"

	"google.golang.org/grpc/metadata"
)

// incoming are the request headers that reach the services, with the metadata key that each becomes. No other header passes
// the front door, so none can be taken for something that the gateway set. Accept, Accept-Encoding, Grpc-Timeout,
// If-None-Match and Last-Event-ID are read here and go no further.
var incoming = []struct{ header, key string }{
	{"Authorization", "authorization"},
	{"Cache-Control", "cache-control"},
	{"Parley-Tenant", "parley-tenant"},
	{"Parley-Reason", "parley-reason"},
	{"X-Request-Id", "x-request-id"},
	{"Traceparent", "traceparent"},
}

// knownHeaders is what the services see of the headers, as they were sent; nil if there is nothing to see. Which values are
// refused is the same over every door and not judged here.
func knownHeaders(header http.Header) metadata.MD {
	var md metadata.MD
	for _, known := range incoming {
		if values := header[known.header]; len(values) > 0 {
			if md == nil {
				md = make(metadata.MD, len(incoming))
			}
			md[known.key] = values
		}
	}
	return md
}

// Values of headers that are the same in every answer. Nobody changes them: net/http only reads them, and what adds to a
// header makes a new slice, since these are full.
var (
	valueNosniff    = []string{"nosniff"}
	valueNoStore    = []string{"no-store"}
	valueNoReferrer = []string{"no-referrer"}
	valueDeny       = []string{"DENY"}
	valueNoContent  = []string{"default-src 'none'; frame-ancestors 'none'"}
	valueRevalidate = []string{"private, no-cache"}
	valueVary       = []string{"Authorization, Parley-Tenant, Accept-Encoding"}
	valueSSE        = []string{sseType}
	valueGzip       = []string{"gzip"}
)

// secure sets the headers that every answer carries.
func secure(header http.Header) {
	header["X-Content-Type-Options"] = valueNosniff
	header["Cache-Control"] = valueNoStore
	header["Referrer-Policy"] = valueNoReferrer
	header["X-Frame-Options"] = valueDeny
	header["Content-Security-Policy"] = valueNoContent
}
