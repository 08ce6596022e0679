package conformance

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
)

// script is one play of a case: it knows which connection is next, checks each call, and collects the problems.
type script struct {
	c    *Case
	sent atomic.Int64 // bytes of frames that the transport has taken

	mu       sync.Mutex
	next     int           // connections that have come
	open     int           // connections that are being played
	printed  int           // items that the driver has printed
	changed  chan struct{} // closed and replaced when open or printed changes
	ended    time.Time     // end of the last connection
	problems []string
}

func newScript(c *Case) *script { return &script{c: c, changed: make(chan struct{})} }

// extraFields says whether the messages of a frame get fields that the contract does not have.
type extraFields bool

const (
	withUnknown extraFields = true
	asItIs      extraFields = false
)

// link is one connection, over gRPC or REST.
type link interface { //nolint:interfacebloat // the ways in which a connection goes on and ends
	// send sends a frame; a frame without a message is sent as one of an unknown kind.
	send(frame *parleyv1.StreamEventsResponse, extra extraFields) error
	// fail ends the call with an error.
	fail(st *status.Status) error
	// cut ends the connection, after a part of a frame if torn.
	cut(torn bool) error
	// reset ends the connection at once.
	reset() error
	// flush makes sure that everything that was sent goes out.
	flush()
}

// complainf notes that something is wrong.
func (s *script) complainf(format string, values ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.problems = append(s.problems, fmt.Sprintf(format, values...))
}

// notify wakes all who wait for a change. The caller holds mu.
func (s *script) notify() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// wait waits until a condition holds. It calls the condition with mu held.
func (s *script) wait(ctx context.Context, condition func() bool) error {
	for {
		s.mu.Lock()
		holds, changed := condition(), s.changed
		s.mu.Unlock()
		if holds {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// print notes that the driver has printed an item.
func (s *script) print() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.printed++
	s.notify()
}

// play plays the next connection of the case for a call.
func (s *script) play(ctx context.Context, request *parleyv1.StreamEventsRequest, authorization string, over link, replace func()) error {
	s.mu.Lock()
	number, came, ended := s.next, time.Now(), s.ended
	s.next++
	s.open++
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.open--
		s.notify()
	}()
	if number >= len(s.c.Connections) {
		s.complainf("connection %d comes, but the case has %d", number+1, len(s.c.Connections))
		return over.reset()
	}
	connection := &s.c.Connections[number]
	for _, problem := range s.differences(connection.Expect, request, authorization, came.Sub(ended)) {
		s.complainf("connection %d: %s", number+1, problem)
	}
	for _, step := range connection.Steps {
		if err := s.step(ctx, step, over); err != nil {
			return err // the client has gone
		}
	}
	over.flush()
	s.mu.Lock()
	s.ended = time.Now()
	s.mu.Unlock()
	if connection.Error != nil {
		return over.fail(connection.Error.status())
	}
	switch connection.End {
	case EndCut, EndTear:
		return over.cut(connection.End == EndTear)
	case EndReset:
		return over.reset()
	case EndReplace:
		replace()
	case EndHang:
		<-ctx.Done()
	default:
	}
	return nil
}

// differences compares a call with what is expected of it.
func (s *script) differences(expect Expect, request *parleyv1.StreamEventsRequest, authorization string, waited time.Duration) (problems []string) {
	if request.GetResumeToken() != expect.ResumeToken {
		problems = append(problems, fmt.Sprintf("resume token %q, expected %q", request.GetResumeToken(), expect.ResumeToken))
	}
	if authorization != expect.Authorization {
		problems = append(problems, fmt.Sprintf("authorization %q, expected %q", authorization, expect.Authorization))
	}
	if least := time.Duration(expect.MinWaitMillis) * time.Millisecond; waited < least {
		problems = append(problems, fmt.Sprintf("it comes after %v, expected %v or more", waited, least))
	}
	rest := proto.CloneOf(request)
	rest.ResumeToken = ""
	if !proto.Equal(rest, s.c.request) {
		problems = append(problems, fmt.Sprintf("the request is %v, expected %v", rest, s.c.request))
	}
	return problems
}

// step does what a step says. The error says that the client has gone.
func (s *script) step(ctx context.Context, step Step, over link) error {
	switch {
	case step.Await > 0:
		over.flush()
		return s.wait(ctx, func() bool { return s.printed >= step.Await })
	case step.Bulk != nil:
		body := strings.Repeat("x", step.Bulk.Bytes)
		for i := range step.Bulk.Frames {
			for _, message := range step.Bulk.messages(i, body) {
				if err := over.send(message, asItIs); err != nil {
					return err
				}
				s.sent.Add(int64(proto.Size(message)))
			}
		}
		return nil
	case step.UnknownFrame:
		return over.send(&parleyv1.StreamEventsResponse{}, asItIs)
	default:
		frame := &parleyv1.StreamEventsResponse{}
		if err := protojson.Unmarshal(step.Frame, frame); err != nil {
			return err
		}
		return over.send(frame, extraFields(step.UnknownFields))
	}
}

// laterField is the number of a field that no message of the contract has.
const laterField = 1000

// addUnknown gives a message and all messages in it a field that nobody knows.
func addUnknown(m protoreflect.Message) {
	unknown := protowire.AppendTag(m.GetUnknown(), laterField, protowire.BytesType)
	m.SetUnknown(protowire.AppendString(unknown, "later"))
	m.Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		switch {
		case field.Message() == nil || field.IsMap():
		case field.IsList():
			for i := range value.List().Len() {
				addUnknown(value.List().Get(i).Message())
			}
		default:
			addUnknown(value.Message())
		}
		return true
	})
}
