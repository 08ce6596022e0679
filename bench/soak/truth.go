package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/server/apierror"
)

// walk is one interval that the load reads again and again. Its events do not change: they lie far enough back.
type walk struct {
	user       string
	start, end time.Time
	sources    []parleyv1.Source
	events     map[string]bool // the versions that it must bring
}

func (w *walk) request() *parleyv1.StreamEventsRequest {
	return &parleyv1.StreamEventsRequest{
		Parent: "users/" + w.user, StartTime: timestamppb.New(w.start), EndTime: timestamppb.New(w.end), Sources: w.sources,
	}
}

// learn reads every walk once, without faults, and returns the walks with their events.
func learn(ctx context.Context, g *running) ([]*walk, error) {
	const day = 24 * time.Hour
	talk := []parleyv1.Source{parleyv1.Source_SOURCE_COPILOT, parleyv1.Source_SOURCE_CHAT}
	today := time.Now().UTC().Truncate(day)
	walks := make([]*walk, 0, min(len(g.users), 12))
	for i, user := range g.users[:min(len(g.users), 12)] {
		sources := talk
		if i%6 == 5 {
			sources = append(slices.Clip(sources), parleyv1.Source_SOURCE_CALL)
		}
		end := today.Add(-time.Duration(10+i%3) * day)
		walks = append(walks, &walk{user: user, start: end.Add(-time.Duration(6+3*(i%4)) * day), end: end, sources: sources})
	}
	for _, w := range walks {
		s := g.stream(ctx, w.request(), newWalkEvents("truth", &duplicates{}))
		if s.err != nil || !s.summary.GetComplete() {
			return nil, fmt.Errorf("without faults: %w, %v", errors.Join(s.err, errIncomplete), s.summary.GetNotices())
		}
		w.events = s.versions
	}
	return walks, nil
}

var errIncomplete = errors.New("a stream is not complete")

// streamResult is what one stream brought.
type streamResult struct {
	versions map[string]bool
	token    string
	summary  *parleyv1.Summary
	err      error
}

// stream reads one stream to its end, as a call of the walk that seen belongs to.
func (g *running) stream(ctx context.Context, req *parleyv1.StreamEventsRequest, seen *walkEvents) *streamResult {
	seen.begin()
	s := &streamResult{versions: map[string]bool{}, token: req.GetResumeToken()}
	stream, err := g.events.StreamEvents(ctx, req)
	for err == nil {
		var frame *parleyv1.StreamEventsResponse
		if frame, err = stream.Recv(); err != nil {
			break
		}
		for _, e := range frame.GetBatch().GetEvents() {
			seen.add(e)
			s.versions[version(e)] = true
		}
		if token := frame.GetCheckpoint().GetResumeToken(); token != "" {
			s.token = token
			seen.settle()
		}
		if frame.GetSummary() != nil {
			s.summary = frame.GetSummary()
		}
	}
	if !errors.Is(err, io.EOF) || s.summary == nil {
		s.err = errors.Join(err, io.ErrUnexpectedEOF)
		if token := apierror.Info(status.Convert(err)).GetMetadata()[apierror.MetaResumeToken]; token != "" {
			s.token = token
		}
	}
	return s
}

func version(e *parleyv1.Event) string { return fmt.Sprint(e.GetUid(), "@", e.GetVersion()) }
