package timeline

import (
	"encoding/binary"
	"errors"
	"math"
	"slices"
	"time"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/timeline/failure"
	"github.com/parley-gateway/parley/timeline/window"
)

// The plain content of a cursor: a version, then numbers as varints and texts with their length before them. It is sealed
// before it leaves; what the request says is not in it but in the associated data.
const (
	cursorChain  = 2
	cursorEvents = 4
)

const secondsOfDay = 24 * 3600

// Bounds of numbers in a token: the width of windows and the skew of clocks in seconds, days since 1970.
const (
	maxNarrow = 31 * secondsOfDay
	maxSkew   = 1 << 31
	maxDay    = 1 << 20
)

var errCursor = errors.New("malformed cursor")

// mark is the content of a cursor over events.
type mark struct {
	now0, clock time.Time // see walk
	start, end  time.Time // start is zero when open
	finished    bool
	sources     []sourceMark
	strays      []uint64
}

// sourceMark is the place in one source.
type sourceMark struct {
	src                parleyv1.Source
	state              parleyv1.SourceState
	reason             parleyv1.ErrorReason
	answered, finished bool
	level              window.Level
	narrow             time.Duration // in whole seconds
	rate               int
	reached            time.Time
	at                 *position
	tried              bool // the window of at did not fit into a call
	counts             counts
	gaps               []gap
	begun              time.Time // a whole second
	sum                uint64    // of the trace
}

const (
	bitAnswered = 1 << iota
	bitFinished
	bitAt
	bitAny
	bitStray
	bitTried
	bitBegun
)

// encoder appends the parts of a cursor.
type encoder []byte

// decoder reads the parts of a cursor. After the first malformed part it returns zero values.
type decoder struct {
	data   []byte
	broken bool
}

func (m *mark) encode() []byte {
	e := encoder{cursorEvents}
	e.time(m.now0)
	e.uint(uint64((m.now0.Sub(m.clock) + time.Second - 1) / time.Second)) // never later than it is
	e.time(m.start)
	e.time(m.end)
	e.bool(m.finished)
	e.uint(uint64(len(m.sources)))
	for i := range m.sources {
		e.source(&m.sources[i], m.now0)
	}
	e.uint(uint64(len(m.strays)))
	for _, id := range m.strays {
		e = binary.BigEndian.AppendUint64(e, id)
	}
	return e
}

func (e *encoder) source(s *sourceMark, base time.Time) {
	flags := uint64(0)
	for bit, set := range map[uint64]bool{
		bitAnswered: s.answered, bitFinished: s.finished, bitAt: s.at != nil,
		bitAny: s.at != nil && s.at.any, bitStray: s.at != nil && s.at.stray,
		bitTried: s.at != nil && s.tried, bitBegun: !s.begun.IsZero(),
	} {
		if set {
			flags |= bit
		}
	}
	e.uint(uint64(s.src), uint64(s.state), flags, uint64(s.level), uint64(s.narrow/time.Second), uint64(s.rate))
	e.reason(s.reason)
	e.since(base, s.reached)
	if s.at != nil {
		e.uint(uint64(s.at.window.Level))
		e.since(base, s.at.window.Start)
		e.since(base, s.at.window.End)
		if s.at.any {
			e.since(base, s.at.time)
			e.text(s.at.key)
		}
	}
	c := &s.counts
	for _, n := range []int64{c.events, c.duplicates, c.strays, c.leftOut, c.pages, c.fromCache, c.requests} {
		e.uint(uint64(max(n, 0)))
	}
	e.uint(uint64(len(s.gaps)))
	for _, g := range s.gaps {
		e.since(base, g.Start)
		e.since(base, g.End)
		e.reason(g.reason)
	}
	if !s.begun.IsZero() {
		e.uint(uint64(s.begun.Unix()))
	}
	*e = binary.BigEndian.AppendUint64(*e, s.sum)
}

