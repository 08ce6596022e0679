package rest

import (
	"errors"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/server/wirejson"
	"github.com/parley-gateway/parley/timeline"
)

// frame is what a stream writer must know of a frame message, whichever of the three streams it is of.
type frame struct {
	message proto.Message
	// pieces make the list of events of a batch that is bytes; message is nil then.
	pieces [][]byte
	// kind is the JSON name of the member that is set: batch, notice, checkpoint, summary.
	kind string
	// token is the resume token of a checkpoint or summary.
	token string
}

// readFrame reads the oneof `frame` of a message; a batch of encoded events is a frame itself.
func readFrame(part any) (frame, error) {
	if batch, ok := part.(timeline.Batch); ok {
		return frame{kind: "batch", pieces: batch.Pieces}, nil
	}
	message, ok := part.(proto.Message)
	if !ok {
		return frame{}, errFrame
	}
	if events, ok := message.(*parleyv1.StreamEventsResponse); ok {
		if batch := events.GetBatch(); batch != nil && len(batch.GetEvents()) == 0 {
			if list := batch.ProtoReflect().GetUnknown(); len(list) > 0 {
				return frame{kind: "batch", pieces: [][]byte{list}}, nil
			}
		}
	}
	f := frame{message: message}
	m := message.ProtoReflect()
	oneof := m.Descriptor().Oneofs().ByName("frame")
	if oneof == nil {
		return f, nil
	}
	field := m.WhichOneof(oneof)
	if field == nil {
		return f, nil
	}
	f.kind = field.JSONName()
	body := m.Get(field).Message()
	if token := body.Descriptor().Fields().ByName(resumeField); token != nil && token.Kind() == protoreflect.StringKind {
		f.token = body.Get(token).String()
	}
	return f, nil
}

// Events are written as JSON from their bytes and never become messages here.

// eventList is the number of the list field `events`, of batches and of List answers; a test compares it with the contract.
const eventList = 1

var errFrame = errors.New("rest: events that cannot be read")

// appendList writes the events of a list field, separated by commas. After each event, which begins at from, step may do
// with the text what it will.
func appendList(b, list []byte, events *wirejson.Wire, step func(b []byte, from int) ([]byte, error)) ([]byte, error) {
	for first := true; len(list) > 0; first = false {
		number, kind, n := protowire.ConsumeTag(list)
		if n < 0 || number != eventList || kind != protowire.BytesType {
			return b, errFrame
		}
		event, m := protowire.ConsumeBytes(list[n:])
		if m < 0 {
			return b, errFrame
		}
		if !first {
			b = append(b, ',')
		}
		from := len(b)
		var err error
		if b, err = events.Append(b, event); err != nil {
			return b, err
		}
		if step != nil {
			if b, err = step(b, from); err != nil {
				return b, err
			}
		}
		list = list[n+m:]
	}
	return b, nil
}

// What is around the events of a batch.
const (
	batchHead = `{"batch":{"events":[`
	batchTail = `]}}`
)

// appendBatch writes the JSON of a frame that is a batch of events.
func appendBatch(b []byte, pieces [][]byte, events *wirejson.Wire, step func(b []byte, from int) ([]byte, error)) ([]byte, error) {
	b = append(b, batchHead...)
	for i, list := range pieces {
		if i > 0 && len(list) > 0 {
			b = append(b, ',')
		}
		var err error
		if b, err = appendList(b, list, events, step); err != nil {
			return b, err
		}
	}
	return append(b, batchTail...), nil
}
