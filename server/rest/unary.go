package rest

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"strconv"
	"sync"

	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/server/wirejson"
)

var errAnswer = errors.New("rest: an answer that is not a message")

// unary serves a method that has one answer.
func (h *Handler) unary(ctx context.Context, w http.ResponseWriter, r *http.Request, what *asked) {
	call, header := newCall(r), w.Header()
	tag := ""
	if conditions := r.Header["If-None-Match"]; len(conditions) > 0 {
		call.Same = func(answer any) bool {
			tag = tagOf(what.request, answer)
			return tag != "" && hasTag(conditions, tag)
		}
	}
	answer, err := h.backend.Unary(ctx, call, what.route.method, what.request)
	call.tell(header)
	if err != nil {
		writeError(w, err)
		return
	}
	unchanged, same := answer.(Unchanged)
	if same {
		answer = unchanged.Answer
	}
	if tag == "" {
		tag = tagOf(what.request, answer)
	}
	if tag != "" {
		header["Etag"] = []string{tag}
		header["Cache-Control"] = valueRevalidate
	}
	// Who asks, and of which tenant, decides what the answer is.
	header.Add("Vary", "Authorization, Parley-Tenant, Accept-Encoding")
	if same {
		boundWrite(w)
		w.WriteHeader(http.StatusNotModified)
		return
	}
	body, release, err := h.render(answer)
	if err == nil && len(body) >= leastSqueezed && acceptsGzip(r.Header["Accept-Encoding"]) {
		defer release()
		header["Content-Encoding"] = valueGzip
		body, err = squeeze(body)
		release = func() {}
	}
	if err != nil {
		header.Del("Etag")
		header.Del("Content-Encoding")
		header["Cache-Control"] = valueNoStore
		writeError(w, status.Convert(err).Err())
		return
	}
	writeBody(w, body)
	release()
}

// writeBody writes a body of JSON in one piece.
func writeBody(w http.ResponseWriter, body []byte) {
	header := w.Header()
	header["Content-Type"] = valueJSON
	header["Content-Length"] = []string{strconv.Itoa(len(body))}
	boundWrite(w)
	_, _ = w.Write(body) //nolint:gosec // JSON with nosniff; and the client is gone if this fails
}

// tagOf is the entity tag of an answer; "" if it has none.
func tagOf(request proto.Message, answer any) string {
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

// bodies are buffers of bodies that nobody keeps.
var bodies = sync.Pool{New: func() any { return new([]byte) }}

// render returns the JSON of an answer, which is good until release.
func (h *Handler) render(answer any) (body []byte, release func(), err error) {
	message, ok := answer.(proto.Message)
	if !ok {
		return nil, nil, errAnswer
	}
	room, ok := bodies.Get().(*[]byte)
	if !ok {
		room = new([]byte)
	}
	release = func() {
		const keep = 4 << 20
		if cap(*room) <= keep {
			bodies.Put(room)
		}
	}
	body = (*room)[:0]
	if events, isList := message.(*parleyv1.ListEventsResponse); isList && len(events.GetEvents()) == 0 {
		body, err = h.appendEvents(body, events, events.ProtoReflect().GetUnknown())
	} else {
		body, err = wirejson.Append(body, message)
	}
	body = append(body, '\n')
	*room = body
	return body, release, err
}

// emptyList begins the JSON of a List answer whose events are elsewhere.
const emptyList = `{"events":[]`

// appendEvents writes the JSON of a List answer whose events are the given list, and not in the message.
func (h *Handler) appendEvents(b []byte, answer *parleyv1.ListEventsResponse, list []byte) ([]byte, error) {
	b, err := appendList(append(b, emptyList[:len(emptyList)-1]...), list, h.wire)
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
