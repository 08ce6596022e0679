package wirejson

import (
	"bytes"
	"errors"

	"github.com/parley-gateway/parley/eventwire"
	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
)

// events is the encoder of events.
var events = NewEncoder((*parleyv1.Event)(nil).ProtoReflect().Type())

// What precedes and follows the events of a frame that is a batch, and what begins a List answer without events.
const (
	batchHead = `{"batch":{"events":[`
	batchTail = `]}}`
	emptyList = `{"events":[]`
)

var errAnswer = errors.New("wirejson: a List answer that does not begin with its events")

// AppendBatch appends the JSON of a stream frame that is a batch of encoded events, given as one list or several. After each
// event it calls spill, if there is one, with the text so far: spill may write it and return an empty one.
func AppendBatch(b []byte, lists [][]byte, spill func(b []byte) ([]byte, error)) ([]byte, error) {
	b = append(b, batchHead...)
	for i, list := range lists {
		if i > 0 && len(list) > 0 {
			b = append(b, ',')
		}
		var err error
		if b, err = appendList(b, list, spill); err != nil {
			return b, err
		}
	}
	return append(b, batchTail...), nil
}

// AppendAnswer appends the JSON of a List answer whose events are the given list, and not in the message.
func AppendAnswer(b []byte, answer *parleyv1.ListEventsResponse, list []byte) ([]byte, error) {
	b, err := appendList(append(b, emptyList[:len(emptyList)-1]...), list, nil)
	if err != nil {
		return b, err
	}
	b = append(b, ']')
	here := len(b)
	if b, err = Append(b, answer); err != nil {
		return b, err
	}
	if !bytes.HasPrefix(b[here:], []byte(emptyList)) {
		return b, errAnswer
	}
	return append(b[:here], b[here+len(emptyList):]...), nil
}

// appendList appends the events of a list, separated by commas.
func appendList(b, list []byte, spill func(b []byte) ([]byte, error)) ([]byte, error) {
	first := true
	for event, err := range eventwire.Events(list) {
		if err != nil {
			return b, err
		}
		if !first {
			b = append(b, ',')
		}
		first = false
		if b, err = events.Append(b, event); err != nil {
			return b, err
		}
		if spill == nil {
			continue
		}
		if b, err = spill(b); err != nil {
			return b, err
		}
	}
	return b, nil
}
