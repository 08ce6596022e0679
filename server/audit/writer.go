package audit

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/parley-gateway/parley/internal/wait"
)

const (
	// retryEvery is the time between two attempts to write while the sink fails.
	retryEvery = time.Second
	// maxWrite is the number of bytes that go to the sink in one write, give or take a record, and maxBatch the number of records.
	maxWrite = 256 << 10
	maxBatch = 64
)

// errStuck is the error of a record whose sink does not come back.
var errStuck = errors.New("the sink does not take records in time")

// writer hands records to the sink in the order of their numbers, by a goroutine that lives while there are some: a sink that
// does not come back holds up no caller for longer than Options.Wait.
type writer struct {
	sink     Sink
	instance string
	now      func() time.Time
	wait     time.Duration
	run      func() // drain as a value, so that starting it allocates nothing
	// free are records for use again. One that was given up is not among them, since it may still be written.
	free  sync.Pool
	tasks sync.WaitGroup

	mu      sync.Mutex
	number  uint64
	queue   []*pending
	running bool
	since   time.Time // when the write under way began; zero = none is
	lost    uint64    // records since one could be written last
	closed  bool
	reviver *time.Timer // runs while the sink fails

	// Of the goroutine that writes.
	batch  []*pending
	buffer []byte
	hash   hash.Hash
	last   [sha256.Size]byte // the digest of the record that was written last
	torn   bool              // the last write may have left part of a line
	ends   [maxBatch]int     // of each record in what is written at once
	links  [maxBatch][sha256.Size]byte

	writable writableState
}

// pending is a record that waits for its sink.
type pending struct {
	number uint64
	body   []byte // without its chain and end
	done   chan error
	timer  *time.Timer
}

// newPending returns a pending record that is used again, or a new one.
func (w *writer) newPending() *pending {
	if p, ok := w.free.Get().(*pending); ok {
		return p
	}
	p := &pending{done: make(chan error, 1), timer: time.NewTimer(time.Hour)}
	p.timer.Stop()
	return p
}

func (w *writer) init(sink Sink, instance string, opts Options) {
	w.sink, w.instance, w.now, w.wait, w.hash = sink, instance, opts.Now, opts.Wait, sha256.New()
	w.run = w.drain
	w.writable.ok = true
}

// put numbers a record and waits until it is written, or cannot be.
func (w *writer) put(format func(line []byte, instance string, number uint64) []byte) (number uint64, err error) {
	p := w.newPending()
	w.mu.Lock()
	// The number is used up even if the record is lost: the gap tells.
	w.number++
	number = w.number
	if refusal := w.refusal(); refusal != nil {
		w.lost++
		w.mu.Unlock()
		w.free.Put(p)
		return number, failure(number, refusal)
	}
	p.number, p.body = number, format(p.body[:0], w.instance, number)
	w.enqueue(p)
	w.mu.Unlock()

	p.timer.Reset(w.wait)
	select {
	case err = <-p.done:
		p.timer.Stop()
		w.free.Put(p)
		return number, err
	case <-p.timer.C:
		return number, w.giveUp(p)
	}
}

// refusal returns why a record cannot be taken; the lock is held.
func (w *writer) refusal() error {
	switch {
	case w.closed:
		return errClosed
	case !w.since.IsZero() && time.Since(w.since) > w.wait:
		return errStuck
	default:
		return nil
	}
}

// enqueue has a record written; the lock is held.
func (w *writer) enqueue(p *pending) {
	w.queue = append(w.queue, p)
	if !w.running {
		w.running = true
		w.tasks.Add(1)
		go w.run()
	}
}

// giveUp takes back a record that waited too long. One that is just being written may still appear.
func (w *writer) giveUp(p *pending) error {
	w.mu.Lock()
	if at := slices.Index(w.queue, p); at >= 0 {
		w.queue = slices.Delete(w.queue, at, at+1)
	}
	w.lost++
	w.mu.Unlock()
	w.writable.set(false)
	return failure(p.number, errStuck)
}

func failure(number uint64, err error) error {
	return fmt.Errorf("audit: record %d could not be written: %w", number, err)
}

// drain writes records until none waits.
func (w *writer) drain() {
	defer w.tasks.Done()
	for w.takeQueue() {
		w.writeBatch()
	}
}

// takeQueue moves the waiting records to the batch, and reports whether there are any.
func (w *writer) takeQueue() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.batch = append(w.batch[:0], w.queue...)
	clear(w.queue)
	w.queue = w.queue[:0]
	w.running = len(w.batch) > 0
	return w.running
}

// writeBatch writes the batch in as many pieces as its size takes.
func (w *writer) writeBatch() {
	for rest := w.batch; len(rest) > 0; {
		line, records := w.encode(rest)
		n, err := w.send(line)
		whole := w.advance(n, len(line), records)
		if n == len(line) && err != nil {
			whole = 0 // all of it is there, but was not written through to the disk
		}
		// Whoever learns of a record that was lost finds the state that it left behind.
		w.noteWrite(records-whole, whole > 0, err)
		for i, p := range rest[:records] {
			if i < whole {
				p.done <- nil
			} else {
				p.done <- failure(p.number, err)
			}
		}
		rest = rest[records:]
	}
	clear(w.batch)
}

