// Package frame divides rows into the frames of a stream and fills the page of a List with them: it decides when a batch is sent, when a
// checkpoint is due and when a page is ready. Package merge and package pager have the rows, by the interface Rows. Package timeline and
// package pager collect them, by the interfaces Batch and Page, and make the messages.
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
	Paused               // reading has to wait longer than the call may; a stream ends with Err, a List with what it has
)

// Rows are a source of rows that are read while they are delivered.
type Rows interface {
	// Step looks for the next row, without waiting.
	Step() State
	// Wait returns when Step may have more to say, when the timer fires, or with the error of the context when that ends.
	Wait(ctx context.Context, timer <-chan time.Time) error
	// Err is the error that ends the call when the rows are Broken, or a stream when they are Paused.
	Err() error
}
