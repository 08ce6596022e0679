package audit

import (
	"crypto/rand"
	"errors"
	"io"
	"sync/atomic"
	"time"
)

// Sink takes records. *File is one; any io.Writer that writes whole or fails is another.
type Sink interface {
	// Write takes one or more records, each with its line end. A short write is an error, of the records that are not whole. As
	// of every io.Writer, the bytes are the caller's again when it returns. It is called by one goroutine at a time.
	io.Writer
	// Close ends the sink.
	io.Closer
}

// DefaultWait is how long a record waits for its sink.
const DefaultWait = 5 * time.Second

// Options change what a Log does; the zero value is fine.
type Options struct {
	// Now is the clock of records; nil = time.Now.
	Now func() time.Time
	// Failed is called for each record that could not be written; nil = it is dropped.
	Failed func(error)
	// Wait is how long a record waits for its sink; 0 = DefaultWait.
	Wait time.Duration
}

// Log writes records. Each has the number after the one before it, from 1 on for each instance, which is random: a missing
// number is a record that was lost or taken out. Each also has a digest over itself and the record written before it. It is
// safe for concurrent use. Records that come while others are being written go to the sink together.
type Log struct {
	writer

	opts Options
}

// New returns a log into a sink, which it closes with Close.
func New(sink Sink, opts Options) *Log {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Wait <= 0 {
		opts.Wait = DefaultWait
	}
	l := &Log{opts: opts}
	l.init(sink, rand.Text(), opts)
	return l
}

// Call is the record of one call: at least one intent before anything is read, and the outcome at the end. The owner of a Call opens it and
// ends it; whoever decides what the call may read adds the intents. A Call without a log records nothing.
type Call struct {
	log    *Log // nil = nothing is recorded
	began  time.Time
	intent Intent
	number uint64 // of the first record
	// recorded is set once an intent is written, and denied once the policy has refused the call.
	recorded, denied bool
	ended            atomic.Bool
}

// Open ties a zero Call to the log that its records go to; nil = nothing is recorded.
func (c *Call) Open(log *Log) { c.log = log }

// HasIntent reports whether an intent is on record.
func (c *Call) HasIntent() bool { return c.recorded }

// NeedsOutcome reports whether End writes a record.
func (c *Call) NeedsOutcome() bool { return c.recorded || c.denied }

// Intent records what the call is about to read. If that fails the call must fail too: nothing is read without a trace. A call that has
// an intent on record learns more about itself at times, such as whose data it reads, which took a look-up. A further intent names the
// first, and is not written where it says nothing new.
func (c *Call) Intent(intent Intent) error {
	if c.log == nil {
		return nil
	}
	intent.sanitize()
	before, now := c.intent, c.log.opts.Now()
	c.intent = intent
	if !c.recorded {
		c.began = now
		err := c.log.write(c, nil, now)
		c.recorded = err == nil
		return err
	}
	if before.Owner == intent.Owner && before.Rule == intent.Rule && before.Graph == intent.Graph {
		return nil
	}
	return c.log.write(c, nil, now)
}

// Deny notes that the policy refuses the call, which reads nothing. End then writes the outcome with the given intent, whether or not an
// intent is on record.
func (c *Call) Deny(intent Intent) {
	if c.log == nil {
		return
	}
	intent.sanitize()
	c.intent = intent
	if !c.recorded {
		c.began = c.log.opts.Now()
	}
	c.denied = true
}

// End records the outcome of a call that has an intent on record or was denied. Only the first call of End counts. Nothing can be taken
// back any more, so only Options.Failed learns of a failure.
func (c *Call) End(out Outcome) {
	if c.NeedsOutcome() && c.ended.CompareAndSwap(false, true) {
		_ = c.log.write(c, &out, c.log.opts.Now()) // Options.Failed has the error
	}
}

func (l *Log) write(c *Call, out *Outcome, now time.Time) error {
	entry := record{&c.intent, out, now.Sub(c.began), c.number}
	number, err := l.put(func(line []byte, instance string, number uint64) []byte {
		return entry.append(line, instance, number, now)
	})
	if c.number == 0 && out == nil {
		c.number = number
	}
	if err != nil && l.opts.Failed != nil {
		l.opts.Failed(err)
	}
	return err
}

var errClosed = errors.New("the log is closed")
