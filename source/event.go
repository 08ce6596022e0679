package source

import (
	"math"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/parley-gateway/parley/eventwire"
	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/resource"
	"github.com/parley-gateway/parley/source/graphmap"
	"github.com/parley-gateway/parley/source/plaintext"
)

// A record becomes wire bytes by way of a draft, without messages.
const (
	eventRoot   = graphmap.RootNode
	eventDetail = graphmap.DetailNode
	eventSource = graphmap.SourceNode
)

// draft begins the draft of a record.
func (b *base) draft(root string, record []byte) (*graphmap.Draft, error) {
	table, err := b.table()
	if err != nil {
		return nil, err
	}
	d, err := table.Draft(root, record)
	if err != nil {
		return nil, malformed("a record cannot be read", err)
	}
	d.AddNumber(eventSource, eventwire.EventSourceSource, int64(b.api.Source))
	d.AddString(eventSource, eventwire.EventSourceAPIVersion, b.opt.Version)
	return d, nil
}

// eventIdentity says what an event is: the owner of its name, its conversation, the record that it is made of, and its time.
type eventIdentity struct {
	owner, conversation string
	ref                 resource.Ref
	interaction         interactionKey
	record              []byte
	time                time.Time
	timed               bool // time is the event's; a record without a usable time has none
}

// item fills the names, digests, texts and event time of a draft, and encodes it.
func (b *base) item(d *graphmap.Draft, id eventIdentity) Item {
	item := Item{Key: eventKey(id.owner, id.ref, id.interaction, id.record), NoTime: !id.timed}
	d.AddBuilt(eventRoot, eventwire.EventName, func(to []byte) []byte { return resource.AppendEvent(to, id.owner, id.ref) })
	d.AddBuilt(eventRoot, eventwire.EventUID, func(to []byte) []byte { return appendEventUID(to, b.opt.Tenant, id.ref.Source, item.Key) })
	d.AddBuilt(eventRoot, eventwire.EventOwner, func(to []byte) []byte { return resource.AppendUser(to, id.owner) })
	if id.conversation != "" {
		d.AddBuilt(eventRoot, eventwire.EventConversation, func(to []byte) []byte { return resource.AppendConversation(to, id.owner, id.conversation) })
	}
	if id.timed {
		item.Time = id.time
		d.AddTime(eventRoot, eventwire.EventEventTime, id.time)
	}
	item.Created, _ = d.Time(d.Child(eventRoot, eventwire.EventCreateTime))
	item.Version = d.Number(d.Child(eventRoot, eventwire.EventVersion))
	fillTexts(d)
	fillSummary(d, id.conversation)
	item.Basic, item.Unmapped = d.Encode()
	return item
}

// fillTexts derives the plain text and the sizes that every view tells.
func fillTexts(d *graphmap.Draft) {
	var attachments []plaintext.Attachment
	body := d.Child(eventRoot, eventwire.EventBody)
	for a := d.Child(eventRoot, eventwire.EventAttachments); a != graphmap.NoNode; a = d.Sibling(a) {
		content := d.Text(d.Child(a, eventwire.AttachmentContent))
		d.AddNumber(a, eventwire.AttachmentContentSize, int64(size(len(content))))
		if body != graphmap.NoNode {
			attachments = append(attachments, plaintext.Attachment{
				ID: textOf(d, a, eventwire.AttachmentID), Name: textOf(d, a, eventwire.AttachmentName), ContentType: textOf(d, a, eventwire.AttachmentContentType),
				ContentURL: textOf(d, a, eventwire.AttachmentContentURL), Content: string(content),
			})
		}
	}
	if body == graphmap.NoNode {
		return
	}
	content := d.Text(d.Child(body, eventwire.BodyContent))
	form := contentType(parleyv1.ContentType(d.Number(d.Child(body, eventwire.BodyMessageBodyContentType))),
		parleyv1.ContentType(d.Number(d.Child(body, eventwire.BodyContentType))))
	answer := parleyv1.EventKind(d.Number(d.Child(eventRoot, eventwire.EventKind))) == parleyv1.EventKind_EVENT_KIND_ANSWER
	d.AddNumber(body, eventwire.BodyContentSize, int64(size(len(content))))
	d.AddBuilt(body, eventwire.BodyPlainText, func(to []byte) []byte {
		return plaintext.AppendPlain(to, plaintext.Input{Content: string(content), ContentType: form, Attachments: attachments, Answer: answer})
	})
}

// contentType is how a body is written; the finer type of the beta generation alone can say Markdown.
func contentType(finer, plain parleyv1.ContentType) string {
	if finer == parleyv1.ContentType_CONTENT_TYPE_MARKDOWN {
		return "markdown"
	}
	switch plain {
	case parleyv1.ContentType_CONTENT_TYPE_HTML:
		return "html"
	case parleyv1.ContentType_CONTENT_TYPE_MARKDOWN:
		return "markdown"
	default:
		return "text"
	}
}

// size is a number of bytes as the model has it.
func size(n int) int32 { return int32(min(n, math.MaxInt32)) }

// textOf is the text of a field of a message.
func textOf(d *graphmap.Draft, parent graphmap.Node, number protowire.Number) string {
	return string(d.Text(d.Child(parent, number)))
}

// millisOf is a time in milliseconds since 1970; 0 for an absent or earlier one.
func millisOf(d *graphmap.Draft, at graphmap.Node) int64 {
	t, ok := d.Time(at)
	if !ok {
		return 0
	}
	return max(0, t.UnixMilli())
}

// etagNumber reads an entity tag of Teams and Copilot, a number of milliseconds, in quotes or not; 0 for any other.
func etagNumber(etag string) int64 {
	n, err := strconv.ParseInt(strings.Trim(strings.TrimPrefix(etag, "W/"), `"`), 10, 64)
	if err != nil || n < 0 {
		return 0
	}
	return n
}
