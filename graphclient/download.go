package graphclient

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"path"
	"strings"
	"unicode"

	"github.com/parley-gateway/parley/graphclient/graph"
	"github.com/parley-gateway/parley/graphclient/internal/ascii"
	"github.com/parley-gateway/parley/internal/fielderror"
)

// Content types of a Download.
const (
	ContentCSV  = "text/csv"
	ContentJSON = "application/json"
)

// Download is a report as a stream.
type Download struct {
	// Body is the decoded report; the caller closes it. A read error other
	// than io.EOF is a *graph.Error.
	Body io.ReadCloser
	// ContentType is what the first bytes show, not what the answer claims:
	// ContentJSON or ContentCSV.
	ContentType string
	// RequestID is Graph's request-id.
	RequestID string
	// Requests is how many requests Graph received for it.
	Requests int
}

// Download asks for a report: an answer 200 is streamed; a redirect is
// followed at once, by a request with no headers of ours, if it leads to an
// allow-listed https host on its usual port (or to this machine, when Graph is
// this machine too). A target that refuses, as after its few minutes of life,
// is asked for again through Graph. An error in JSON is a *graph.Error, other JSON
// is returned with ContentJSON.
func (c *Client) Download(ctx context.Context, request graph.Request) (*Download, error) {
	k, err := c.newCall(&request)
	if err != nil {
		return nil, err
	}
	k.download = true
	var download *Download
	refused := 0
	err = c.run(ctx, k, func(ctx context.Context, resp *http.Response) error {
		id := graph.RequestID(resp.Header)
		if redirect(resp.StatusCode) {
			location := resp.Header.Get("Location")
			graph.Discard(resp.Body)
			followed, err := c.follow(ctx, location)
			if err != nil {
				e := graph.AsError(err)
				e.RequestID = id
				refused++
				e.Final = e.Final || refused > 1 // one fresh address, no more: reports are few per hour
				return e
			}
			resp = followed
		}
		d, err := c.open(ctx, k, resp)
		if err != nil {
			_ = resp.Body.Close() // given up
			e := graph.AsError(err)
			e.RequestID = id
			return e
		}
		d.RequestID = id
		download = d
		return nil
	})
	if err != nil {
		return nil, err
	}
	download.Requests = k.requests
	return download, nil
}

func redirect(status int) bool {
	switch status {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return true
	default:
		return false
	}
}

// follow fetches the target of a report's redirect.
func (c *Client) follow(ctx context.Context, location string) (*http.Response, error) {
	t, err := parseTarget(location)
	if err != nil {
		return nil, err
	}
	if !c.reportAllowed(t.origin) {
		return nil, refuse("report redirect leads to a host that is not allowed; the configuration names the allowed ones")
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, t.origin.scheme+"://"+t.origin.authority()+"/", http.NoBody)
	if err != nil {
		return nil, refuse("report redirect is not a URL")
	}
	c.address(req, t)
	req.Header["User-Agent"] = []string{""} // sends none at all
	resp, err := c.reportTransport.RoundTrip(req)
	if err != nil {
		return nil, graph.TransportError(ctx, err)
	}
	if resp.StatusCode != http.StatusOK {
		graph.Discard(resp.Body)
		return nil, &graph.Error{Kind: graph.KindUnavailable, Status: resp.StatusCode, Reason: "report download refused"}
	}
	return resp, nil
}

func (c *Client) reportAllowed(o origin) bool {
	if c.origin.loopback() && o.loopback() {
		return o.scheme == "https" || c.origin.scheme == "http"
	}
	if o.scheme != "https" || o.port != "443" {
		return false
	}
	for _, pattern := range c.cfg.ReportHosts {
		if hostMatches(strings.ToLower(pattern), o.host) {
			return true
		}
	}
	return false
}

// hostMatches compares label by label, so that a star stays within its label.
func hostMatches(pattern, host string) bool {
	wanted, labels := strings.Split(pattern, "."), strings.Split(host, ".")
	if len(wanted) != len(labels) {
		return false
	}
	for i, label := range labels {
		if ok, err := path.Match(wanted[i], label); err != nil || !ok {
			return false
		}
	}
	return true
}

