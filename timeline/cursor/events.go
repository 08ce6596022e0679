package cursor

import (
	"math"
	"time"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/internal/cursorpb"
	"github.com/parley-gateway/parley/internal/seal"
	"github.com/parley-gateway/parley/timeline/window"
)

// Bounds of what a token holds.
const (
	MaxOutOfWindow   = 7 // hashes of rows that were delivered out of their window
	maxSources       = 8
	maxClockLag      = 1 << 31 // seconds
	maxAcceptedStart = 1 << 37 // seconds since 1970
)

// Events is a position in the merged events of several sources.
type Events struct {
	// Present is the time of the first call of the walk, or of the call that extended it last. EarlierPresent is the same by the earlier of
	// this machine's and Graph's clocks, or when the oldest open window was read, if that was before; with the distance rounded up to a whole
	// second.
	Present, EarlierPresent time.Time
	// Start and End bound the interval; a zero Start is open.
	Start, End time.Time
	// Finished is set in the last token of a stream.
	Finished bool
	// Sources are the requested sources, in the order of the enum parleyv1.Source.
	Sources []Source
	// OutOfWindow are the hashes (chunk.Hash, mixed with the source) of the latest rows that were delivered out of their window.
	OutOfWindow []uint64
}

// Source is a position in the events of one source.
type Source struct {
	// State is how the source has stopped, and Reason why; READ while it has not, and also at its regular end.
	State  parleyv1.SourceState
	Reason parleyv1.ErrorReason
	// Answered says that Graph has answered this source before.
	Answered bool
	// Finished says that everything was read, or that the source has stopped.
	Finished bool
	// Level is the level of the grid by which windows are planned, Longest the bound of the next windows (window.Density; 0 =
	// none), and Rate the rows in ten hours (0 = not known).
	Level   window.Level
	Longest time.Duration
	Rate    int
	// Reached is the boundary of a window up to which everything was delivered; Window says how far beyond.
	Reached time.Time
	// Window is the window inside which reading goes on; nil = none.
	Window *Window
	// Counts are the counts of the report so far.
	Counts Counts
	// Gaps are the doubts so far, in ascending order.
	Gaps []window.Gap
	// AcceptedStart is the start that Graph accepted after it refused the start of the interval, a whole second; zero = it refused none.
	AcceptedStart time.Time
	// Fingerprint is the sum of the hashes of the rows that a resumed reading returns again; package merge makes it (resumeFingerprint).
	Fingerprint uint64
}

// Window is a window inside which reading goes on.
type Window struct {
	window.Window
	// TooSlow says that the window could not be read within a call. The call that goes on reads it in halves, an era in
	// pieces, unless it is cached by then or still being read.
	TooSlow bool
	// Last is the last event that was delivered from the window; nil = none was. While a resumed walk reads pieces before its position, it
	// is that position, which lies outside of the window.
	Last *Event
}

// Event is a position inside a window: after this event.
type Event struct {
	Time        time.Time
	Key         string
	OutOfWindow bool
}

// Seal makes the token of a position.
func (e *Events) Seal(with seal.Sealer, digest []byte) (string, error) {
	plain, err := e.encode()
	if err != nil {
		return "", err
	}
	return sealed(with, plain, digest)
}

// OpenEvents opens the token of a position in the events of several sources.
func OpenEvents(with seal.Sealer, token string, digest []byte) (*Events, error) {
	plain, err := with.Open(token, digest)
	if err != nil {
		return nil, err
	}
	return decodeEvents(plain)
}

func (e *Events) encode() ([]byte, error) {
	m := &cursorpb.Events{
		Times:    packTimes(time.Unix(0, 0), e.Present, e.Start, e.End),
		ClockLag: wholeSeconds(e.Present.Sub(e.EarlierPresent)),
		Finished: e.Finished, OutOfWindow: e.OutOfWindow,
	}
	for i := range e.Sources {
		m.Sources = append(m.Sources, e.Sources[i].pack(e.Present))
	}
	return marshal(&cursorpb.Cursor{Position: &cursorpb.Cursor_Events{Events: m}})
}

func (s *Source) pack(now time.Time) *cursorpb.Source {
	m := &cursorpb.Source{
		State: uint32(s.State), Reason: uint32(s.Reason), Answered: s.Answered, Finished: s.Finished,
		Level: uint32(s.Level), Longest: uint32(s.Longest / time.Second), Rate: uint32(s.Rate), Fingerprint: s.Fingerprint,
	}
	times := []time.Time{s.Reached}
	if w := s.Window; w != nil {
		m.Window = &cursorpb.Window{Level: uint32(w.Level), TooSlow: w.TooSlow}
		times = append(times, w.Start, w.End)
		if w.Last != nil {
			times = append(times, w.Last.Time)
			m.Window.Key, m.Window.OutOfWindow = []byte(w.Last.Key), w.Last.OutOfWindow
		}
	}
	m.Times = packTimes(now, times...)
	c := &s.Counts
	m.Counts = packCounts(c.Events, c.Duplicates, c.OutOfWindow, c.LeftOut, c.Pages, c.FromCache, c.Requests)
	bounds := make([]time.Time, 0, 2*len(s.Gaps))
	for _, g := range s.Gaps {
		bounds = append(bounds, g.Start, g.End)
		m.GapReasons = append(m.GapReasons, uint32(g.Reason))
	}
	m.Gaps = packTimes(now, bounds...)
	if !s.AcceptedStart.IsZero() {
		m.AcceptedStart = s.AcceptedStart.Unix()
	}
	return m
}

