package source

import (
	"context"
	"math"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/graphclient"
	"github.com/parley-gateway/parley/resource"
	"github.com/parley-gateway/parley/source/text"
)

// mapEvent maps one record with the table.
func (b *base) mapEvent(root string, record []byte) (*parleyv1.Event, error) {
	table, err := b.table()
	if err != nil {
		return nil, err
	}
	event, err := table.Event(root, record)
	if err != nil {
		return nil, malformed("a record cannot be read", err)
	}
	event.Source.Source = sourceOf(b.label)
	event.Source.ApiVersion = b.opt.Version
	return event, nil
}

// finish fills the names, digests and event time, and makes the item. times are tried in order.
func (b *base) finish(
	event *parleyv1.Event, owner, conversation string, ref resource.Ref, record []byte, times ...*timestamppb.Timestamp,
) (Item, error) {
	detail := event.GetCopilot()
	of := exchangeOf(detail.GetInteractionType(), detail.GetInteractionTypeOther(), detail.GetRequestId())
	key := eventKey(owner, ref, of, record)
	event.Name = resource.Event(owner, ref)
	event.Uid = eventUID(b.opt.Tenant, ref.Source, key)
	event.Owner = resource.User(owner)
	if conversation != "" {
		event.Conversation = resource.Conversation(owner, conversation)
	}
	fillTexts(event)
	var at time.Time
	for _, t := range times {
		if t.IsValid() {
			event.EventTime = timestamppb.New(t.AsTime())
			at = t.AsTime()
			break
		}
	}
	item, err := NewItem(event)
	item.Key, item.Time, item.NoTime = key, at, event.GetEventTime() == nil
	return item, err
}

// fillTexts derives the plain text and the sizes that every view tells.
func fillTexts(event *parleyv1.Event) {
	for _, a := range event.GetAttachments() {
		a.ContentSize = size(a.GetContent())
	}
	fillBody(event.GetBody(), event.GetAttachments(), event.GetKind() == parleyv1.EventKind_EVENT_KIND_ANSWER)
}

// fillBody derives the plain text of a body. answer is true for what Copilot wrote.
func fillBody(body *parleyv1.Body, attachments []*parleyv1.Attachment, answer bool) {
	if body == nil {
		return
	}
	body.ContentSize = size(body.GetContent())
	in := text.Input{Content: body.GetContent(), ContentType: contentType(body), Answer: answer}
	for _, a := range attachments {
		in.Attachments = append(in.Attachments, text.Attachment{
			ID: a.GetId(), Name: a.GetName(), ContentType: a.GetContentType(), ContentURL: a.GetContentUrl(), Content: a.GetContent(),
		})
	}
	body.PlainText = text.Plain(in)
}

// contentType is how the body is written; the finer type of the beta generation alone can say Markdown.
func contentType(body *parleyv1.Body) string {
	return contentTypeOf(body.GetMessageBodyContentType(), body.GetContentType())
}

func contentTypeOf(finer, plain parleyv1.ContentType) string {
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

func size(s string) int32 { return int32(min(len(s), math.MaxInt32)) }

// etagNumber reads an entity tag of Teams and Copilot, a number of milliseconds, in quotes or not; 0 for any other.
func etagNumber(etag string) int64 {
	n, err := strconv.ParseInt(strings.Trim(strings.TrimPrefix(etag, "W/"), `"`), 10, 64)
	if err != nil || n < 0 {
		return 0
	}
	return n
}

// millis is a time in milliseconds since 1970; 0 for an absent or earlier one.
func millis(t *timestamppb.Timestamp) int64 {
	if !t.IsValid() {
		return 0
	}
	return max(0, t.AsTime().UnixMilli())
}

// asTime is the time of t, or zero when it is absent or invalid.
func asTime(t *timestamppb.Timestamp) time.Time {
	if !t.IsValid() {
		return time.Time{}
	}
	return t.AsTime()
}

// itemsOf normalizes the records of a page and releases it: what normalize returns must not alias the record. It stops when
// nobody waits for the page any more.
func itemsOf[T any](ctx context.Context, p *graphclient.Page, normalize func(record []byte) (T, error)) (*Page[T], error) {
	defer p.Release()
	page := newPage[T](p)
	for _, record := range p.Records {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		item, err := normalize(record)
		if err != nil {
			return nil, err
		}
		page.Items = append(page.Items, item)
	}
	return page, nil
}
