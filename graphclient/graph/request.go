package graph

import (
	"context"
	"strings"
	"sync/atomic"
	"time"

	"github.com/parley-gateway/parley/graphclient/internal/ascii"
)

// Priority orders requests that wait for the same budget.
type Priority int

const (
	// Interactive is for List and Get calls: they go first.
	Interactive Priority = iota
	// Background is for streams: they keep at least a quarter of each budget
	// and leave a part of each burst to interactive requests.
	Background
)

// Names of the Graph APIs in budgets and metrics. APIs that Graph counts together share one.
const (
	APICopilot       = "copilot"
	APIChat          = "chat"
	APICall          = "call"
	APIConversations = "conversations"
	APIUsage         = "usage"
	APIUsers         = "users"
)

// Graph versions for Request.Version.
const (
	V1   = "v1.0"
	Beta = "beta"
)

// Param is one query parameter. The name is sent verbatim ("$filter",
// "@version"), the value percent-encoded.
type Param struct{ Name, Value string }

// Request is one GET below the Graph root. It names either a Path or a Link.
type Request struct {
	// API names the Graph API, such as APIChat, in budgets and metrics.
	API string
	// Version is V1 or Beta; empty means V1.
	Version string
	// Path is below the version, begins with "/" and is already escaped:
	// build each segment with Escape.
	Path string
	// Query is sent in this order.
	Query []Param
	// Prefer holds one preference each; they are sent in one Prefer header.
	Prefer []string
	// Link is an @odata.nextLink, sent byte for byte. Version, Path and Query
	// are ignored; Prefer is not part of a link and must be given again.
	Link string
	// User is the object id whose data is read, Resource the chat or call id
	// that the path names. They choose budgets and are never sent. User without
	// Resource also says that a refusal is about the user.
	User, Resource string
	// Priority is Interactive or Background.
	Priority Priority
	// Patience is how long a request without a deadline waits at most for one Retry-After, and before another try; 0 = a minute. From the
	// first throttled answer on, such answers use up no try for as long. A deadline takes its place. More than a minute counts for background
	// requests at limits per second only.
	Patience time.Duration
}

// SentKey is the key under which a context gives a *atomic.Int64 that counts the requests that are sent to Graph under it.
type SentKey struct{}

// CountSent counts a request that is sent under a context, if the context counts.
func CountSent(ctx context.Context) {
	if sent, ok := ctx.Value(SentKey{}).(*atomic.Int64); ok {
		sent.Add(1)
	}
}

const upperHex = "0123456789ABCDEF"

// Escape encodes one path segment: every byte but the unreserved ones of
// RFC 3986 (letters, digits, "-", ".", "_", "~") becomes %XX in upper-case hex,
// so slash, colon, "@" and "+" cannot be read as anything but data. The dot
// segments "." and ".." come out as %2E and %2E%2E; callers should refuse them.
func Escape(segment string) string {
	if segment == "." || segment == ".." {
		return strings.ReplaceAll(segment, ".", "%2E")
	}
	return percentEncode(segment)
}

func percentEncode(s string) string {
	extra := 0
	for i := range len(s) {
		if !unreserved(s[i]) {
			extra += 2
		}
	}
	if extra == 0 {
		return s
	}
	b := make([]byte, 0, len(s)+extra)
	for i := range len(s) {
		if unreserved(s[i]) {
			b = append(b, s[i])
			continue
		}
		b = append(b, '%', upperHex[s[i]>>4], upperHex[s[i]&15])
	}
	return string(b)
}

func unreserved(c byte) bool {
	return ascii.Alphanumeric(c) || c == '-' || c == '.' || c == '_' || c == '~'
}

// URI builds the request target of a request without a link.
func (r *Request) URI() (string, error) {
	version := r.Version
	if version == "" {
		version = V1
	}
	if version != V1 && version != Beta {
		return "", &Error{Kind: KindUnexpected, Reason: "request version is neither v1.0 nor beta"}
	}
	if !strings.HasPrefix(r.Path, "/") || strings.ContainsFunc(r.Path, notInPath) {
		return "", &Error{Kind: KindUnexpected, Reason: "request path is not an escaped path"}
	}
	var b strings.Builder
	b.WriteByte('/')
	b.WriteString(version)
	b.WriteString(r.Path)
	separator := byte('?')
	for _, p := range r.Query {
		if p.Name == "" || strings.ContainsFunc(p.Name, notInName) {
			return "", &Error{Kind: KindUnexpected, Reason: "query parameter name holds other than letters, digits and $@._-"}
		}
		b.WriteByte(separator)
		b.WriteString(p.Name)
		b.WriteByte('=')
		b.WriteString(percentEncode(p.Value))
		separator = '&'
	}
	return b.String(), nil
}

func notInPath(c rune) bool {
	return c <= ' ' || c >= 0x7f || strings.ContainsRune(`?#\"<>^{|}`+"`", c)
}

func notInName(c rune) bool {
	return c >= 0x80 || !ascii.Alphanumeric(byte(c)) && !strings.ContainsRune("$@._-", c)
}