func decodeEvents(plain []byte) (*Events, error) {
	c, err := unmarshal(plain)
	if err != nil {
		return nil, err
	}
	m := c.GetEvents()
	if m == nil || len(m.GetSources()) > maxSources || len(m.GetOutOfWindow()) > MaxOutOfWindow || m.GetClockLag() > maxClockLag {
		return nil, ErrMalformed
	}
	times, err := unpackTimes(time.Unix(0, 0), m.GetTimes())
	if err != nil || len(times) != 3 {
		return nil, ErrMalformed
	}
	e := &Events{Present: times[0], Start: times[1], End: times[2], Finished: m.GetFinished(), OutOfWindow: m.GetOutOfWindow()}
	e.EarlierPresent = e.Present.Add(-time.Duration(m.GetClockLag()) * time.Second)
	for _, packed := range m.GetSources() {
		s, err := unpackSource(e.Present, packed)
		if err != nil {
			return nil, err
		}
		e.Sources = append(e.Sources, s)
	}
	return e, nil
}

func unpackSource(now time.Time, m *cursorpb.Source) (Source, error) {
	longest := time.Duration(m.GetLongest()) * time.Second
	if m.GetState() > math.MaxUint8 || m.GetReason() > maxReason || m.GetLevel() > uint32(window.Era) || longest > window.MaxLongest || m.GetRate() > window.MaxRate ||
		m.GetAcceptedStart() < 0 || m.GetAcceptedStart() > maxAcceptedStart {
		return Source{}, ErrMalformed
	}
	s := Source{
		State: parleyv1.SourceState(m.GetState()), Reason: parleyv1.ErrorReason(m.GetReason()), Answered: m.GetAnswered(), Finished: m.GetFinished(),
		Level: window.Level(m.GetLevel()), Longest: longest, Rate: int(m.GetRate()), Fingerprint: m.GetFingerprint(),
	}
	if m.GetAcceptedStart() > 0 {
		s.AcceptedStart = time.Unix(m.GetAcceptedStart(), 0).UTC()
	}
	c := &s.Counts
	if !unpackCounts(m.GetCounts(), &c.Events, &c.Duplicates, &c.OutOfWindow, &c.LeftOut, &c.Pages, &c.FromCache, &c.Requests) {
		return Source{}, ErrMalformed
	}
	if err := s.unpackPosition(now, m); err != nil {
		return Source{}, err
	}
	err := s.unpackGaps(now, m)
	return s, err
}

// unpackPosition reads the time that was reached and the window.
func (s *Source) unpackPosition(now time.Time, m *cursorpb.Source) error {
	times, err := unpackTimes(now, m.GetTimes())
	if err != nil {
		return err
	}
	w := m.GetWindow()
	switch len(times) {
	case 1:
		if w != nil {
			return ErrMalformed
		}
	case 3, 4:
		if w == nil || w.GetLevel() > uint32(window.Era) {
			return ErrMalformed
		}
		s.Window = &Window{
			Window:  window.Window{Span: window.Span{Start: times[1], End: times[2]}, Level: window.Level(w.GetLevel())},
			TooSlow: w.GetTooSlow(),
		}
		if len(times) == 4 {
			s.Window.Last = &Event{Time: times[3], Key: string(w.GetKey()), OutOfWindow: w.GetOutOfWindow()}
		}
	default:
		return ErrMalformed
	}
	s.Reached = times[0]
	return nil
}

// unpackGaps reads the gaps.
func (s *Source) unpackGaps(now time.Time, m *cursorpb.Source) error {
	bounds, err := unpackTimes(now, m.GetGaps())
	if err != nil || len(bounds) != 2*len(m.GetGapReasons()) || len(m.GetGapReasons()) > window.MaxGaps {
		return ErrMalformed
	}
	for i, number := range m.GetGapReasons() {
		if number > maxReason {
			return ErrMalformed
		}
		s.Gaps = append(s.Gaps, window.Gap{Span: window.Span{Start: bounds[2*i], End: bounds[2*i+1]}, Reason: parleyv1.ErrorReason(number)})
	}
	return nil
}
