package graphclient

import (
	"fmt"
	"net"
	"net/url"
	"strings"

	"github.com/parley-gateway/parley/graphclient/graph"
	"github.com/parley-gateway/parley/graphclient/internal/ascii"
)

// NextLinkOf reports whether a member of a JSON object links to a next page: of the list of that name, or, where it is empty, of the
// object itself. Graph spells such members @odata.nextLink, @odata.NextLink, @odata.nextlink and list@odata.nextLink; OData 4.01
// allows @nextLink, its third version wrote odata.nextLink. A deltaLink is none: it begins another round.
func NextLinkOf(member string) (list string, ok bool) {
	const suffix = "nextlink"
	end := len(member) - len(suffix)
	if end < 0 || !strings.EqualFold(member[end:], suffix) {
		return "", false
	}
	before := member[:end]
	at := strings.LastIndexByte(before, '@')
	if at < 0 {
		return "", before == "" || strings.EqualFold(before, "odata.")
	}
	if mark := before[at+1:]; mark != "" && !strings.HasSuffix(mark, ".") {
		return "", false
	}
	return before[:at], true
}

// maxLink is the longest link that is followed, in bytes.
const maxLink = 64 << 10

// origin is scheme, host and port in the one spelling that comparisons use:
// lower case, the port always present.
type origin struct{ scheme, host, port string }

// authority is host:port as it is dialled, without a default port.
func (o origin) authority() string {
	if o.scheme == "https" && o.port == "443" || o.scheme == "http" && o.port == "80" {
		if strings.Contains(o.host, ":") {
			return "[" + o.host + "]"
		}
		return o.host
	}
	return net.JoinHostPort(o.host, o.port)
}

// loopback reports whether the host is this machine, by address or by the name
// localhost.
func (o origin) loopback() bool {
	if o.host == "localhost" {
		return true
	}
	ip := net.ParseIP(o.host)
	return ip != nil && ip.IsLoopback()
}

// target is the origin that a request goes to and its exact request target: the
// text between GET and HTTP/1.1, or in :path.
type target struct {
	origin origin
	uri    string
}

// url is the target for net/http. Everything after the authority is opaque,
// so that neither path nor query are re-encoded.
func (t target) url() *url.URL {
	return &url.URL{Scheme: t.origin.scheme, Host: t.origin.authority(), Opaque: t.uri}
}

// parseTarget takes an absolute http(s) URL apart without decoding anything.
//
// The part after the authority is kept byte for byte, with one exception: a
// byte that cannot stand in a request target (a space, a byte above 0x7f, and
// "#" within the query) is percent-encoded, because HTTP has no other way to
// send it. Userinfo, backslashes, control characters, a "#" outside the query,
// percent signs in the host and a path of "//…" are refused: different
// programs read them as different origins.
func parseTarget(link string) (target, error) {
	if len(link) > maxLink {
		return target{}, refuse("longer than 64 KiB")
	}
	for i := range len(link) {
		if c := link[i]; c < ' ' || c == 0x7f || c == '\\' {
			return target{}, refuse("holds a control character or a backslash")
		}
	}
	scheme, rest, found := strings.Cut(link, "://")
	scheme = strings.ToLower(scheme)
	if !found || scheme != "https" && scheme != "http" {
		return target{}, refuse("not an absolute http or https URL")
	}
	end := strings.IndexAny(rest, "/?#")
	if end < 0 || rest[end] != '/' {
		return target{}, refuse("has no path")
	}
	o, err := parseAuthority(scheme, rest[:end])
	if err != nil {
		return target{}, err
	}
	uri := rest[end:]
	if strings.HasPrefix(uri, "//") {
		return target{}, refuse("path begins with two slashes")
	}
	path, query, hasQuery := strings.Cut(uri, "?")
	if strings.Contains(path, "#") {
		return target{}, refuse("has a fragment")
	}
	path = sendable(path)
	if !hasQuery {
		return target{origin: o, uri: path}, nil
	}
	return target{origin: o, uri: path + "?" + sendable(query)}, nil
}

func parseAuthority(scheme, authority string) (origin, error) {
	if strings.ContainsAny(authority, "@%") {
		return origin{}, refuse("has userinfo or an escaped host")
	}
	u, err := url.Parse(scheme + "://" + authority)
	if err != nil || u.Hostname() == "" {
		return origin{}, refuse("has no valid host")
	}
	o := origin{scheme: scheme, host: strings.ToLower(u.Hostname()), port: u.Port()}
	for i := range len(o.host) {
		if c := o.host[i]; !ascii.Alphanumeric(c) && !strings.ContainsRune("-._:", rune(c)) {
			return origin{}, refuse("has no valid host")
		}
	}
	if o.port == "" {
		o.port = "443"
		if scheme == "http" {
			o.port = "80"
		}
	}
	return o, nil
}

// sendable encodes the bytes that a request target cannot hold.
func sendable(s string) string {
	clean := func(c byte) bool { return c > ' ' && c < 0x7f && c != '#' }
	i := 0
	for i < len(s) && clean(s[i]) {
		i++
	}
	if i == len(s) {
		return s
	}
	b := append(make([]byte, 0, len(s)+16), s[:i]...)
	for ; i < len(s); i++ {
		if clean(s[i]) {
			b = append(b, s[i])
			continue
		}
		b = fmt.Appendf(b, "%%%02X", s[i])
	}
	return string(b)
}

func refuse(reason string) *graph.Error {
	return &graph.Error{Kind: graph.KindLinkRefused, Reason: reason, Final: true}
}

// linkTarget is where a link leads that may be followed: an absolute URL with the
// scheme, host and port of the Graph root that this client talks to. The error is of
// KindLinkRefused and says why, without the link.
func (c *Client) linkTarget(link string) (target, error) {
	t, err := parseTarget(link)
	if err != nil {
		return target{}, err
	}
	if t.origin != c.origin {
		return target{}, refuse("leads to another scheme, host or port")
	}
	return t, nil
}

// target finds where a request goes. A refused link never leaves here.
func (c *Client) target(r *graph.Request) (target, error) {
	if r.Link != "" {
		return c.linkTarget(r.Link)
	}
	uri, err := r.URI()
	if err != nil {
		return target{}, err
	}
	return target{origin: c.origin, uri: uri}, nil
}
