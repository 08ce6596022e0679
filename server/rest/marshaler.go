package rest

import (
	"errors"
	"io"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/protobuf/proto"

	"github.com/parley-gateway/parley/server/wirejson"
)

// marshaler is wirejson for the gateway. Nothing is read by it: every method is a GET without a body.
type marshaler struct{}

var _ runtime.Marshaler = marshaler{}

var (
	errNotProto = errors.New("rest: not a message")
	errReadOnly = errors.New("rest: bodies are not read")
)

// Marshal writes a message and a line end.
func (marshaler) Marshal(v any) ([]byte, error) {
	message, ok := v.(proto.Message)
	if !ok {
		return nil, errNotProto
	}
	b, err := wirejson.Marshal(message)
	if err != nil {
		return nil, err
	}
	return append(b, '\n'), nil
}

// Unmarshal fails.
func (marshaler) Unmarshal([]byte, any) error { return errReadOnly }

// NewDecoder returns a decoder that fails.
func (marshaler) NewDecoder(io.Reader) runtime.Decoder {
	return runtime.DecoderFunc(func(any) error { return errReadOnly })
}

// NewEncoder returns an encoder of messages, one a line.
func (m marshaler) NewEncoder(w io.Writer) runtime.Encoder {
	return runtime.EncoderFunc(func(v any) error {
		b, err := m.Marshal(v)
		if err != nil {
			return err
		}
		_, err = w.Write(b)
		return err
	})
}

// ContentType is that of JSON, whatever is written.
func (marshaler) ContentType(any) string { return jsonType }
