package rest

import (
	"errors"
	"net/http"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/parley-gateway/parley/eventwire/wirejson"
	"github.com/parley-gateway/parley/timeline"
)

// lines is the state of the lines of a stream.
type lines struct {
	token   string // of the last checkpoint, or of the summary
	hasLine bool   // a line was made
	spilled bool   // spill has written the beginning of a line, and the line has no end yet
	buf     []byte
}

const (
	// spillAt is when a part of a long line is written, in bytes: a frame takes little memory, however long its line is.
	spillAt = 128 << 10
	// defaultRetry is how long an EventSource waits before it comes back, unless the error that ends the stream says another time.
	defaultRetry = 3 * time.Second
)

// line returns the line of the frame that the stream sent last, without the beginning that spill has written. It is valid until the
// next one.
func (c *call) line(m marshaler) ([]byte, error) {
	l := &c.lines
	fr, err := readFrame(c.rpc.Answer)
	if err != nil {
		return nil, err
	}
	b := l.buf[:0]
	if m.sse && !l.hasLine {
		b = appendRetry(b, defaultRetry)
	}
	b = m.lineHead(b, fr.kind, fr.token)
	if fr.message == nil {
		b, err = wirejson.AppendBatch(b, fr.runs, c.spill)
	} else {
		b, err = wirejson.Append(b, fr.message)
	}
	if err != nil {
		return nil, c.lineError(err)
	}
	b = m.lineEnd(b)
	l.hasLine, l.spilled = true, false
	if fr.token != "" {
		l.token = fr.token
	}
	if l.buf = b; cap(b) > 2*spillAt {
		l.buf = nil
	}
	return b, nil
}

// spill writes the beginning of a long line.
func (c *call) spill(b []byte) ([]byte, error) {
	if len(b) < spillAt {
		return b, nil
	}
	c.lines.spilled = true
	_, err := c.out.Write(b)
	return b[:0], err
}

// lineError returns the error of a line that could not be made. A line whose beginning is written can be neither completed nor
// followed by an error: the connection breaks.
func (c *call) lineError(err error) error {
	if c.lines.spilled && !c.out.writeFailed {
		c.logger.WarnContext(c.ctx, "a stream broke off within a frame")
		panic(http.ErrAbortHandler) //nolint:forbidigo // net/http's way to break a connection
	}
	return err
}

// frame is the message of a frame, of any of the streams, and what its line begins with.
type frame struct {
	message proto.Message
	// runs are the lists of events of an encoded batch; message is nil then.
	runs [][]byte
	// kind is the JSON name of the member that is set: batch, notice, checkpoint, summary or, over users, user.
	kind string
	// token is the resume token of a checkpoint or summary.
	token string
}

// readFrame returns the frame of a stream message, or of an encoded batch.
func readFrame(part any) (frame, error) {
	if batch, ok := part.(*timeline.Batch); ok {
		return frame{kind: "batch", runs: batch.Runs}, nil
	}
	message, ok := part.(proto.Message)
	if !ok {
		return frame{}, errFrame
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

var errFrame = errors.New("rest: not a frame")
