package rest

import (
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// frame is what a stream writer must know of a frame message, whichever of the three streams it is of.
type frame struct {
	message proto.Message
	// list is the list of events of a batch that is not in message.
	list []byte
	// kind is the JSON name of the member that is set: batch, notice, checkpoint, summary.
	kind string
	// token is the resume token of a checkpoint or summary.
	token string
	// last is true for a summary.
	last bool
}

// readFrame reads the oneof `frame` of a message.
func readFrame(message proto.Message) frame {
	f := frame{message: message}
	m := message.ProtoReflect()
	oneof := m.Descriptor().Oneofs().ByName("frame")
	if oneof == nil {
		return f
	}
	field := m.WhichOneof(oneof)
	if field == nil {
		return f
	}
	f.kind = field.JSONName()
	f.last = field.Name() == "summary"
	body := m.Get(field).Message()
	if token := body.Descriptor().Fields().ByName(resumeField); token != nil && token.Kind() == protoreflect.StringKind {
		f.token = body.Get(token).String()
	}
	return f
}
