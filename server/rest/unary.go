package rest

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"sync"

	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/server/wirejson"
	"github.com/parley-gateway/parley/timeline"
)

var errAnswer = errors.New("rest: an answer that is not a message")

// unary serves a method that has one answer.
func (h *Handler) unary(ctx context.Context, w http.ResponseWriter, r *http.Request, what *asked) {
	call, header := newCall(r, what), w.Header()
	conditions, tag := r.Header["If-None-Match"], ""
	if len(conditions) > 0 {
		call.Same = func(answer any) bool {
			tag = h.tagOf(what.request, answer)
			return tag != "" && hasTag(conditions, tag)
		}
	}
	answer, err := h.backend.Unary(ctx, call, what.route.method, what.request)
	call.tell(header)
	if err != nil {
		writeError(w, err)
		return
	}
	_, same := answer.(Unchanged)
	if tag == "" && !same {
		tag = h.tagOf(what.request, answer)
	}
	var body []byte
	squeezed := !same && acceptsGzip(r.Header["Accept-Encoding"])
	if !same {
		var release func()
		if body, squeezed, release, err = h.body(answer, squeezed); err != nil {
			writeError(w, status.Convert(err).Err())
			return
		}
		defer release()
	}
	// One array for the values.
	values := []string{tag, strconv.Itoa(len(body))}
	if tag != "" {
		header["Etag"], header["Cache-Control"] = values[0:1:1], valueRevalidate
	}
	// Who asks, and of which tenant, decides what the answer is.
	if vary := header["Vary"]; len(vary) > 0 {
		header["Vary"] = append(slices.Clip(vary), valueVary...)
	} else {
		header["Vary"] = valueVary
	}
	boundWrite(w)
	if same {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	if squeezed {
		header["Content-Encoding"] = valueGzip
	}
	header["Content-Type"], header["Content-Length"] = valueJSON, values[1:2:2]
	_, _ = w.Write(body) // the client is gone if this fails
}

// tagOf is the entity tag of an answer; "" if it has none.
func (h *Handler) tagOf(request proto.Message, answer any) string {
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
	zipKey  struct{}
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

// body returns the bytes of an answer, which are good until release: kept ones where the answer is a page that is kept.
func (h *Handler) body(answer any, squeezed bool) (body []byte, zipped bool, release func(), err error) {
	page, ok := answer.(*timeline.Page)
	if !ok {
		body, release, err = h.render(answer)
		if err != nil || !squeezed || len(body) < leastSqueezed {
			return body, false, release, err
		}
		defer release()
		body, err = squeeze(body)
		return body, true, nothing, err
	}
	if squeezed {
		if body, err = page.Form(zipKey{}, h.pageZip); err != nil || len(body) > 0 {
			return body, true, nothing, err
		}
	}
	body, err = page.Form(jsonKey{}, h.pageJSON)
	return body, false, nothing, err
}

// renderPage makes the JSON of a page, in an array of its own size since it may be kept.
func (h *Handler) renderPage(p *timeline.Page) ([]byte, error) {
	room := roomFor()
	defer keepRoom(room)
	body, err := h.appendEvents((*room)[:0], p.Message, p.Events)
	if err != nil {
		return nil, err
	}
	body = append(body, '\n')
	*room = body
	return bytes.Clone(body), nil
}

// zipPage makes the gzip form of a page's JSON; empty for a page that is too small for it.
func (h *Handler) zipPage(p *timeline.Page) ([]byte, error) {
	body, err := p.Form(jsonKey{}, h.pageJSON)
	if err != nil || len(body) < leastSqueezed {
		return nil, err
	}
	return squeeze(body)
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
func (*Handler) render(answer any) (body []byte, release func(), err error) {
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

// emptyList begins the JSON of a List answer whose events are elsewhere.
const emptyList = `{"events":[]`

// appendEvents writes the JSON of a List answer whose events are the given list, and not in the message.
func (h *Handler) appendEvents(b []byte, answer *parleyv1.ListEventsResponse, list []byte) ([]byte, error) {
	b, err := appendList(append(b, emptyList[:len(emptyList)-1]...), list, h.wire, nil)
	if err != nil {
		return b, err
	}
	b = append(b, ']')
	here := len(b)
	if b, err = wirejson.Append(b, answer); err != nil {
		return b, err
	}
	if !bytes.HasPrefix(b[here:], []byte(emptyList)) {
		return b, errFrame
	}
	return append(b[:here], b[here+len(emptyList):]...), nil
}
