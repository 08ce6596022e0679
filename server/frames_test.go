package server_test

import (
	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
)

func eventFrame(ids ...string) *parleyv1.StreamEventsResponse {
	batch := &parleyv1.EventBatch{}
	for _, id := range ids {
		batch.Events = append(batch.Events, &parleyv1.Event{Name: "users/u/events/" + id})
	}
	return &parleyv1.StreamEventsResponse{Frame: &parleyv1.StreamEventsResponse_Batch{Batch: batch}}
}

func checkpointFrame(token string) *parleyv1.StreamEventsResponse {
	return &parleyv1.StreamEventsResponse{Frame: &parleyv1.StreamEventsResponse_Checkpoint{Checkpoint: &parleyv1.Checkpoint{ResumeToken: token}}}
}

func summaryFrame(token string) *parleyv1.StreamEventsResponse {
	return &parleyv1.StreamEventsResponse{Frame: &parleyv1.StreamEventsResponse_Summary{Summary: &parleyv1.Summary{Complete: true, ResumeToken: token}}}
}

// emitAll emits frames in turn.
func emitAll(emit func(*parleyv1.StreamEventsResponse) error, frames ...*parleyv1.StreamEventsResponse) error {
	for _, f := range frames {
		if err := emit(f); err != nil {
			return err
		}
	}
	return nil
}
