package rest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/timeline"
)

// Conditional is the interceptor that computes the entity tag of a REST answer. If the If-None-Match header of the request names
// the tag, it marks the call as unchanged. Calls over gRPC pass it.
func Conditional(ctx context.Context, req any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	answer, err := next(ctx, req)
	c := callOf(ctx)
	if err != nil || c == nil {
		return answer, err
	}
	c.tag = tagOf(req, answer)
	c.http.Unchanged = c.tag != "" && hasTag(c.conditions, c.tag)
	return answer, nil
}

// tagOf returns the entity tag of an answer; "" if it has none.
func tagOf(request, answer any) string {
	if page, ok := answer.(*timeline.Page); ok {
		view := parleyv1.EventView_EVENT_VIEW_UNSPECIFIED
		if withView, ok := request.(viewRequest); ok {
			view = withView.GetView()
		}
		tag, err := page.Rendition(tagKey{view}, tagRenderers[view&3]) // a view is 0 to 3, as requests are validated
		if err != nil {
			return ""
		}
		return string(tag)
	}
	message, ok := answer.(proto.Message)
	if !ok {
		return ""
	}
	tag, err := messageTag(request, message)
	if err != nil {
		return "" // nor can it be rendered
	}
	return tag
}

// tagKey is the key of the entity tag that is cached with a page.
type tagKey struct{ view parleyv1.EventView }

// tagRenderers make the entity tag of a page for each view.
var tagRenderers = func() (renderers [4]func(*timeline.Page) ([]byte, error)) {
	for view := range renderers {
		request := &parleyv1.ListEventsRequest{View: parleyv1.EventView(view)}
		renderers[view] = func(p *timeline.Page) ([]byte, error) { return pageTag(request, p) }
	}
	return renderers
}()

// messageTag returns the entity tag of an answer that is one message: a digest of its content and of the requested view. The tag is weak. Two answers
// with the same tag hold the same events, states, gaps and notices, and both or neither have a next page and one before. They may differ in
// their page tokens, which are sealed anew for each answer, and in counts, request ids and the times up to which a source was
// read or has settled.
func messageTag(request any, answer proto.Message) (string, error) {
	tag, err := digestTag(request, answer, nil)
	return string(tag), err
}

// pageTag returns the entity tag of a page.
func pageTag(request any, p *timeline.Page) ([]byte, error) {
	return digestTag(request, p.Message, p.Events)
}

// viewRequest is a request that names a view.
type viewRequest interface{ GetView() parleyv1.EventView }

// digestTag returns the digest of an answer and of the list of its events, if that is not in the message.
func digestTag(request any, answer proto.Message, list []byte) ([]byte, error) {
	digest := sha256.New()
	if withView, ok := request.(viewRequest); ok {
		digest.Write([]byte{byte(withView.GetView())})
	}
	digest.Write(list)
	rest, err := proto.MarshalOptions{Deterministic: true}.Marshal(comparableAnswer(answer))
	if err != nil {
		return nil, err
	}
	digest.Write(rest)
	tag := hex.AppendEncode([]byte(`W/"`), digest.Sum(nil)[:16])
	return append(tag, '"'), nil
}

// comparableAnswer returns a List answer without the fields that differ between equal answers; other messages as they are.
func comparableAnswer(answer proto.Message) proto.Message {
	from := answer.ProtoReflect()
	token := from.Descriptor().Fields().ByName("next_page_token")
	if token == nil {
		return answer
	}
	to := from.New()
	from.Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		switch field.Name() {
		case "next_page_token", "previous_page_token":
			to.Set(field, protoreflect.ValueOfString("more"))
		case "sources", "notices":
			list := to.Mutable(field).List()
			for i := range value.List().Len() {
				list.Append(protoreflect.ValueOfMessage(comparablePart(value.List().Get(i).Message())))
			}
		default:
			to.Set(field, value)
		}
		return true
	})
	return to.Interface()
}

// comparablePart returns a report or notice without the fields that differ between equal answers.
func comparablePart(part protoreflect.Message) protoreflect.Message {
	switch m := part.Interface().(type) {
	case *parleyv1.SourceReport:
		return (&parleyv1.SourceReport{Source: m.GetSource(), State: m.GetState(), Reason: m.GetReason(), Gaps: m.GetGaps()}).ProtoReflect()
	case *parleyv1.Notice:
		return (&parleyv1.Notice{Code: m.GetCode(), Source: m.GetSource()}).ProtoReflect()
	default:
		return part
	}
}

// hasTag reports whether If-None-Match names a tag, by weak comparison (RFC 9110, 13.1.2).
func hasTag(conditions []string, tag string) bool {
	tag = strings.TrimPrefix(tag, "W/")
	for _, list := range conditions {
		for rest := strings.TrimLeft(list, " \t,"); rest != ""; rest = strings.TrimLeft(rest, " \t,") {
			if rest[0] == '*' {
				return true
			}
			rest = strings.TrimPrefix(rest, "W/")
			if rest == "" || rest[0] != '"' {
				break // not a list of tags
			}
			end := strings.IndexByte(rest[1:], '"') + 2
			if end < 2 {
				break
			}
			if rest[:end] == tag {
				return true
			}
			rest = rest[end:]
		}
	}
	return false
}
