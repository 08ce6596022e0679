package source

import (
	"bytes"
	"math"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/resource"
	"github.com/parley-gateway/parley/source/graphmap"
	"github.com/parley-gateway/parley/source/text"
)

// A record of the usual shape becomes wire bytes by way of a draft, without messages; any other goes through mapEvent.
// The functions here do for drafts what those of the same purpose do for messages, and tests compare the two.

// draft begins the draft of a record; ok is false if the record needs mapEvent.
func (b *base) draft(root string, record []byte) (table *graphmap.Table, d *graphmap.Draft, ok bool) {
	table, err := b.table()
	if err != nil {
		return nil, nil, false
	}
	if d, ok = table.Draft(root, record); !ok {
		return nil, nil, false
	}
	d.SetNumber(graphmap.SourceNode, sourceSource, int64(sourceOf(b.label)))
	d.SetString(graphmap.SourceNode, sourceAPIVersion, b.opt.Version)
	return table, d, true
}

// finishDraft fills the names, digests and event time, and makes the item; see finish. at is the event time.
func (b *base) finishDraft(d *graphmap.Draft, owner, conversation string, ref resource.Ref, record []byte, at time.Time, timed bool) Item {
	var of exchange
	if ref.Source == parleyv1.Source_SOURCE_COPILOT {
		detail := graphmap.DetailNode
		of = exchangeOf(parleyv1.InteractionType(d.Number(d.Child(detail, copilotInteractionType))),
			textOf(d, detail, copilotInteractionTypeOther), textOf(d, detail, copilotRequestID))
	}
	item := Item{Key: eventKey(owner, ref, of, record), NoTime: !timed}
	d.SetBuilt(graphmap.RootNode, eventName, func(to []byte) []byte { return resource.AppendEvent(to, owner, ref) })
	d.SetBuilt(graphmap.RootNode, eventUIDField, func(to []byte) []byte { return appendEventUID(to, b.opt.Tenant, ref.Source, item.Key) })
	d.SetBuilt(graphmap.RootNode, eventOwner, func(to []byte) []byte { return resource.AppendUser(to, owner) })
	if conversation != "" {
		d.SetBuilt(graphmap.RootNode, eventConversation, func(to []byte) []byte { return resource.AppendConversation(to, owner, conversation) })
	}
	if timed {
		item.Time = at
		d.SetTime(graphmap.RootNode, eventTime, at)
	}
	item.Created, _ = d.Time(d.Child(graphmap.RootNode, eventCreateTime))
	item.Version = d.Number(d.Child(graphmap.RootNode, eventVersion))
	draftTexts(d)
	item.Basic, item.Unmapped = d.Encode()
	return item
}

// draftTexts is fillTexts.
func draftTexts(d *graphmap.Draft) {
	var attachments []text.Attachment
	body := d.Child(graphmap.RootNode, eventBody)
	for a := d.Child(graphmap.RootNode, eventAttachments); a != graphmap.NoNode; a = d.Sibling(a) {
		content := d.Text(d.Child(a, attachmentContent))
		d.SetNumber(a, attachmentContentSize, sizeOf(content))
		if body != graphmap.NoNode {
			attachments = append(attachments, text.Attachment{
				ID: textOf(d, a, attachmentID), Name: textOf(d, a, attachmentName), ContentType: textOf(d, a, attachmentContentType),
				ContentURL: textOf(d, a, attachmentContentURL), Content: string(content),
			})
		}
	}
	if body == graphmap.NoNode {
		return
	}
	content := d.Text(d.Child(body, bodyContent))
	form := contentTypeOf(parleyv1.ContentType(d.Number(d.Child(body, bodyMessageContentType))),
		parleyv1.ContentType(d.Number(d.Child(body, bodyContentType))))
	answer := parleyv1.EventKind(d.Number(d.Child(graphmap.RootNode, eventKind))) == parleyv1.EventKind_EVENT_KIND_ANSWER
	d.SetNumber(body, bodyContentSize, sizeOf(content))
	d.SetBuilt(body, bodyPlainText, func(to []byte) []byte {
		return text.AppendPlain(to, text.Input{Content: string(content), ContentType: form, Attachments: attachments, Answer: answer})
	})
}

func sizeOf(content []byte) int64 { return int64(min(len(content), math.MaxInt32)) }

// textOf is the text of a field of a message.
func textOf(d *graphmap.Draft, parent graphmap.Node, number protowire.Number) string {
	return string(d.Text(d.Child(parent, number)))
}

// millisOf is millis of a time field.
func millisOf(d *graphmap.Draft, at graphmap.Node) int64 {
	t, ok := d.Time(at)
	if !ok {
		return 0
	}
	return max(0, t.UnixMilli())
}

