package rest

import (
	"bytes"
	"context"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"github.com/parley-gateway/parley/eventwire/wirejson"
	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/timeline"
)

// Conditional is the interceptor that gives the answer of a call of the REST face its entity tag, and notes in the call that the
// client has the answer already if If-None-Match names it. Calls of other doors pass it.
func Conditional(ctx context.Context, req any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	answer, err := next(ctx, req)
	c := callOf(ctx)
	if err != nil || c == nil {
		return answer, err
	}
	c.tag = tagOf(req, answer)
	c.Unchanged = c.tag != "" && hasTag(c.conditions, c.tag)
	return answer, nil
}

// body returns the body of an answer that is one message, good until the call ends. Compressing it is said in the headers,
// which are not out yet.
func (c *call) body() ([]byte, error) {
	if c.Unchanged {
		return nil, nil
	}
	body, compressed, release, err := bodyOf(c.Answer, c.gzip)
	if err != nil {
		return nil, err
	}
	c.release = release
	if c.Account != nil {
		c.Account.Add(int64(len(body)))
	}
	if compressed {
		c.out.Header()["Content-Encoding"] = valueGzip
	}
	return body, nil
}

// tagOf is the entity tag of an answer; "" if it has none.
func tagOf(request, answer any) string {
	if page, ok := answer.(*timeline.Page); ok {
		view := parleyv1.EventView_EVENT_VIEW_UNSPECIFIED
		if asked, ok := request.(viewAsked); ok {
			view = asked.GetView()
		}
		tag, err := page.Form(tagKey{view}, tagForms[view&3])
		if err != nil {
			return ""
		}
		return string(tag)
	}
	message, ok := answer.(proto.Message)
	if !ok {
		return ""
	}
	tag, err := validator(request, message)
	if err != nil {
		return "" // nor can it be rendered
	}
	return tag
}

// Forms of a page that are kept with it, and the keys that name them.
type (
	jsonKey struct{}
	gzipKey struct{}
	tagKey  struct{ view parleyv1.EventView }
)

// tagForms make the entity tag of a page for each view.
var tagForms = func() (forms [4]func(*timeline.Page) ([]byte, error)) {
	for view := range forms {
		request := &parleyv1.ListEventsRequest{View: parleyv1.EventView(view)}
		forms[view] = func(p *timeline.Page) ([]byte, error) { return pageTag(request, p) }
	}
	return forms
}()

func nothing() {}

// bodyOf returns the bytes of an answer, which are good until release: kept ones where the answer is a page that is kept.
func bodyOf(answer any, gzip bool) (body []byte, compressed bool, release func(), err error) {
	page, ok := answer.(*timeline.Page)
	if !ok {
		body, release, err = render(answer)
		if err != nil || !gzip || len(body) < minGzipSize {
			return body, false, release, err
		}
		defer release()
		body, err = compress(body)
		return body, true, nothing, err
	}
	if gzip {
		if body, err = page.Form(gzipKey{}, gzipPage); err != nil || len(body) > 0 {
			return body, true, nothing, err
		}
	}
	body, err = page.Form(jsonKey{}, renderPage)
	return body, false, nothing, err
}

// renderPage makes the JSON of a page, in an array of its own size since it may be kept.
func renderPage(p *timeline.Page) ([]byte, error) {
	room := roomFor()
	defer keepRoom(room)
	body, err := wirejson.AppendAnswer((*room)[:0], p.Message, p.Events)
	if err != nil {
		return nil, err
	}
	body = append(body, '\n')
	*room = body
	return bytes.Clone(body), nil
}

// gzipPage makes the gzip form of a page's JSON; empty for a page that is too small for it.
func gzipPage(p *timeline.Page) ([]byte, error) {
	body, err := p.Form(jsonKey{}, renderPage)
	if err != nil || len(body) < minGzipSize {
		return nil, err
	}
	return compress(body)
}

// bodies are buffers of bodies that nobody keeps.
var bodies = sync.Pool{New: func() any { return new([]byte) }}

func roomFor() *[]byte {
	if room, ok := bodies.Get().(*[]byte); ok {
		return room
	}
	return new([]byte)
}

func keepRoom(room *[]byte) {
	const most = 4 << 20
	if cap(*room) <= most {
		bodies.Put(room)
	}
}

// render returns the JSON of an answer, which is good until release.
func render(answer any) (body []byte, release func(), err error) {
	message, ok := answer.(proto.Message)
	if !ok {
		return nil, nil, errAnswer
	}
	room := roomFor()
	if body, err = wirejson.Append((*room)[:0], message); err != nil {
		return nil, nil, err
	}
	body = append(body, '\n')
	*room = body
	return body, func() { keepRoom(room) }, nil
}