// encode returns the lines of the first records of a batch, as many as one piece takes, and their number. It keeps the chain value and the
// end of each. After a torn line the piece begins on a new one.
func (w *writer) encode(batch []*pending) (line []byte, records int) {
	line, before := w.buffer[:0], w.last[:]
	if w.torn {
		line = append(line, '\n')
	}
	for records < min(len(batch), maxBatch) && len(line) < maxWrite {
		link := w.links[records][:]
		line = w.chained(line, batch[records].body, before, link)
		w.ends[records], before = len(line), link
		records++
	}
	w.buffer = line
	return line, records
}

// advance moves the chain past the records of a piece that are whole in the file, and returns their number. n of the size bytes of the piece
// are there; a record of which only a part is there leaves a torn line.
func (w *writer) advance(n, size, records int) (whole int) {
	end := 0 // of the last whole record
	for whole < records && w.ends[whole] <= n {
		w.last, end = w.links[whole], w.ends[whole]
		whole++
	}
	stillTorn := w.torn && whole == 0
	w.torn = n < size && (n > end || stillTorn)
	return whole
}

// chained appends a record with its chain, the digest over that of the record before it and itself, which it also puts into link.
func (w *writer) chained(line, body, before, link []byte) []byte {
	w.hash.Reset()
	w.hash.Write(before) // a hash never fails
	w.hash.Write(body)
	w.hash.Sum(link[:0])
	line = append(append(line, body...), chainMember...)
	line = hex.AppendEncode(line, link)
	return append(line, "\"}\n"...)
}

// chainMember is how the last member of each record begins.
const chainMember = `,"chain":"`

// send writes a piece. err is set if less than all of it was written, or if it was not written through to the disk.
func (w *writer) send(line []byte) (int, error) {
	w.mu.Lock()
	w.since = time.Now()
	w.mu.Unlock()
	n, err := w.sink.Write(line)
	if n < len(line) && err == nil {
		err = io.ErrShortWrite
	}
	w.mu.Lock()
	w.since = time.Time{}
	w.mu.Unlock()
	return n, err
}

// noteWrite counts the records that a write lost, says whether records can be written, and has the writer try again while they cannot.
func (w *writer) noteWrite(lost int, some bool, err error) {
	w.mu.Lock()
	if w.lost += uint64(lost); some && err == nil {
		w.lost = 0
	}
	if err != nil && w.reviver == nil && !w.closed {
		w.tasks.Add(1)
		w.reviver = time.AfterFunc(retryEvery, w.revive)
	}
	w.mu.Unlock()
	w.writable.set(err == nil)
}

// revive tries whether the sink takes records again, which nobody may find out otherwise: as long as it does not, balancers
// send no calls. The attempt is a record that says how many were lost.
func (w *writer) revive() {
	defer w.tasks.Done()
	w.mu.Lock()
	w.reviver = nil
	if w.closed || w.writable.get() || w.running {
		again := !w.closed && !w.writable.get()
		if again {
			w.tasks.Add(1)
			w.reviver = time.AfterFunc(retryEvery, w.revive)
		}
		w.mu.Unlock()
		return
	}
	w.number++
	p := &pending{number: w.number, done: make(chan error, 1)}
	p.body = appendHead(nil, w.instance, w.number, w.now(), KindResumed)
	p.body = strconv.AppendUint(append(p.body, `,"lost":`...), w.lost, 10)
	w.enqueue(p)
	w.mu.Unlock()
	if <-p.done != nil {
		w.mu.Lock()
		defer w.mu.Unlock()
		// An attempt is no lost record.
		if w.lost--; w.number == p.number {
			w.number--
		}
	}
}

// Close writes the waiting records and closes the sink. Later records fail. The error is errStuck for a sink that does not come back.
func (w *writer) Close() error {
	w.mu.Lock()
	if w.closed {
		w.mu.Unlock()
		return nil
	}
	w.closed = true
	if w.reviver != nil && w.reviver.Stop() {
		w.tasks.Done()
	}
	w.mu.Unlock()
	if !wait.Within(&w.tasks, w.wait) {
		return errStuck
	}
	return w.sink.Close()
}

// OK reports whether the last record could be written.
func (w *writer) OK() bool { return w.writable.get() }

// Follow calls a function with whether records can be written, now and at each change, until leave is called. The function
// must not ask the log.
func (w *writer) Follow(watcher func(ok bool)) (leave func()) { return w.writable.follow(watcher) }

// writableState says whether records can be written, and calls functions at each change.
type writableState struct {
	mu       sync.Mutex
	ok       bool
	next     int
	watchers map[int]func(bool)
}

func (s *writableState) get() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ok
}

func (s *writableState) set(ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ok == ok {
		return
	}
	s.ok = ok
	for _, watcher := range s.watchers {
		watcher(ok)
	}
}

func (s *writableState) follow(watcher func(bool)) (leave func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.watchers == nil {
		s.watchers = map[int]func(bool){}
	}
	s.next++
	me := s.next
	s.watchers[me] = watcher
	watcher(s.ok)
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.watchers, me)
	}
}