func decodeMark(data []byte) (*mark, error) {
	d := decoder{data: data}
	if d.byte() != cursorEvents {
		return nil, errCursor
	}
	m := &mark{}
	m.now0 = d.time()
	m.clock = m.now0.Add(-time.Duration(d.count(maxSkew)) * time.Second)
	m.start, m.end, m.finished = d.time(), d.time(), d.bool()
	for range d.count(8) {
		m.sources = append(m.sources, d.source(m.now0))
	}
	for range d.count(maxStrays) {
		m.strays = append(m.strays, d.fixed())
	}
	return m, d.end()
}

func (d *decoder) source(base time.Time) sourceMark {
	s := sourceMark{}
	s.src, s.state = parleyv1.Source(d.small()), parleyv1.SourceState(d.small())
	flags := d.uint()
	s.answered, s.finished, s.tried = flags&bitAnswered != 0, flags&bitFinished != 0, flags&bitTried != 0
	s.level = window.Level(min(d.small(), int32(window.Era)))
	s.narrow, s.rate = time.Duration(d.count(maxNarrow))*time.Second, d.count(window.MaxRate)
	s.reason = d.reason()
	s.reached = d.since(base)
	if flags&bitAt != 0 {
		s.at = &position{any: flags&bitAny != 0, stray: flags&bitStray != 0}
		s.at.window.Level = window.Level(min(d.small(), int32(window.Era)))
		s.at.window.Start, s.at.window.End = d.since(base), d.since(base)
		if s.at.any {
			s.at.time, s.at.key = d.since(base), d.text()
		}
	}
	c := &s.counts
	for _, n := range []*int64{&c.events, &c.duplicates, &c.strays, &c.leftOut, &c.pages, &c.fromCache, &c.requests} {
		*n = d.number()
	}
	for range d.count(maxGaps) {
		g := gap{Span: window.Span{Start: d.since(base), End: d.since(base)}}
		g.reason = d.reason()
		s.gaps = append(s.gaps, g)
	}
	if flags&bitBegun != 0 {
		s.begun = time.Unix(int64(d.count(maxDay*secondsOfDay)), 0).UTC()
	}
	s.sum = d.fixed()
	return s
}

func (e *encoder) uint(values ...uint64) {
	for _, v := range values {
		*e = binary.AppendUvarint(*e, v)
	}
}

func (e *encoder) bool(b bool) {
	if b {
		e.uint(1)
	} else {
		e.uint(0)
	}
}

func (e *encoder) text(s string) {
	e.uint(uint64(len(s)))
	*e = append(*e, s...)
}

// cursorReasons are the reasons that travel in a cursor, each as its position here: append only.
var cursorReasons = [...]parleyv1.ErrorReason{
	failure.None, parleyv1.ErrorReason_ERROR_REASON_SEVERAL_DOUBTS, parleyv1.ErrorReason_ERROR_REASON_SOURCE_NOT_IN_CLOUD, parleyv1.ErrorReason_ERROR_REASON_GRAPH_PERMISSION_MISSING, parleyv1.ErrorReason_ERROR_REASON_USER_NOT_LICENSED, parleyv1.ErrorReason_ERROR_REASON_GRAPH_CREDENTIAL_REJECTED,
	parleyv1.ErrorReason_ERROR_REASON_PAYMENT_REQUIRED, parleyv1.ErrorReason_ERROR_REASON_NOT_FOUND, parleyv1.ErrorReason_ERROR_REASON_GRAPH_THROTTLED, parleyv1.ErrorReason_ERROR_REASON_GRAPH_UNAVAILABLE, parleyv1.ErrorReason_ERROR_REASON_GRAPH_REJECTED_REQUEST, parleyv1.ErrorReason_ERROR_REASON_GRAPH_LINK_REFUSED,
	parleyv1.ErrorReason_ERROR_REASON_PAGING_LOOP, parleyv1.ErrorReason_ERROR_REASON_INTERVAL_NOT_HONOURED, parleyv1.ErrorReason_ERROR_REASON_START_BEFORE_KEPT, parleyv1.ErrorReason_ERROR_REASON_SUSPECTED_TRUNCATION, parleyv1.ErrorReason_ERROR_REASON_TOO_MANY_PAGES, parleyv1.ErrorReason_ERROR_REASON_SOURCE_FAILED, parleyv1.ErrorReason_ERROR_REASON_FILTER_NOT_EVALUATED, parleyv1.ErrorReason_ERROR_REASON_CALLER_LIMIT,
	parleyv1.ErrorReason_ERROR_REASON_TENANT_NOT_LICENSED, parleyv1.ErrorReason_ERROR_REASON_GRAPH_LINK_NOT_FOUND, parleyv1.ErrorReason_ERROR_REASON_CONSENT_REQUIRED, parleyv1.ErrorReason_ERROR_REASON_SIGN_IN_REQUIRED, parleyv1.ErrorReason_ERROR_REASON_AMBIGUOUS_ID, parleyv1.ErrorReason_ERROR_REASON_PARTICIPANT_NOT_HONOURED, parleyv1.ErrorReason_ERROR_REASON_PARTICIPATION_NOT_PROVED,
}

