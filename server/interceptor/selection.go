package interceptor

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"google.golang.org/genproto/googleapis/api/httpbody"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/parley-gateway/parley/eventwire/view"
	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/server/apierror"
	"github.com/parley-gateway/parley/server/callinfo"
	"github.com/parley-gateway/parley/timeline"
)

// selection leaves out of the resources of an answer the fields that the caller does not select. The view of the call is applied before; the
// rest of an answer stays as it is.
type selection struct{}

func (selection) unary(ctx context.Context, req any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	mask, err := maskOf(ctx, req)
	if err != nil {
		return nil, err
	}
	answer, err := next(ctx, req)
	if err != nil || mask == nil {
		return answer, err
	}
	switch answer := answer.(type) {
	case *timeline.Page:
		events, err := mask.AppendList(make([]byte, 0, len(answer.Events)/4), answer.Events)
		if err != nil {
			return nil, fmt.Errorf("select fields: %w", err)
		}
		return answer.With(answer.Message, events), nil
	case proto.Message:
		return selectFields(mask, answer), nil
	default:
		return nil, apierror.ForReason(parleyv1.ErrorReason_ERROR_REASON_INTERNAL)
	}
}

func (selection) stream(srv any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, next grpc.StreamHandler) error {
	if _, text, err := selectedFields(stream.Context()); err == nil && text == "" {
		return next(srv, stream)
	}
	return next(srv, &selectingStream{ServerStream: stream})
}

// selectingStream is a server stream whose request says which fields are sent.
type selectingStream struct {
	grpc.ServerStream

	mask *view.Mask // nil = all fields
}

// RecvMsg implements grpc.ServerStream.
func (s *selectingStream) RecvMsg(m any) error {
	if err := s.ServerStream.RecvMsg(m); err != nil {
		return err
	}
	var err error
	s.mask, err = maskOf(s.Context(), m)
	return err
}

// SendMsg implements grpc.ServerStream.
func (s *selectingStream) SendMsg(m any) error {
	if s.mask == nil {
		return s.ServerStream.SendMsg(m)
	}
	switch frame := m.(type) {
	case *timeline.Batch:
		size := 0
		for _, run := range frame.Runs {
			size += len(run)
		}
		events := make([]byte, 0, size/4)
		for _, run := range frame.Runs {
			var err error
			if events, err = s.mask.AppendList(events, run); err != nil {
				return fmt.Errorf("select fields: %w", err)
			}
		}
		m = frame.With(events)
	case proto.Message:
		m = selectFields(s.mask, frame)
	}
	return s.ServerStream.SendMsg(m)
}

// viewRequest is a request that names a view.
type viewRequest interface{ GetView() parleyv1.EventView }

// selectedFields returns the fields that a call selects, as text, and the name of the header or parameter it was sent in. The text is empty for all.
func selectedFields(ctx context.Context) (name, text string, err error) {
	name, text = callinfo.HeaderFields, callinfo.Header(ctx, callinfo.HeaderFields)
	rest := callinfo.FromContext(ctx).HTTP
	if rest == nil || rest.Fields == "" {
		return name, text, nil
	}
	if text != "" {
		return "", "", apierror.Invalid(callinfo.FieldsParameter, "is given as a query parameter and as the header parley-fields; send one of them")
	}
	return callinfo.FieldsParameter, rest.Fields, nil
}

// maskOf reads which fields a call selects; nil for all.
func maskOf(ctx context.Context, req any) (*view.Mask, error) {
	name, text, err := selectedFields(ctx)
	if err != nil || text == "" {
		return nil, err
	}
	resource, list := resourceOf(req)
	if resource == nil {
		return nil, apierror.Invalid(name, "the answer of this method has no fields to select")
	}
	shown := shownView(req)
	var paths []string
	for path := range strings.SplitSeq(text, ",") {
		path = strings.TrimSpace(path)
		if path == "*" {
			return nil, nil //nolint:nilnil // everything is selected
		}
		if list != "" {
			path = strings.TrimPrefix(path, list+".")
		}
		if !inView(resource, path, shown) {
			return nil, apierror.Invalid(name, fmt.Sprintf("%q lies outside the view %s", path, strings.TrimPrefix(shown.String(), "EVENT_VIEW_")))
		}
		paths = append(paths, path)
	}
	mask, err := view.NewMask(resource, paths...)
	if unknown, ok := errors.AsType[*view.PathError](err); ok {
		return nil, apierror.Invalid(name, unknown.Error())
	}
	return mask, err
}

