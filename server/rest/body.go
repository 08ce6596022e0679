package rest

import (
	"bytes"
	"sync"

	"google.golang.org/protobuf/proto"

	"github.com/parley-gateway/parley/eventwire/wirejson"
	"github.com/parley-gateway/parley/timeline"
)

// body returns the body of an answer that is one message, valid until the call ends. It sets Content-Encoding if the body is
// compressed.
func (c *call) body() ([]byte, error) {
	if c.http.Unchanged {
		return nil, nil
	}
	body, compressed, release, err := bodyOf(c.rpc.Answer, c.gzip)
	if err != nil {
		return nil, err
	}
	c.release = release
	c.http.Rendered(len(body))
	if compressed {
		c.out.Header()["Content-Encoding"] = valueGzip
	}
	return body, nil
}

// Keys of the renditions of a page that are cached with it.
type (
	jsonKey struct{}
	gzipKey struct{}
)

func noRelease() {}

// bodyOf returns the bytes of an answer, valid until release. The bytes of a cached page are cached with it.
func bodyOf(answer any, gzip bool) (body []byte, compressed bool, release func(), err error) {
	page, ok := answer.(*timeline.Page)
	if !ok {
		body, release, err = render(answer)
		if err != nil || !gzip || len(body) < minGzipSize {
			return body, false, release, err
		}
		defer release()
		body, err = compress(body)
		return body, true, noRelease, err
	}
	if gzip {
		if body, err = page.Rendition(gzipKey{}, gzipPage); err != nil || len(body) > 0 {
			return body, true, noRelease, err
		}
	}
	body, err = page.Rendition(jsonKey{}, renderPage)
	return body, false, noRelease, err
}

// renderPage returns the JSON of a page, in an array of its exact size since it may be cached.
func renderPage(p *timeline.Page) ([]byte, error) {
	buffer := getBuffer()
	defer putBuffer(buffer)
	body, err := wirejson.AppendAnswer((*buffer)[:0], p.Message, p.Events)
	if err != nil {
		return nil, err
	}
	body = append(body, '\n')
	*buffer = body
	return bytes.Clone(body), nil
}

// gzipPage returns the gzip form of a page's JSON; empty for a page that is too small for it.
func gzipPage(p *timeline.Page) ([]byte, error) {
	body, err := p.Rendition(jsonKey{}, renderPage)
	if err != nil || len(body) < minGzipSize {
		return nil, err
	}
	return compress(body)
}

// buffers is the pool of buffers for bodies that are not cached.
var buffers = sync.Pool{New: func() any { return new([]byte) }}

func getBuffer() *[]byte {
	if buffer, ok := buffers.Get().(*[]byte); ok {
		return buffer
	}
	return new([]byte)
}

func putBuffer(buffer *[]byte) {
	const maxSize = 4 << 20
	if cap(*buffer) <= maxSize {
		buffers.Put(buffer)
	}
}

// render returns the JSON of an answer, valid until release.
func render(answer any) (body []byte, release func(), err error) {
	message, ok := answer.(proto.Message)
	if !ok {
		return nil, nil, errAnswer
	}
	buffer := getBuffer()
	if body, err = wirejson.Append((*buffer)[:0], message); err != nil {
		return nil, nil, err
	}
	body = append(body, '\n')
	*buffer = body
	return body, func() { putBuffer(buffer) }, nil
}
