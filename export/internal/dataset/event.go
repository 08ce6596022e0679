package dataset

import (
	"fmt"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/types/known/timestamppb"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"

	"github.com/parley-gateway/parley/export/internal/wire"
)

// Reader makes rows of events in their wire format, without decoding them: a night has millions of events, and a row needs few of their
// fields. It has the event that Read was given last, and is for one goroutine.
type Reader struct {
	run string

	event, source, actor, identity, body, summary, detail, system, channel wire.Message

	json []byte // memory of detailColumns, used again for each event
}

// NewReader returns a reader of the events of a run.
func NewReader(run string) *Reader { return &Reader{run: run} }

// Read finds the fields of an event, which the other methods read; it must not change while they do. The error says that the bytes are no
// message; a field that cannot be read is an error of EventRow.
func (r *Reader) Read(event []byte) error {
	r.event.Scan(eventType, event)
	return r.event.Err()
}

// Kind is the kind of the event that was read last.
func (r *Reader) Kind() parleyv1.EventKind { return parleyv1.EventKind(r.event.Int(eventFields.kind)) }

// IsCall reports whether the event has the detail of a call.
func (r *Reader) IsCall() bool { return r.event.Has(eventFields.call) }

// HasName reports whether the event has a name. An event without one is only a part of a turn, as TurnPart returns it.
func (r *Reader) HasName() bool { return r.event.Text(eventFields.name) != "" }

// TurnPart returns the fields of a prompt or an answer that a turn needs, without a name; nil for all other events. It holds nothing of the
// event's memory.
func (r *Reader) TurnPart() *parleyv1.Event {
	kind := r.Kind()
	if kind != parleyv1.EventKind_EVENT_KIND_PROMPT && kind != parleyv1.EventKind_EVENT_KIND_ANSWER {
		return nil
	}
	r.event.Sub(eventFields.copilot, &r.detail)
	r.event.Sub(eventFields.actor, &r.actor)
	own := func(m *wire.Message, number protowire.Number) string { return strings.Clone(m.Text(number)) }
	part := &parleyv1.Event{
		Uid: own(&r.event, eventFields.uid), Version: r.event.Int(eventFields.version), Owner: own(&r.event, eventFields.owner), Kind: kind,
		CorrelationId: own(&r.event, eventFields.correlationID), Conversation: own(&r.event, eventFields.conversation),
		Detail: &parleyv1.Event_Copilot{Copilot: &parleyv1.CopilotDetail{
			AppClass: own(&r.detail, copilotFields.appClass), SessionId: own(&r.detail, copilotFields.sessionID),
		}},
	}
	if at, ok := r.event.Time(eventFields.createTime); ok {
		part.CreateTime = timestamppb.New(at)
	}
	if !r.actor.Has(identitySetFields.user) && r.actor.Has(identitySetFields.application) {
		part.Actor = &parleyv1.IdentitySet{Application: &parleyv1.Identity{}}
	}
	return part
}

// EventRow returns the row of the event. The error says which event has a field that cannot be read.
func (r *Reader) EventRow() (Event, error) {
	e, f := &r.event, &eventFields
	e.Sub(f.source, &r.source)
	e.Sub(f.summary, &r.summary)
	row := Event{
		UID: e.Text(f.uid), Version: e.Int(f.version), UserID: UserID(e.Text(f.owner)), Name: e.Text(f.name), Kind: r.Kind().String(),
		Source: r.source.Enum(sourceFields.source), SourceID: r.source.Text(sourceFields.id), ChatID: r.source.Text(sourceFields.chatID),
		APIVersion: r.source.Text(sourceFields.apiVersion), ETag: r.source.Text(sourceFields.etag),
		ConversationID: lastPart(e.Text(f.conversation)), ReplyTo: e.Text(f.replyTo), ReplyConversationID: lastPart(e.Text(f.replyToConversation)),
		CorrelationID: e.Text(f.correlationID),
		SummaryText:   r.summary.Text(summaryFields.text), SummaryKey: r.summary.Text(summaryFields.templateKey),
		Importance: enumField(e, f.importance, f.importanceOther), Locale: e.Text(f.locale), WebURL: e.Text(f.webURL),
		OutOfWindow: e.Int(f.outOfWindow) != 0, TruncatedFields: e.Texts(f.truncatedFields), Run: r.run,
	}
	row.EventTime, row.EventTimeText = timeField(e, f.eventTime)
	row.CreateTime, row.CreateTimeText = timeField(e, f.createTime)
	row.UpdateTime, row.UpdateTimeText = timeField(e, f.updateTime)
	row.EditTime, row.EditTimeText = timeField(e, f.editTime)
	row.DeleteTime, row.DeleteTimeText = timeField(e, f.deleteTime)
	row.EventDate = DateOf(row.EventTime)
	if e.Sub(f.actor, &r.actor) {
		r.actorColumns(&row)
	}
	if e.Sub(f.body, &r.body) {
		row.ContentType = enumField(&r.body, bodyFields.contentType, bodyFields.contentTypeOther)
		row.Content, row.PlainText = r.body.Text(bodyFields.content), r.body.Text(bodyFields.plainText)
		row.ContentSize = new(int32(r.body.Int(bodyFields.contentSize)))
	}
	r.detailColumns(&row)
	for _, m := range []*wire.Message{e, &r.source, &r.summary, &r.actor, &r.identity, &r.body, &r.detail, &r.system, &r.channel} {
		if err := m.Err(); err != nil {
			return Event{}, fmt.Errorf("event %s: %w", row.UID, err)
		}
	}
	return row, nil
}