// shownView is the view of a call: the one that its request names, or the default of its method (view.OfList, view.OfOne). It is FULL where resources have no views.
func shownView(req any) parleyv1.EventView {
	withView, ok := req.(viewRequest)
	if !ok {
		return parleyv1.EventView_EVENT_VIEW_FULL
	}
	if _, one := req.(interface{ GetName() string }); one {
		return view.OfOne(withView.GetView())
	}
	return view.OfList(withView.GetView())
}

// inView reports whether a view shows a field. Paths to no field are left to view.NewMask, which says what is known.
func inView(md protoreflect.MessageDescriptor, path string, shown parleyv1.EventView) bool {
	if _, err := view.NewMask(md, path); err != nil {
		return true
	}
	switch shown {
	case parleyv1.EventView_EVENT_VIEW_FULL:
		return true
	case parleyv1.EventView_EVENT_VIEW_BASIC:
		return path != "unmapped"
	default:
		return view.ShownInMetadata(md, path)
	}
}

// resourceOf returns the resource that the answer to a request holds, and the list field that it is in, if it is in one. It is nil for
// downloads.
func resourceOf(req any) (resource protoreflect.MessageDescriptor, list string) {
	switch req.(type) {
	case *parleyv1.ListEventsRequest, *parleyv1.StreamEventsRequest, *parleyv1.StreamTenantEventsRequest:
		return (*parleyv1.Event)(nil).ProtoReflect().Descriptor(), "events"
	case *parleyv1.GetEventRequest:
		return (*parleyv1.Event)(nil).ProtoReflect().Descriptor(), ""
	case *parleyv1.ListConversationsRequest, *parleyv1.StreamConversationsRequest:
		return (*parleyv1.Conversation)(nil).ProtoReflect().Descriptor(), "conversations"
	case *parleyv1.GetConversationRequest:
		return (*parleyv1.Conversation)(nil).ProtoReflect().Descriptor(), ""
	case *parleyv1.ListCopilotUsageRequest, *parleyv1.StreamCopilotUsageRequest:
		return (*parleyv1.CopilotUsageRow)(nil).ProtoReflect().Descriptor(), "rows"
	case *parleyv1.SummarizeCopilotUsageRequest:
		return (*parleyv1.CopilotUsageCounts)(nil).ProtoReflect().Descriptor(), "periods"
	case *parleyv1.ListCopilotUsageTrendsRequest:
		return (*parleyv1.CopilotUsageCounts)(nil).ProtoReflect().Descriptor(), "days"
	case *parleyv1.ListUsersRequest:
		return (*parleyv1.User)(nil).ProtoReflect().Descriptor(), "users"
	case *parleyv1.GetUserRequest:
		return (*parleyv1.User)(nil).ProtoReflect().Descriptor(), ""
	default:
		return nil, ""
	}
}

// selectFields returns an answer or frame with the selected fields of its resources. The answer itself is not changed.
func selectFields(mask *view.Mask, answer proto.Message) proto.Message {
	switch m := answer.(type) {
	case *parleyv1.Event, *parleyv1.Conversation, *parleyv1.CopilotUsageRow, *parleyv1.User:
		return mask.Apply(answer)
	case *httpbody.HttpBody:
		return m
	}
	from := answer.ProtoReflect()
	to := from.New()
	from.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case fd.IsList() && isResource(fd.Message()):
			list := to.Mutable(fd).List()
			for i := range v.List().Len() {
				list.Append(protoreflect.ValueOfMessage(mask.Apply(v.List().Get(i).Message().Interface()).ProtoReflect()))
			}
		case !fd.IsList() && !fd.IsMap() && fd.Message() != nil && fd.Name() == "batch":
			to.Set(fd, protoreflect.ValueOfMessage(selectFields(mask, v.Message().Interface()).ProtoReflect()))
		default:
			to.Set(fd, v)
		}
		return true
	})
	to.SetUnknown(from.GetUnknown())
	return to.Interface()
}

// isResource reports whether fields of the message type can be selected.
func isResource(md protoreflect.MessageDescriptor) bool {
	if md == nil {
		return false
	}
	switch md.Name() {
	case "Event", "Conversation", "CopilotUsageRow", "CopilotUsageCounts", "User":
		return true
	default:
		return false
	}
}
