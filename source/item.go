package source

import (
	"time"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/parley-gateway/parley/eventwire"
	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
)

// Item is one event with what the timeline sorts and de-duplicates by.
type Item struct {
	// Time is the event time, by which the timeline orders events.
	Time time.Time
	// Key is equal for the same thing and orders things of one instant; Event.uid is derived from it.
	Key string
	// NoTime marks a record without a usable time; Time is then zero.
	NoTime bool
	// Created is the creation time; zero when the record has none. Version is the event's.
	Created time.Time
	Version int64
	// Basic is the event as protobuf wire bytes, view BASIC; Unmapped is the field that FULL has beyond it, as a field of the
	// event. Both are shared and must not be changed.
	Basic, Unmapped []byte
}

// NewItem makes an item of an event; Time, Key and NoTime are the caller's. An event that cannot be encoded is an error.
func NewItem(event *parleyv1.Event) (Item, error) {
	item := Item{Version: event.GetVersion()}
	if created := event.GetCreateTime(); created.IsValid() {
		item.Created = created.AsTime()
	}
	whole, err := proto.MarshalOptions{Deterministic: true}.Marshal(event)
	if err != nil {
		return item, malformed("an event cannot be encoded", err)
	}
	if event.GetUnmapped() == nil {
		item.Basic = whole
		return item, nil
	}
	item.Basic, item.Unmapped, err = splitUnmapped(whole)
	return item, err
}

// splitUnmapped splits an event into the field unmapped and the rest.
func splitUnmapped(whole []byte) (basic, unmapped []byte, err error) {
	basic = make([]byte, 0, len(whole))
	for len(whole) > 0 {
		number, _, n := protowire.ConsumeField(whole)
		if n < 0 {
			return nil, nil, malformed("an event cannot be encoded", protowire.ParseError(n))
		}
		if number == eventwire.EventUnmapped {
			unmapped = append(unmapped, whole[:n]...)
		} else {
			basic = append(basic, whole[:n]...)
		}
		whole = whole[n:]
	}
	return basic, unmapped, nil
}

// timeByCreation makes the creation time, where the record has one, the time by which the timeline orders the event.
func (i *Item) timeByCreation() {
	if !i.Created.IsZero() {
		i.Time, i.NoTime = i.Created, false
	}
}

// IsZero reports whether the item holds no event.
func (i *Item) IsZero() bool { return i.Basic == nil }

// Event decodes the event, view FULL. The result is the caller's own.
func (i *Item) Event() (*parleyv1.Event, error) {
	event := &parleyv1.Event{}
	for _, part := range [][]byte{i.Basic, i.Unmapped} {
		if err := (proto.UnmarshalOptions{Merge: true}).Unmarshal(part, event); err != nil {
			return nil, malformed("an encoded event cannot be read", err)
		}
	}
	return event, nil
}