func (e *encoder) reason(r parleyv1.ErrorReason) {
	e.uint(uint64(max(slices.Index(cursorReasons[:], r), 0)))
}

// time writes an instant of any year; the zero time stays zero.
func (e *encoder) time(t time.Time) {
	*e = binary.AppendVarint(*e, t.Unix())
	e.uint(uint64(t.Nanosecond()))
}

// since writes an instant as its distance from another one: whole seconds take fewer bytes.
func (e *encoder) since(base, t time.Time) {
	*e = binary.AppendVarint(*e, base.Unix()-t.Unix())
	e.uint(uint64(t.Nanosecond()))
}

func (d *decoder) fail() { d.broken, d.data = true, nil }

func (d *decoder) byte() byte {
	if len(d.data) == 0 {
		d.fail()
		return 0
	}
	b := d.data[0]
	d.data = d.data[1:]
	return b
}

func (d *decoder) uint() uint64 {
	v, n := binary.Uvarint(d.data)
	if n <= 0 {
		d.fail()
		return 0
	}
	d.data = d.data[n:]
	return v
}

func (d *decoder) int() int64 {
	v, n := binary.Varint(d.data)
	if n <= 0 {
		d.fail()
		return 0
	}
	d.data = d.data[n:]
	return v
}

// small reads a number below 256.
func (d *decoder) small() int32 {
	v := d.uint()
	if v > math.MaxUint8 {
		d.fail()
		return 0
	}
	return int32(v)
}

func (d *decoder) bool() bool { return d.uint() == 1 }

// number reads a count.
func (d *decoder) number() int64 { return int64(min(d.uint(), math.MaxInt64)) }

// count reads how many parts follow, at most limit.
func (d *decoder) count(limit int) int {
	n := d.uint()
	if n > uint64(limit) {
		d.fail()
		return 0
	}
	return int(n)
}

func (d *decoder) text() string {
	n := d.uint()
	if n > uint64(len(d.data)) {
		d.fail()
		return ""
	}
	s := string(d.data[:n])
	d.data = d.data[n:]
	return s
}

func (d *decoder) reason() parleyv1.ErrorReason {
	n := d.uint()
	if n >= uint64(len(cursorReasons)) {
		d.fail()
		return failure.None
	}
	return cursorReasons[n]
}

func (d *decoder) fixed() uint64 {
	if len(d.data) < 8 {
		d.fail()
		return 0
	}
	v := binary.BigEndian.Uint64(d.data)
	d.data = d.data[8:]
	return v
}

func (d *decoder) time() time.Time {
	seconds := d.int()
	return time.Unix(seconds, d.nanos()).UTC()
}

func (d *decoder) since(base time.Time) time.Time {
	seconds := d.int()
	return time.Unix(base.Unix()-seconds, d.nanos()).UTC()
}

func (d *decoder) nanos() int64 {
	n := d.uint()
	if n >= uint64(time.Second) {
		d.fail()
		return 0
	}
	return int64(n)
}

func (d *decoder) end() error {
	if d.broken || len(d.data) != 0 {
		return errCursor
	}
	return nil
}
