package source

import (
	"bytes"
	"errors"
)

// Bounds of a CSV record. Usage reports have some thirty columns and a few hundred bytes in a row.
const (
	maxColumns = 1 << 12   // cells of a record
	maxRecord  = 128 << 10 // bytes of a record as it is written
	maxHeading = 256       // bytes of a heading
)

var errWideRecord = errors.New("source: a record is wider than those of any report")

// csvScanner splits CSV text (RFC 4180) into records and cells. It finds the cells that encoding/csv finds with LazyQuotes and
// any number of fields, but copies nothing, so that a long report is scanned in place. Empty lines are no records. The body
// must not end with a carriage return.
type csvScanner struct {
	body  []byte
	at    int      // where the next record begins, or the empty lines before it
	cells [][]byte // those of the latest record as they are written, quotes included; valid until next is called
}

// next reads a record; false at the end. Its only error is errWideRecord.
func (s *csvScanner) next() (bool, error) {
	for s.at < len(s.body) && s.lineEnds(s.at) {
		s.at += bytes.IndexByte(s.body[s.at:], '\n') + 1
	}
	if s.at == len(s.body) {
		return false, nil
	}
	s.cells = s.cells[:0]
	from := s.at
	for more := true; more; {
		var cell []byte
		cell, more = s.cell()
		if s.at-from > maxRecord || len(s.cells) == maxColumns {
			return false, errWideRecord
		}
		s.cells = append(s.cells, cell)
	}
	return true, nil
}

// lineEnds reports whether a line end stands at i.
func (s *csvScanner) lineEnds(i int) bool {
	return s.body[i] == '\n' || s.body[i] == '\r' && i+1 < len(s.body) && s.body[i+1] == '\n'
}

// cell reads a cell with the comma or line end after it; more is true after a comma.
func (s *csvScanner) cell() (cell []byte, more bool) {
	from, end := s.at, s.at
	if from < len(s.body) && s.body[from] == '"' {
		end = s.quoteEnd(from + 1)
	}
	for end < len(s.body) && s.body[end] != ',' && s.body[end] != '\n' {
		end++
	}
	cell = s.body[from:end]
	if end == len(s.body) {
		s.at = end
		return cell, false
	}
	s.at = end + 1
	if s.body[end] == ',' {
		return cell, true
	}
	return bytes.TrimSuffix(cell, []byte("\r")), false
}

// quoteEnd returns the end of a quoted cell whose text begins at i: the position after the first quote that a comma, a line end or the end
// of the body follows. A quote before anything else belongs to the text.
func (s *csvScanner) quoteEnd(i int) int {
	for {
		quote := bytes.IndexByte(s.body[i:], '"')
		if quote < 0 {
			return len(s.body)
		}
		i += quote + 1
		switch {
		case i == len(s.body), s.body[i] == ',', s.lineEnds(i):
			return i
		case s.body[i] == '"':
			i++
		}
	}
}

// cellText returns the text of a cell without space around it. Quotes around it are taken off, doubled ones inside count
// once, and line ends are "\n". The text aliases the cell, or scratch, which is returned for the next cell.
func cellText(cell, scratch []byte) (text, again []byte) {
	if len(cell) == 0 || cell[0] != '"' {
		return bytes.TrimSpace(cell), scratch
	}
	cell = cell[1:]
	if last := len(cell) - 1; last >= 0 && bytes.IndexByte(cell, '"') == last && bytes.IndexByte(cell, '\r') < 0 {
		return bytes.TrimSpace(cell[:last]), scratch
	}
	scratch = scratch[:0]
	for i := 0; i < len(cell); i++ {
		ends := i+1 == len(cell)
		switch {
		case cell[i] == '"' && ends, cell[i] == '\r' && !ends && cell[i+1] == '\n':
			continue
		case cell[i] == '"' && cell[i+1] == '"':
			i++
		}
		scratch = append(scratch, cell[i])
	}
	return bytes.TrimSpace(scratch), scratch
}
