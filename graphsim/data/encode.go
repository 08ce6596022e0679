package data

import (
	"encoding/base64"
	"net/url"
	"strings"
)

// Base64ID writes an id in base64.
func Base64ID(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

// Base64URL writes an id in base64 for URLs, without padding.
func Base64URL(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

// PathEscape writes a segment of a path, with every special character escaped.
func PathEscape(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }
