package audit

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"
)

// Sink takes records. *File is one; any io.Writer that writes whole or fails is another.
type Sink interface {
	// Write takes one record with its line end. A short write is an error. As of every io.Writer, the bytes are the caller's
	// again when it returns.
	io.Writer
	// Close ends the sink.
	io.Closer
}

// Options change what a Log does; the zero value is fine.
type Options struct {
	// Now is the clock; nil = time.Now.
	Now func() time.Time
	// Failed is called for each record that could not be written; nil = nobody is told.
	Failed func(error)
}

// Log writes records. Each has the number after the one before it, from 1 on for each instance, which is random: a missing
// number is a record that was lost or taken out. It is safe for concurrent use.
type Log struct {
	sink     Sink
	opts     Options
	instance string

	mu     sync.Mutex
	number uint64
	torn   bool   // the last write may have left part of a line
	line   []byte // room for a record
}

// New returns a log into a sink, which it closes with Close.
func New(sink Sink, opts Options) *Log {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	return &Log{sink: sink, opts: opts, instance: rand.Text()}
}

// Call is a call whose intent is on record.
type Call struct {
	log    *Log
	begun  time.Time
	intent Intent
	ended  atomic.Bool
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
	return l.write(c, nil, c.begun)
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
	err := l.append(record{&c.intent, out, now.Sub(c.begun)}, now)
	if err != nil && l.opts.Failed != nil {
		l.opts.Failed(err)
	}
	return err
}

func (l *Log) append(entry record, now time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	// The number is used up even if the record is lost: the gap tells.
	l.number++
	line := l.line[:0]
	if l.torn {
		line = append(line, '\n')
	}
	line = append(entry.append(line, l.instance, l.number, now), '\n')
	l.line = line
	n, err := l.sink.Write(line)
	if err == nil && n < len(line) {
		err = io.ErrShortWrite
	}
	if err != nil {
		l.torn = l.torn || n > 0
		return fmt.Errorf("audit: record %d could not be written: %w", l.number, err)
	}
	l.torn = false
	return nil
}

// Close closes the sink. Records after it fail.
func (l *Log) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	sink := l.sink
	l.sink = closedSink{}
	return sink.Close()
}

var errClosed = errors.New("the log is closed")

type closedSink struct{}

func (closedSink) Write([]byte) (int, error) { return 0, errClosed }
func (closedSink) Close() error              { return nil }
