package graphmap

import (
	"fmt"

	"google.golang.org/protobuf/proto"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
)

// Event maps a record of the given root to an event: the envelope's mapped fields, its source (id, chat, entity tag),
// the detail of its sort and unmapped. Source and detail are always set. What is Parley's own is left to the caller.
//
// A chat message with an event detail, or of type systemEventMessage, gets a system detail, and what it has as a chat
// message is in system.message. Errors are ErrRecord, ErrDepth and ErrRoot.
func (t *Table) Event(root string, record []byte) (*parleyv1.Event, error) {
	event := &parleyv1.Event{Source: &parleyv1.EventSource{}}
	switch root {
	case RootChatMessage:
		chat := &parleyv1.ChatDetail{}
		if err := t.event(t.chat, event, chat, record); err != nil {
			return nil, err
		}
		setChatDetail(event, chat)
	case RootAIInteraction:
		detail := &parleyv1.CopilotDetail{}
		if err := t.event(t.copilot, event, detail, record); err != nil {
			return nil, err
		}
		event.Detail = &parleyv1.Event_Copilot{Copilot: detail}
	case RootCallRecord:
		detail := &parleyv1.CallDetail{}
		if err := t.event(t.call, event, detail, record); err != nil {
			return nil, err
		}
		event.Detail = &parleyv1.Event_Call{Call: detail}
	default:
		return nil, fmt.Errorf("%w %q", ErrRoot, root)
	}
	return event, nil
}

// event decodes a record into the event, its source and its detail.
func (t *Table) event(p *plan, event *parleyv1.Event, detail proto.Message, record []byte) error {
	d := t.decoder()
	defer t.putBack(d)
	messages := target{event.ProtoReflect(), event.GetSource().ProtoReflect(), detail.ProtoReflect()}
	if err := d.record(p, &messages, record); err != nil {
		return err
	}
	event.Unmapped, event.TruncatedFields = prune(d.extra), d.cut
	return nil
}

// setChatDetail puts the chat detail where it belongs: Teams' own notes carry it inside.
func setChatDetail(event *parleyv1.Event, chat *parleyv1.ChatDetail) {
	system := event.GetSystem()
	if system == nil && chat.GetMessageType() != parleyv1.MessageType_MESSAGE_TYPE_SYSTEM_EVENT_MESSAGE {
		event.Detail = &parleyv1.Event_Chat{Chat: chat}
		return
	}
	if system == nil {
		system = &parleyv1.SystemDetail{}
		event.Detail = &parleyv1.Event_System{System: system}
	}
	system.Message = chat
}