// draftItem is item for a record of the usual shape.
func (c *Chat) draftItem(owner, asked string, byCreateTime bool, record []byte) (Item, bool) {
	const root, detail, src = graphmap.RootNode, graphmap.DetailNode, graphmap.SourceNode
	table, d, ok := c.draft(graphmap.RootChatMessage, record)
	if !ok {
		return Item{}, false
	}
	defer table.Release(d)
	kind := kindOf(parleyv1.MessageType(d.Number(d.Child(detail, chatMessageType))),
		len(d.Text(d.Child(detail, chatMessageTypeOther))) > 0, d.Child(root, eventSystem) != graphmap.NoNode)
	d.SetNumber(root, eventKind, int64(kind))
	created, updated := d.Child(root, eventCreateTime), d.Child(root, eventUpdateTime)
	version := max(etagNumber(textOf(d, src, sourceEtag)), millisOf(d, updated),
		millisOf(d, d.Child(root, eventEditTime)), millisOf(d, d.Child(root, eventDeleteTime)))
	for r := d.Child(detail, chatReactions); r != graphmap.NoNode; r = d.Sibling(r) {
		version = max(version, millisOf(d, d.Child(r, reactionCreateTime)))
	}
	if version == 0 {
		version = millisOf(d, created)
	}
	d.SetNumber(root, eventVersion, version)
	thread := textOf(d, src, sourceChatID)
	if thread == "" {
		thread = textOf(d, d.Child(detail, chatChannel), channelID)
	}
	if thread == "" {
		thread = asked
	}
	at, timed := d.Time(updated)
	if !timed {
		at, timed = d.Time(created)
	}
	draftReply(d, owner, thread)
	ref := resource.Ref{Source: parleyv1.Source_SOURCE_CHAT, Chat: thread, ID: textOf(d, src, sourceID)}
	item := c.finishDraft(d, owner, thread, ref, record, at, timed)
	if byCreateTime && !item.Created.IsZero() {
		item.Time, item.NoTime = item.Created, false
	}
	return item, true
}

// draftItem is item for a record of the usual shape.
func (c *Copilot) draftItem(owner string, record []byte) (Item, bool) {
	const root, detail, src = graphmap.RootNode, graphmap.DetailNode, graphmap.SourceNode
	table, d, ok := c.draft(graphmap.RootAIInteraction, record)
	if !ok {
		return Item{}, false
	}
	defer table.Release(d)
	kind := interactionKind(parleyv1.InteractionType(d.Number(d.Child(detail, copilotInteractionType))))
	d.SetNumber(root, eventKind, int64(kind))
	d.SetCopy(root, eventCorrelation, d.Child(detail, copilotRequestID))
	created := d.Child(root, eventCreateTime)
	version := etagNumber(textOf(d, src, sourceEtag))
	if version == 0 {
		version = millisOf(d, created)
	}
	d.SetNumber(root, eventVersion, version)
	session := textOf(d, detail, copilotSessionID)
	at, timed := d.Time(created)
	ref := resource.Ref{Source: parleyv1.Source_SOURCE_COPILOT, Session: session, ID: textOf(d, src, sourceID)}
	if timed {
		ref.Time = at
	}
	return c.finishDraft(d, owner, draftThread(d, session), ref, record, at, timed), true
}

// draftThread is interactionThread, of the few fields that it looks at.
func draftThread(d *graphmap.Draft, session string) string {
	detail := &parleyv1.CopilotDetail{SessionId: session}
	for c := d.Child(graphmap.DetailNode, copilotContexts); c != graphmap.NoNode; c = d.Sibling(c) {
		if kind := textOf(d, c, contextType); kind != "" {
			detail.Contexts = append(detail.Contexts, &parleyv1.CopilotContext{ContextType: kind, Reference: textOf(d, c, contextReference)})
		}
	}
	var attachments []*parleyv1.Attachment
	for a := d.Child(graphmap.RootNode, eventAttachments); a != graphmap.NoNode; a = d.Sibling(a) {
		if kind := d.Text(d.Child(a, attachmentContentType)); bytes.EqualFold(kind, []byte(attachmentReference)) {
			attachments = append(attachments, &parleyv1.Attachment{
				ContentType: string(kind), Id: textOf(d, a, attachmentID), ContentUrl: textOf(d, a, attachmentContentURL),
			})
		}
	}
	return interactionThread(detail, attachments)
}

// draftItem is item for a record of the usual shape.
func (c *Call) draftItem(owner string, record []byte, partial bool) (Item, bool) {
	const root, detail, src = graphmap.RootNode, graphmap.DetailNode, graphmap.SourceNode
	table, d, ok := c.draft(graphmap.RootCallRecord, record)
	if !ok {
		return Item{}, false
	}
	defer table.Release(d)
	if partial {
		d.SetNumber(detail, callPartial, 1)
	}
	thread := threadOf(textOf(d, detail, callJoinWebURL))
	d.SetString(detail, callJoinThreadID, thread)
	d.SetNumber(root, eventKind, int64(parleyv1.EventKind_EVENT_KIND_CALL))
	d.SetNumber(root, eventVersion, d.Number(d.Child(detail, callRecordVersion)))
	start := d.Child(detail, callStart)
	d.SetCopy(root, eventCreateTime, start)
	actor := d.Child(d.Child(detail, callOrganizer), participantIdentity)
	if actor == graphmap.NoNode {
		actor = d.Child(detail, callLegacyOrganizer)
	}
	d.SetCopy(root, eventActor, actor)
	at, timed := d.Time(start)
	ref := resource.Ref{Source: parleyv1.Source_SOURCE_CALL, ID: textOf(d, src, sourceID)}
	return c.finishDraft(d, owner, thread, ref, record, at, timed), true
}
