package graphsim

import (
	"encoding/base64"
	"net/url"
	"strings"
)

// base64ID writes an id in base64.
func base64ID(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

// base64URL writes an id in base64 for URLs, without padding.
func base64URL(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

// pathEscape writes a segment of a path, with every special character escaped.
func pathEscape(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }
