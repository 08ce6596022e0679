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
	// Failed is called for each record that could not be written; nil = nobody is told.
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

// Call is a call whose intent is on record.
type Call struct {
	log    *Log
	begun  time.Time
	intent Intent
	number uint64 // of the first record
	// recorded is set once the intent is written.
	recorded bool
	ended    atomic.Bool
}

// Intent records what a call is about to read. If that fails the call must fail too: nothing is read without a trace.
func (l *Log) Intent(intent Intent) (*Call, error) {
	c := &Call{}
	if err := l.Begin(c, intent); err != nil {
		return nil, err
	}
	return c, nil
}

// Begin is Intent for a Call that the caller has room for; it must be a zero Call.
func (l *Log) Begin(c *Call, intent Intent) error {
	intent.tidy()
	c.log, c.begun, c.intent = l, l.opts.Now(), intent
	err := l.write(c, nil, c.begun)
	c.recorded = err == nil
	return err
}

// Begun reports whether the intent is on record.
func (c *Call) Begun() bool { return c.recorded }

// Learn records what became known of a call that is on record since its intent: whose data it reads, say, which took a
// look-up. It is another intent, which names the first; nothing is written where nothing is new. If it fails the call must fail.
func (c *Call) Learn(intent Intent) error {
	before := c.intent
	c.Correct(intent)
	if before.Owner == c.intent.Owner && before.Rule == c.intent.Rule && before.Graph == c.intent.Graph {
		return nil
	}
	return c.log.write(c, nil, c.log.opts.Now())
}

// Correct is Learn without a record of its own: the outcome will say it.
func (c *Call) Correct(intent Intent) {
	intent.tidy()
	c.intent = intent
}

// Denied records a call that the policy refused: an outcome without an intent, since nothing was going to be read. That it
// cannot be written changes nothing for the caller and is told by Options.Failed.
func (l *Log) Denied(intent Intent, out Outcome) {
	intent.tidy()
	c := &Call{log: l, begun: l.opts.Now(), intent: intent}
	c.End(out)
}

// End records how the call ended. Only the first call counts. The answer is out already, so a failure is told by
// Options.Failed alone.
func (c *Call) End(out Outcome) {
	if c.ended.CompareAndSwap(false, true) {
		_ = c.log.write(c, &out, c.log.opts.Now()) // told by Options.Failed
	}
}

func (l *Log) write(c *Call, out *Outcome, now time.Time) error {
	entry := record{&c.intent, out, now.Sub(c.begun), c.number}
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
