package graphmap

import (
	"fmt"
	"sync"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/parley-gateway/parley/eventwire"
	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
)

// The roots that Event knows: Graph's types with the namespace microsoft.graph left out.
const (
	RootChatMessage   = "chatMessage"
	RootAIInteraction = "aiInteraction"
	RootCallRecord    = "callRecords.callRecord"
)

// Table maps Graph's properties to the fields of the model. It is safe for concurrent use and never changes.
type Table struct {
	chat, copilot, call           *plan
	conversation, member, user    *plan
	usage, counts, summary, trend *plan // summary and trend are counts that fan out
	session, segment, participant *plan
	drafts                        sync.Pool
}

// New compiles the table from the options of the generated descriptors. An error means that the contract contradicts
// itself: two fields are filled by one property, or a field has a type that no property has.
func New() (*Table, error) {
	t := &Table{}
	c := &compiler{plans: map[protoreflect.FullName]*plan{}}
	if err := t.compileRoots(c); err != nil {
		return nil, fmt.Errorf("compile the model: %w", err)
	}
	messages := map[protoreflect.ProtoMessage]**plan{
		(*parleyv1.Conversation)(nil):       &t.conversation,
		(*parleyv1.ConversationMember)(nil): &t.member,
		(*parleyv1.User)(nil):               &t.user,
		(*parleyv1.CopilotUsageRow)(nil):    &t.usage,
		(*parleyv1.CopilotUsageCounts)(nil): &t.counts,
		(*parleyv1.CallSession)(nil):        &t.session,
		(*parleyv1.CallSegment)(nil):        &t.segment,
		(*parleyv1.CallParticipant)(nil):    &t.participant,
	}
	for m, p := range messages {
		compiled, err := c.message(m.ProtoReflect().Descriptor())
		if err != nil {
			return nil, fmt.Errorf("compile the model: %w", err)
		}
		*p = compiled
	}
	for m, p := range map[protoreflect.ProtoMessage]*plan{(*parleyv1.CopilotUsageRow)(nil): t.usage, (*parleyv1.CopilotUsageCounts)(nil): t.counts} {
		if err := p.foldNames(m.ProtoReflect().Descriptor()); err != nil {
			return nil, fmt.Errorf("compile the model: %w", err)
		}
	}
	t.usage = t.usage.withFanOut(periodsProperty)
	t.summary, t.trend = t.counts.withFanOut(productsProperty), t.counts.withFanOut(daysProperty)
	return t, nil
}

// compileRoots compiles the three roots of events; each has its source first and its detail second.
func (t *Table) compileRoots(c *compiler) error {
	roots := []struct {
		plan   **plan
		types  []string
		detail protoreflect.Name
	}{
		{&t.chat, []string{RootChatMessage, "targetedChatMessage"}, "chat"},
		{&t.copilot, []string{RootAIInteraction}, "copilot"},
		{&t.call, []string{RootCallRecord}, "call"},
	}
	for _, root := range roots {
		compiled, parts, err := c.root((*parleyv1.Event)(nil).ProtoReflect().Descriptor(), root.types...)
		if err != nil {
			return err
		}
		if len(parts) != 2 || parts[0].Name() != "source" || parts[1].Name() != root.detail {
			return fmt.Errorf("an event of %s has other parts than source and %s", root.types[0], root.detail)
		}
		*root.plan = compiled
	}
	return nil
}

// Draft reads a record of the given root: the event's mapped fields, its source (id, chat, entity tag), the detail of its sort,
// unmapped and truncated_fields. Source and detail are always there. A chat message with an event detail, or of type
// systemEventMessage, gets a system detail, and its chat detail is system.message. Give the draft back with
// [Draft.Release]. Errors are ErrRecord, ErrDepth and ErrRoot.
func (t *Table) Draft(root string, record []byte) (*Draft, error) {
	var p *plan
	switch root {
	case RootChatMessage:
		p = t.chat
	case RootAIInteraction:
		p = t.copilot
	case RootCallRecord:
		p = t.call
	default:
		return nil, fmt.Errorf("%w %q", ErrRoot, root)
	}
	d, err := t.read(p, record)
	if err != nil {
		return nil, err
	}
	d.attachParts(root)
	for _, path := range d.truncated {
		d.AddString(RootNode, eventwire.EventTruncatedFields, path)
	}
	return d, nil
}