// checkReportHosts refuses patterns that would allow everybody.
func checkReportHosts(patterns []string) error {
	for _, pattern := range patterns {
		labels := strings.Split(pattern, ".")
		bad := len(labels) < 2 || strings.ContainsFunc(pattern, func(r rune) bool {
			return r >= 0x80 || !ascii.Alphanumeric(byte(r)) && !strings.ContainsRune("-.*", r)
		})
		for i, label := range labels {
			bad = bad || label == "" || strings.Contains(label, "*") && (i > 0 || len(labels) < 3)
		}
		if bad {
			return fielderror.New("ReportHosts", "each entry is a host name; a star may stand in the first of three or more labels")
		}
	}
	return nil
}

// sniff looks at the first bytes that are not blank, waiting for no more than
// those; none means that there is nothing but blanks.
func sniff(r *bufio.Reader) ([]byte, error) {
	for n := 1; n <= maxBlank; {
		_, err := r.Peek(n)
		ended := errors.Is(err, io.EOF)
		if err != nil && !ended {
			return nil, err
		}
		start, _ := r.Peek(min(r.Buffered(), maxBlank)) // what is there already
		rest := bytes.TrimLeftFunc(trimBOM(start), unicode.IsSpace)
		markBegun := len(start) < len(byteOrderMark) && strings.HasPrefix(byteOrderMark, string(start))
		if ended || len(rest) > 0 && !markBegun {
			return rest, nil
		}
		n = len(start) + 1
	}
	return nil, nil
}

// maxBlank is how many blank bytes may precede a report.
const maxBlank = 4096

// open looks at the first bytes and makes the stream.
func (c *Client) open(ctx context.Context, k *call, resp *http.Response) (*Download, error) {
	r, err := graph.DecodedBody(resp)
	if err != nil {
		return nil, bodyError(ctx, err)
	}
	buffered := bufio.NewReaderSize(r, 32<<10)
	start, err := sniff(buffered)
	if err != nil {
		return nil, bodyError(ctx, err)
	}
	switch {
	case len(start) == 0:
		return nil, &graph.Error{Kind: graph.KindMalformed, Status: resp.StatusCode, Reason: "empty report"}
	case start[0] == '<':
		return nil, &graph.Error{Kind: graph.KindMalformed, Status: resp.StatusCode, Reason: "a web page in place of the report"}
	case start[0] == '{', start[0] == '[':
		return c.openJSON(ctx, k, resp, buffered)
	}
	k.streaming = true
	body := &download{ctx: ctx, body: resp.Body, r: buffered, left: c.cfg.MaxDownload, end: k.endTry}
	return &Download{Body: body, ContentType: ContentCSV}, nil
}

// openJSON reads JSON whole, since it may be an error.
func (c *Client) openJSON(ctx context.Context, k *call, resp *http.Response, r io.Reader) (*Download, error) {
	body, err := io.ReadAll(io.LimitReader(r, c.cfg.MaxBody+1))
	switch {
	case err != nil:
		return nil, bodyError(ctx, err)
	case int64(len(body)) > c.cfg.MaxBody:
		return nil, bodyError(ctx, errTooLarge)
	}
	_ = resp.Body.Close() // read to its end
	if trimmed := bytes.TrimLeftFunc(trimBOM(body), unicode.IsSpace); trimmed[0] == '{' {
		_, fault, err := parseObject(body)
		if err != nil {
			return nil, malformed(resp, err)
		}
		if fault != nil {
			return nil, c.answeredFault(k, resp, fault)
		}
	}
	return &Download{Body: io.NopCloser(bytes.NewReader(body)), ContentType: ContentJSON}, nil
}

// download is a report on its way: bounded, with typed errors, ending the
// request when closed.
type download struct {
	ctx  context.Context //nolint:containedctx // the request's own, which the stream outlives
	body io.Closer
	r    io.Reader
	left int64
	end  func()
}

var _ io.ReadCloser = (*download)(nil)

func (d *download) Read(p []byte) (int, error) {
	n, err := d.r.Read(p)
	d.left -= int64(n)
	if d.left < 0 {
		return 0, &graph.Error{Kind: graph.KindTooLarge, Err: errTooLarge}
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return n, bodyError(d.ctx, err)
	}
	return n, err
}

func (d *download) Close() error {
	err := d.body.Close()
	d.end()
	return err
}
