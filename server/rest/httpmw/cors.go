package httpmw

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// Headers that pages of other origins may send and read.
const (
	allowedHeaders = "Authorization, Cache-Control, Content-Type, Grpc-Timeout, If-None-Match, Last-Event-ID, Parley-Fields, Parley-Reason, Parley-Tenant, Traceparent, X-Request-Id"
	exposedHeaders = "Age, Cache-Status, Content-Disposition, ETag, Retry-After, X-Request-Id"
	preflightAge   = "600" // seconds
)

// LoopbackOrigins stands in a list of origins for those of pages that this machine serves, on any port.
const LoopbackOrigins = "loopback"

// Origins reads a list of origins, separated by commas. Each is scheme, host and port of a web page, as its browser sends
// it, or LoopbackOrigins; a wildcard or `null` would let every page read what its visitor may read.
func Origins(list string) ([]string, error) {
	var origins []string
	for text := range strings.SplitSeq(list, ",") {
		text = strings.TrimSpace(text)
		if text == "" {
			continue
		}
		if text == LoopbackOrigins {
			origins = append(origins, text)
			continue
		}
		parsed, err := url.Parse(text)
		switch {
		case strings.Contains(text, "*") || text == "null":
			return nil, errors.New("names each origin, such as https://chats.contoso.example; there is no wildcard")
		case err != nil || (parsed.Scheme != "https" && parsed.Scheme != "http") || parsed.Host == "" ||
			text != parsed.Scheme+"://"+parsed.Host || text != strings.ToLower(text):
			return nil, fmt.Errorf("%q is not an origin; write scheme and host in lower case without a path, such as https://chats.contoso.example, or loopback", text)
		}
		origins = append(origins, text)
	}
	return origins, nil
}

// CORS lets pages of the named origins read answers (Fetch standard). Cookies are never involved, so credentials are not
// allowed; other origins get the answer without the headers that would let a page read it.
func CORS(origins []string, next http.Handler) http.Handler {
	if len(origins) == 0 {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		// Which headers the answer has depends on who asks; caches must know.
		header.Add("Vary", "Origin")
		sent := r.Header.Values("Origin")
		known := len(sent) == 1 && isKnown(origins, sent[0])
		if known {
			header.Set("Access-Control-Allow-Origin", sent[0])
			header.Set("Access-Control-Expose-Headers", exposedHeaders)
		}
		if r.Method != http.MethodOptions || r.Header.Get("Access-Control-Request-Method") == "" {
			next.ServeHTTP(w, r)
			return
		}
		header.Add("Vary", "Access-Control-Request-Method, Access-Control-Request-Headers")
		if !known {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		header.Set("Access-Control-Allow-Methods", http.MethodGet+", "+http.MethodPost)
		header.Set("Access-Control-Allow-Headers", allowedHeaders)
		header.Set("Access-Control-Max-Age", preflightAge)
		w.WriteHeader(http.StatusNoContent)
	})
}

// isKnown reports whether an origin, as a browser sent it, is one of the list.
func isKnown(origins []string, origin string) bool {
	parsed, err := url.Parse(origin)
	if err != nil || parsed.Host == "" || origin != parsed.Scheme+"://"+parsed.Host {
		return false
	}
	return slices.Contains(origins, origin) ||
		slices.Contains(origins, LoopbackOrigins) && (parsed.Scheme == "http" || parsed.Scheme == "https") && local(parsed.Host)
}
