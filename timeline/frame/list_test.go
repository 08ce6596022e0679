package frame_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/timeline/failure"
	"github.com/parley-gateway/parley/timeline/frame"
)

// scriptPage takes at most three rows of a script.
type scriptPage struct {
	rows  *script
	count int
}

func (p *scriptPage) Empty() bool  { return p.count == 0 }
func (p *scriptPage) Enough() bool { return p.count >= 3 }

func (p *scriptPage) Add() (bool, error) {
	if p.Enough() {
		return false, nil
	}
	p.count++
	p.rows.steps = p.rows.steps[1:]
	return true, nil
}

func TestFillEndsWhenThePageIsFullOrTimeIsUp(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	row, wait := step{state: frame.Ready}, step{state: frame.Waiting, takes: time.Second}
	for _, test := range []struct {
		name  string
		steps []step
		rows  int
		done  bool
		err   error
		takes time.Duration
	}{
		{name: "nothing", done: true},
		{name: "all", steps: []step{row, wait, row}, rows: 2, done: true, takes: time.Second},
		{name: "more than a page", steps: []step{row, row, row, row}, rows: 3},
		{name: "a full page waits for no more", steps: []step{row, row, row, wait, row}, rows: 3},
		{name: "a pause", steps: []step{row, {state: frame.Paused}}, rows: 1},
		{name: "broken", steps: []step{{state: frame.Broken}}, err: broken},
		{name: "broken behind rows", steps: []step{row, {state: frame.Broken}}, rows: 1},
		{name: "time is up", steps: []step{row, {state: frame.Waiting, takes: time.Hour}}, rows: 1, takes: time.Minute},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				began := time.Now()
				rows := &script{steps: test.steps, err: broken}
				page := &scriptPage{rows: rows}
				done, err := frame.Fill(ctx, rows, page)
				if done != test.done || !errors.Is(err, test.err) || page.count != test.rows || time.Since(began) != test.takes {
					t.Errorf("%d rows in %v, done %v, error %v", page.count, time.Since(began), done, err)
				}
			})
		})
	}
}

func TestPageSizeHasADefaultAndAMaximum(t *testing.T) {
	t.Parallel()
	for asked, want := range map[int]int{0: 50, 1: 1, 1000: 1000, 1001: 1000} {
		if got, err := frame.PageSize(asked); got != want || err != nil {
			t.Errorf("%d rows for %d: %v", got, asked, err)
		}
	}
	_, err := frame.PageSize(-1)
	if own, ok := errors.AsType[*failure.Error](err); !ok || own.Field != "page_size" || own.Reason != parleyv1.ErrorReason_ERROR_REASON_INVALID_ARGUMENT {
		t.Errorf("error %v", err)
	}
}

// TestListLeavesTimeForTheAnswersWay: a tenth of the caller's time, but at most half a second, is left for the answer's way.
func TestListLeavesTimeForTheAnswersWay(t *testing.T) {
	t.Parallel()
	for left, want := range map[time.Duration]time.Duration{
		0: 20 * time.Second, time.Second: 900 * time.Millisecond, time.Minute: time.Minute - 500*time.Millisecond,
	} {
		synctest.Test(t, func(t *testing.T) {
			ctx := t.Context()
			if left > 0 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, left)
				defer cancel()
			}
			bounded, cancel := frame.ListContext(ctx, 20*time.Second)
			defer cancel()
			if deadline, ok := bounded.Deadline(); !ok || time.Until(deadline) != want {
				t.Errorf("%v of %v", time.Until(deadline), left)
			}
		})
	}
}
