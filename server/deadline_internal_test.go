package server

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

type testKey struct{}

func TestDeadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		parent := context.WithValue(t.Context(), testKey{}, 7)
		d := &deadline{Context: parent, at: time.Now().Add(time.Second)}
		if at, ok := d.Deadline(); !ok || !at.Equal(d.at) || d.Err() != nil || d.Value(testKey{}) != 7 || d.timed.Load() != nil {
			t.Errorf("fresh: %v, %v", at, d.Err())
		}
		child, cancel := context.WithCancel(d)
		defer cancel()
		if d.Value(testKey{}) != 7 || child.Value(testKey{}) != 7 {
			t.Error("a value was lost")
		}
		time.Sleep(999 * time.Millisecond)
		if child.Err() != nil || d.Err() != nil {
			t.Error("ended early")
		}
		<-child.Done()
		if !errors.Is(d.Err(), context.DeadlineExceeded) || !errors.Is(child.Err(), context.DeadlineExceeded) {
			t.Errorf("%v, %v", d.Err(), child.Err())
		}
		d.end()

		late := &deadline{Context: t.Context(), at: time.Now().Add(-time.Second)}
		if !errors.Is(late.Err(), context.DeadlineExceeded) {
			t.Errorf("late: %v", late.Err())
		}
		late.end()

		// Whoever waits after the call has ended is not left waiting.
		over := &deadline{Context: t.Context(), at: time.Now().Add(time.Hour)}
		over.end()
		<-over.Done()
		if !errors.Is(over.Err(), context.Canceled) {
			t.Errorf("after its end: %v", over.Err())
		}

		canceled, stop := context.WithCancel(t.Context())
		of := &deadline{Context: canceled, at: time.Now().Add(time.Hour)}
		stop()
		if !errors.Is(of.Err(), context.Canceled) {
			t.Errorf("of a canceled call: %v", of.Err())
		}
		<-of.Done()
		of.end()
	})
}
