package parleyclient

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
)

// Frame is what the frames of all streams have in common.
type Frame interface {
	GetNotice() *parleyv1.Notice
	GetCheckpoint() *parleyv1.Checkpoint
	GetSummary() *parleyv1.Summary
}

// Receiver is the part of a gRPC stream that a Stream needs: grpc.ServerStreamingClient has it.
type Receiver[F Frame] interface{ Recv() (F, error) }

// Method is a streaming method of the API.
type Method[F Frame, T any] struct {
	// Open calls the method. The token is where the stream goes on; empty = at its beginning.
	Open func(ctx context.Context, resumeToken string) (Receiver[F], error)

	// Items returns what a frame delivers; nothing if it is no batch.
	Items func(frame F) []T

	// Identify returns the uid by which an item is recognized when it comes again, and its version. If Identify is nil or the uid is empty,
	// the item is never dropped.
	Identify func(item T) (uid string, version int64)
}

// Stream is one query, read through any trouble. It is for one goroutine, and is read once.
type Stream[F Frame, T any] struct {
	method  Method[F, T]
	options Options
	seen    seen
	summary *parleyv1.Summary
	token   string

	failures int    // in a row
	sent     string // access token of the last connection
	refused  string // access token that the gateway refused on the last connection
}

// New returns the stream of a method, which begins at a resume token of an earlier run; empty = at the beginning.
func New[F Frame, T any](method Method[F, T], resumeToken string, options Options) *Stream[F, T] {
	options = options.withDefaults()
	return &Stream[F, T]{method: method, options: options, seen: newSeen(options.Memory), token: resumeToken}
}

// Events returns the stream of the events of a request, which may carry a resume token of an earlier run.
func Events(client parleyv1.EventServiceClient, request *parleyv1.StreamEventsRequest, options Options,
) *Stream[*parleyv1.StreamEventsResponse, *parleyv1.Event] {
	request = proto.CloneOf(request)
	return New(Method[*parleyv1.StreamEventsResponse, *parleyv1.Event]{
		Open: func(ctx context.Context, resumeToken string) (Receiver[*parleyv1.StreamEventsResponse], error) {
			request.ResumeToken = resumeToken
			return client.StreamEvents(ctx, request)
		},
		Items:    func(frame *parleyv1.StreamEventsResponse) []*parleyv1.Event { return frame.GetBatch().GetEvents() },
		Identify: func(event *parleyv1.Event) (string, int64) { return event.GetUid(), event.GetVersion() },
	}, request.GetResumeToken(), options)
}

// Conversations returns the stream of the conversations of a request. A conversation has no version: those since the last checkpoint
// come again after a cut, and are to be upserted by name.
func Conversations(client parleyv1.ConversationServiceClient, request *parleyv1.StreamConversationsRequest, options Options,
) *Stream[*parleyv1.StreamConversationsResponse, *parleyv1.Conversation] {
	request = proto.CloneOf(request)
	return New(Method[*parleyv1.StreamConversationsResponse, *parleyv1.Conversation]{
		Open: func(ctx context.Context, resumeToken string) (Receiver[*parleyv1.StreamConversationsResponse], error) {
			request.ResumeToken = resumeToken
			return client.StreamConversations(ctx, request)
		},
		Items: func(frame *parleyv1.StreamConversationsResponse) []*parleyv1.Conversation {
			return frame.GetBatch().GetConversations()
		},
	}, request.GetResumeToken(), options)
}

// ResumeToken returns the token of the last checkpoint, or of the summary. It stands for every item that the program is done with: the
// one that it holds is not among them.
func (s *Stream[F, T]) ResumeToken() string { return s.token }

// Summary returns the end of the stream and what is complete; nil until the stream has been read to its end.
func (s *Stream[F, T]) Summary() *parleyv1.Summary { return s.summary }

// All reads the stream. An error is the last pair, with a zero item: ErrCut, the error of the gateway as a gRPC status, or an
// error of ctx, of Options.Token or of Options.OnCheckpoint. Without one, the stream was read to its summary. Breaking the loop
// ends the call.
func (s *Stream[F, T]) All(ctx context.Context) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		stopped := false
		err := s.read(ctx, func(item T) bool {
			stopped = !yield(item, nil)
			return !stopped
		})
		if err != nil && !stopped {
			var none T
			yield(none, err)
		}
	}
}

// read reads connection after connection until the summary, an error that stays, or the program stops.
func (s *Stream[F, T]) read(ctx context.Context, yield func(T) bool) error {
	for s.summary == nil {
		brought, err := s.connect(ctx, yield)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return fmt.Errorf("parley: reading a stream: %w", context.Cause(ctx))
		}
		wait, err := s.next(err, brought)
		if err != nil {
			return err
		}
		if err := sleep(ctx, wait); err != nil {
			return err
		}
	}
	return nil
}

// connect reads one connection. It returns nil at the summary or when the program stops, and whether a frame came.
func (s *Stream[F, T]) connect(ctx context.Context, yield func(T) bool) (brought bool, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	call := ctx
	if s.options.Token != nil {
		if s.sent, err = s.options.Token(ctx, s.refused); err != nil {
			return false, programError{fmt.Errorf("parley: access token: %w", err)}
		}
		call = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+s.sent)
	}
	idle := time.AfterFunc(s.options.Idle, cancel)
	defer idle.Stop()
	frames, err := s.method.Open(call, s.token)
	if err != nil {
		return false, err
	}
	for {
		frame, err := frames.Recv()
		switch {
		case !idle.Stop():
			return brought, errIdle
		case errors.Is(err, io.EOF):
			return brought, io.ErrUnexpectedEOF // no summary came
		case err != nil:
			return brought, err
		}
		brought = true
		if end, err := s.take(ctx, frame, yield); end || err != nil {
			return true, err
		}
		idle.Reset(s.options.Idle)
	}
}

// take delivers a frame. It returns true at the summary or when the program stops.
func (s *Stream[F, T]) take(ctx context.Context, frame F, yield func(T) bool) (bool, error) {
	for _, item := range s.method.Items(frame) {
		if !s.fresh(item) {
			continue
		}
		s.failures = 0
		if !yield(item) {
			return true, nil
		}
	}
	if notice := frame.GetNotice(); notice != nil && s.options.OnNotice != nil {
		s.options.OnNotice(notice)
	}
	if checkpoint := frame.GetCheckpoint(); checkpoint != nil {
		s.token = checkpoint.GetResumeToken()
		if s.options.OnCheckpoint != nil {
			if err := s.options.OnCheckpoint(ctx, checkpoint); err != nil {
				return false, programError{fmt.Errorf("parley: checkpoint: %w", err)}
			}
		}
	}
	if s.summary = frame.GetSummary(); s.summary != nil {
		s.token = s.summary.GetResumeToken()
	}
	return s.summary != nil, nil
}

// fresh reports whether an item was not delivered before in this version or a higher one.
func (s *Stream[F, T]) fresh(item T) bool {
	if s.method.Identify == nil {
		return true
	}
	uid, version := s.method.Identify(item)
	return uid == "" || s.seen.add(uid, version)
}

var _ Receiver[*parleyv1.StreamEventsResponse] = grpc.ServerStreamingClient[parleyv1.StreamEventsResponse](nil)
