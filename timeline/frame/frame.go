// Package frame cuts rows into the frames of a stream and into the pages of a List: it decides when a page or a batch is full, and when a
// checkpoint is due. The rows come from package merge or package pager above it; below it are only the messages of the
// contract and the errors of package failure.
package frame

import (
	"context"
	"time"
)

// Sizes of batches on the wire, in bytes.
const (
	TargetBatch = 512 << 10 // a batch of this size is sent
	MaxBatch    = 1 << 20   // a row that would take a batch above this begins another one
)

// State says whether there is a next row.
type State int

// The states of rows.
const (
	Ready   State = iota // a row is there
	Waiting              // the next row is still being read
	Ended                // nothing is left
	Broken               // nothing can be read any more
	Paused               // reading has to wait longer than the call may
)

// Rows are a source of rows that are read while they are delivered.
type Rows interface {
	// Step looks for the next row, without waiting.
	Step() State
	// Wait returns when Step may have more to say, when the timer fires, or with the error of the context when that ends.
	Wait(ctx context.Context, timer <-chan time.Time) error
	// Err is the error that ends the call when the rows are Broken.
	Err() error
}