// actorColumns fills the columns of the actor, by the first identity that the actor has.
func (r *Reader) actorColumns(row *Event) {
	for _, known := range []struct {
		kind   string
		number protowire.Number
	}{
		{"user", identitySetFields.user},
		{"application", identitySetFields.application},
		{"guest", identitySetFields.guest},
		{"phone", identitySetFields.phone},
		{"device", identitySetFields.device},
	} {
		if !r.actor.Sub(known.number, &r.identity) {
			continue
		}
		row.ActorKind = known.kind
		row.ActorID, row.ActorDisplayName, row.ActorTenantID = r.identity.Text(identityFields.id), r.identity.Text(identityFields.displayName), r.identity.Text(identityFields.tenantID)
		row.ActorIdentityType = enumField(&r.identity, identityFields.identityType, identityFields.identityTypeOther)
		return
	}
}

// detailColumns fills the columns of the detail, and all columns that hold JSON.
func (r *Reader) detailColumns(row *Event) {
	e, f := &r.event, &eventFields
	columns := jsonColumns{text: r.json[:0]}
	columns.add(&row.Actor, e, f.actor)
	columns.add(&row.Attachments, e, f.attachments)
	columns.add(&row.Mentions, e, f.mentions)
	columns.add(&row.Links, e, f.links)
	columns.add(&row.Unmapped, e, f.unmapped)
	switch d := &r.detail; {
	case e.Sub(f.copilot, d):
		row.AppClass, row.SessionID, row.RequestID = d.Text(copilotFields.appClass), d.Text(copilotFields.sessionID), d.Text(copilotFields.requestID)
		row.InteractionType = enumField(d, copilotFields.interactionType, copilotFields.interactionTypeOther)
		columns.add(&row.Contexts, d, copilotFields.contexts)
		columns.add(&row.Detail, e, f.copilot)
	case e.Sub(f.chat, d):
		r.messageColumns(row, d)
		columns.add(&row.Reactions, d, chatFields.reactions)
		columns.add(&row.Detail, e, f.chat)
	case e.Sub(f.system, &r.system):
		row.SystemEventType = r.system.Text(systemFields.eventType)
		r.system.Sub(systemFields.message, d)
		r.messageColumns(row, d)
		columns.add(&row.Reactions, d, chatFields.reactions)
		columns.add(&row.Detail, e, f.system)
	case e.Sub(f.call, d):
		r.callColumns(row, d)
		columns.add(&row.Detail, e, f.call)
	}
	r.json = columns.text
	columns.fill()
}

// jsonColumns are the columns of a row that have JSON. Their texts are parts of one string, which takes one allocation for all of them.
type jsonColumns struct {
	text    []byte
	columns [8]*string
	ends    [8]int // of each column in text
	n       int
}

// add writes the JSON of a field for a column; fill gives it to the column.
func (c *jsonColumns) add(column *string, from *wire.Message, number protowire.Number) {
	c.text = from.AppendField(c.text, number)
	c.columns[c.n], c.ends[c.n] = column, len(c.text)
	c.n++
}

// fill gives each column its text.
func (c *jsonColumns) fill() {
	text, begin := string(c.text), 0
	for i := range c.n {
		*c.columns[i] = text[begin:c.ends[i]]
		begin = c.ends[i]
	}
}

// callColumns fills the columns of a call from its detail.
func (r *Reader) callColumns(row *Event, d *wire.Message) {
	row.CallType, row.CallPartial = enumField(d, callFields.callType, callFields.callTypeOther), new(d.Int(callFields.partial) != 0)
	if d.Has(callFields.recordVersion) {
		row.RecordVersion = new(d.Int(callFields.recordVersion))
	}
	row.CallStartTime, _ = timeField(d, callFields.startTime)
	row.CallEndTime, _ = timeField(d, callFields.endTime)
	row.CallJoinURL = d.Text(callFields.joinWebURL)
	for _, modality := range d.Ints(callFields.modalities) {
		row.CallModalities = append(row.CallModalities, parleyv1.Modality(modality).String())
	}
}

// messageColumns fills the columns of a chat message from its detail; a system event has one, too.
func (r *Reader) messageColumns(row *Event, d *wire.Message) {
	row.MessageType, row.Subject = enumField(d, chatFields.messageType, chatFields.messageTypeOther), d.Text(chatFields.subject)
	d.Sub(chatFields.channel, &r.channel)
	row.TeamID, row.ChannelID = r.channel.Text(channelFields.teamID), r.channel.Text(channelFields.channelID)
}

// enumField returns what enumOf does, of two fields of m.
func enumField(m *wire.Message, member, other protowire.Number) string {
	if name := m.Enum(member); name != "" {
		return name
	}
	return m.Text(other)
}

// timeField returns the time of a field in microseconds, and its text where it is finer; nil for none.
func timeField(m *wire.Message, number protowire.Number) (*time.Time, string) {
	at, ok := m.Time(number)
	if !ok {
		return nil, ""
	}
	return micros(at)
}
