package rest

import (
	"net/http"

	"google.golang.org/grpc/metadata"
)

// incoming lists the request headers that reach the services, with the metadata key that each becomes. No other header does, so
// none can be taken for one that the gateway set. Accept, Accept-Encoding, Grpc-Timeout, If-None-Match and Last-Event-ID are read
// in this package alone.
var incoming = []struct{ header, key string }{
	{"Authorization", "authorization"},
	{"Cache-Control", "cache-control"},
	{"Parley-Tenant", "parley-tenant"},
	{"Parley-Reason", "parley-reason"},
	{"Parley-Fields", "parley-fields"},
	{"X-Request-Id", "x-request-id"},
	{"Traceparent", "traceparent"},
}

// knownHeaders returns the headers that the services see, as they were sent; nil if there are none. The services refuse bad values,
// over gRPC and REST alike.
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

// Values of headers that are the same in every answer. They are never changed: net/http only reads them, and appending to one makes
// a new slice, since they are full.
var (
	valueNosniff    = []string{"nosniff"}
	valueNoStore    = []string{"no-store"}
	valueNoReferrer = []string{"no-referrer"}
	valueDeny       = []string{"DENY"}
	valueNoContent  = []string{"default-src 'none'; frame-ancestors 'none'"}
	valueSandbox    = []string{"default-src 'none'; frame-ancestors 'none'; sandbox"}
	valueRevalidate = []string{"private, no-cache"}
	valueVary       = []string{"Authorization, Parley-Tenant, Parley-Fields, Accept-Encoding"}
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