// Event maps a record of the given root to an event, as [Table.Draft] does. Fields of Parley's own are left to the caller.
func (t *Table) Event(root string, record []byte) (*parleyv1.Event, error) {
	d, err := t.Draft(root, record)
	if err != nil {
		return nil, err
	}
	defer d.Release()
	event := &parleyv1.Event{}
	event.Unmapped, err = d.decode(event)
	if err != nil {
		return nil, err
	}
	return event, nil
}

// Conversation maps a record of type chat. Errors are ErrRecord and ErrDepth.
func (t *Table) Conversation(record []byte) (*parleyv1.Conversation, error) {
	m, extra, err := readMessage(t, t.conversation, &parleyv1.Conversation{}, record)
	if err != nil {
		return nil, err
	}
	m.Unmapped = extra
	return m, nil
}

// Member maps a record of type conversationMember, one of a chat's nested page. Properties that the table does
// not know are returned beside it, for [Merge] into the conversation; nil if there are none. Errors are ErrRecord and ErrDepth.
func (t *Table) Member(record []byte) (*parleyv1.ConversationMember, *structpb.Struct, error) {
	return readMessage(t, t.member, &parleyv1.ConversationMember{}, record)
}

// Session maps a record of type callRecords.session with the segments in it; as Member.
func (t *Table) Session(record []byte) (*parleyv1.CallSession, *structpb.Struct, error) {
	return readMessage(t, t.session, &parleyv1.CallSession{}, record)
}

// Segment maps a record of type callRecords.segment; as Member.
func (t *Table) Segment(record []byte) (*parleyv1.CallSegment, *structpb.Struct, error) {
	return readMessage(t, t.segment, &parleyv1.CallSegment{}, record)
}

// Participant maps a record of type callRecords.participant or callRecords.organizer; as Member.
func (t *Table) Participant(record []byte) (*parleyv1.CallParticipant, *structpb.Struct, error) {
	return readMessage(t, t.participant, &parleyv1.CallParticipant{}, record)
}

// User maps a record of type user. The model has no home for other properties than those that Parley asks for, so they
// are dropped. Errors are ErrRecord and ErrDepth.
func (t *Table) User(record []byte) (*parleyv1.User, error) {
	m, _, err := readMessage(t, t.user, &parleyv1.User{}, record)
	return m, err
}

// readMessage fills a message and returns it with the properties that no field of it takes.
func readMessage[M proto.Message](t *Table, p *plan, m M, record []byte) (M, *structpb.Struct, error) {
	var none M
	d, err := t.read(p, record)
	if err != nil {
		return none, nil, err
	}
	defer d.Release()
	extra, err := d.decode(m)
	if err != nil {
		return none, nil, err
	}
	return m, extra, nil
}

// attachParts attaches source and detail to an event. Notes of Teams carry the chat detail inside their own.
func (d *Draft) attachParts(root string) {
	d.nodes[SourceNode].number = eventwire.EventSource
	d.attach(RootNode, SourceNode)
	parent, number := RootNode, protowire.Number(eventwire.EventCopilot)
	switch root {
	case RootCallRecord:
		number = eventwire.EventCall
	case RootChatMessage:
		number = eventwire.EventChat
		system := d.Child(RootNode, eventwire.EventSystem)
		if system == NoNode && d.Number(d.Child(DetailNode, eventwire.ChatDetailMessageType)) == int64(parleyv1.MessageType_MESSAGE_TYPE_SYSTEM_EVENT_MESSAGE) {
			system = d.add(RootNode, eventwire.EventSystem, formMessage)
		}
		if system != NoNode {
			parent, number = system, eventwire.SystemDetailMessage
		}
	default:
	}
	d.nodes[DetailNode].number = number
	d.attach(parent, DetailNode)
}
