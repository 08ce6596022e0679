package frame

import (
	"context"
	"time"

	"github.com/parley-gateway/parley/timeline/failure"
)

// Numbers of rows of a page, as the contract states them for page_size.
const (
	DefaultPage = 50 // where the request names none
	MaxPage     = 1000
)

// PageSize applies the contract's default and maximum to the page size of a request.
func PageSize(n int) (int, error) {
	switch {
	case n < 0:
		return 0, failure.Invalid("page_size", "must not be negative")
	case n == 0:
		return DefaultPage, nil
	default:
		return min(n, MaxPage), nil
	}
}

// ListContext bounds the time of a List: by the deadline of the caller, but for a little that is left for the answer's way, or by
// usual when there is none.
func ListContext(ctx context.Context, usual time.Duration) (context.Context, context.CancelFunc) {
	left := usual
	if deadline, ok := ctx.Deadline(); ok {
		left = time.Until(deadline)
		left -= min(left/10, 500*time.Millisecond)
	}
	return context.WithTimeout(ctx, left)
}

// Page collects the rows of a List.
type Page interface {
	// Add moves rows that are ready into the page, and reports whether there was room for one.
	Add() (bool, error)
	// Empty reports whether the page has no rows.
	Empty() bool
	// Enough reports whether the page waits for no more rows.
	Enough() bool
}

// Fill adds rows to a page until it is full, time is up, or nothing is left. done is true in the last case alone. Rows that are broken are an
// error only of an empty page; otherwise the next page says so.
func Fill(ctx context.Context, rows Rows, page Page) (done bool, err error) {
	for {
		switch rows.Step() {
		case Ready:
			if more, err := page.Add(); err != nil || !more {
				return false, err
			}
		case Waiting:
			if page.Enough() {
				return false, nil
			}
			if err := rows.Wait(ctx, nil); err != nil {
				return false, nil //nolint:nilerr // time is up: the page has what there is
			}
		case Ended:
			return true, nil
		case Paused:
			return false, nil
		case Broken:
			if page.Empty() {
				return false, rows.Err()
			}
			return false, nil
		}
	}
}
