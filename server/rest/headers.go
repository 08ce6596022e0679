package rest

import (
	"net/http"
	"net/textproto"
	"strings"
)

// incoming are the request headers that reach the services, by the metadata key they become; Authorization and Grpc-Timeout
// are handed on by the gateway itself. No other header passes the front door, so none can be taken for something that the
// gateway set.
var incoming = map[string]string{
	"Cache-Control": "cache-control",
	"Parley-Tenant": "parley-tenant",
	"Parley-Reason": "parley-reason",
	"X-Request-Id":  "x-request-id",
	"Traceparent":   "traceparent",
}

// forRest are request headers that are read here and go no further.
var forRest = map[string]bool{
	"Authorization": true,
	"Grpc-Timeout":  true,
	"Accept":        true,
	"Last-Event-Id": true,
}

// outgoing are the metadata keys of an answer that become headers.
var outgoing = map[string]string{
	"x-request-id": "X-Request-Id",
	"cache-status": "Cache-Status",
	"age":          "Age",
}

// onlyKnown copies the headers that this API reads.
func onlyKnown(header http.Header) http.Header {
	kept := make(http.Header, len(header))
	for key, values := range header {
		key = textproto.CanonicalMIMEHeaderKey(key)
		if _, ok := incoming[key]; ok || forRest[key] {
			kept[key] = append(kept[key], values...)
		}
	}
	return kept
}

func matchIncoming(key string) (string, bool) {
	name, ok := incoming[textproto.CanonicalMIMEHeaderKey(key)]
	return name, ok
}

func matchOutgoing(key string) (string, bool) {
	name, ok := outgoing[strings.ToLower(key)]
	return name, ok
}

func matchNothing(string) (string, bool) { return "", false }

// secure sets the headers that every answer carries.
func secure(header http.Header) {
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Cache-Control", "no-store")
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("X-Frame-Options", "DENY")
	header.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
}
