package graphclient

import (
	"bufio"
	"context"
	"errors"
	"io"
	"mime"
	"net/http"

	"github.com/parley-gateway/parley/graphclient/graph"
)

// Content is the bytes of an entity as a stream.
type Content struct {
	// Body is the decoded content; the caller closes it. A read error other
	// than io.EOF is a *graph.Error.
	Body io.ReadCloser
	// MediaType is the answer's Content-Type as Graph wrote it; empty when absent.
	MediaType string
	// RequestID is Graph's request-id.
	RequestID string
	// Requests is how many requests Graph received for it.
	Requests int
}

// Content asks for the bytes of an entity, such as a picture's $value. They are
// streamed, up to the size of a download. A redirect is refused, and an answer
// {"error":…} in place of the content is a *graph.Error, whatever its status.
func (c *Client) Content(ctx context.Context, request graph.Request) (*Content, error) {
	k, err := c.newCall(&request)
	if err != nil {
		return nil, err
	}
	k.content = true
	content := &Content{}
	err = c.run(ctx, k, func(ctx context.Context, resp *http.Response) error {
		content.MediaType, content.RequestID = resp.Header.Get("Content-Type"), graph.RequestID(resp.Header)
		body, err := c.openContent(ctx, k, resp)
		if err != nil {
			_ = resp.Body.Close() // given up
			e := graph.AsError(err)
			e.RequestID = content.RequestID
			return e
		}
		content.Body = body
		return nil
	})
	if err != nil {
		return nil, err
	}
	content.Requests = k.requests
	return content, nil
}

// openContent waits for the first byte and makes the stream. An answer that breaks off before it is an error, so that it is asked for
// again; one that is empty is a content without bytes.
func (c *Client) openContent(ctx context.Context, k *call, resp *http.Response) (io.ReadCloser, error) {
	r, err := graph.DecodedBody(resp)
	if err != nil {
		return nil, bodyError(ctx, err)
	}
	buffered := bufio.NewReaderSize(r, 32<<10)
	first, err := buffered.Peek(1)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, bodyError(ctx, err)
	}
	if kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type")); kind == ContentJSON && len(first) > 0 && first[0] == '{' {
		d, err := c.openJSON(ctx, k, resp, buffered)
		if err != nil {
			return nil, err
		}
		return d.Body, nil
	}
	k.streaming = true
	return &download{ctx: ctx, body: resp.Body, r: buffered, left: c.cfg.MaxDownload, end: k.endTry}, nil
}
