package source

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"slices"
	"sort"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/source/graphmap"
)

// requiredHeading is the heading of a column that every usage report has; without it the text is something else.
const requiredHeading = "report refresh date"

const byteOrderMark = "\ufeff"

// A part of a report ends with the row that reaches one of these; as messages it takes a few MiB at most.
const (
	partRows  = 1 << 10
	partCells = 1 << 14
	partBytes = 128 << 10
)

// errOtherForm marks an answer that is not of the form that was asked for.
var errOtherForm = errors.New("source: the report is of another form")

func errNotCSV(err error) error {
	return malformed("the usage report is not CSV", errors.Join(errOtherForm, err))
}

// csvReport is a CSV report that was scanned once. It keeps the text and where parts of it begin; rows become messages
// when their part is asked for. It never changes.
type csvReport[T any] struct {
	form    *reportForm[T]
	table   *graphmap.Table
	whole   []byte // as it was read
	body    []byte // without a byte order mark and the carriage return that ends it
	columns []string
	parts   []csvPart
	rows    int
	// Columns of the user principal name and the display name: of several the last that is not empty counts.
	users, displays []int
}

// csvPart says where a part begins: its offset in the body and the number of rows before it. Bodies end at maxReport.
type csvPart struct{ offset, row uint32 }

var _ Rows[*parleyv1.CopilotUsageRow] = (*csvReport[*parleyv1.CopilotUsageRow])(nil)

// readCSV scans a report, whose body it keeps. The order of the columns does not matter. concealed is true when a row
// does not name its user, in a report whose rows do. Errors are errNotCSV.
func readCSV[T any](form *reportForm[T], table *graphmap.Table, body []byte) (report *csvReport[T], concealed bool, err error) {
	whole := body
	body = bytes.TrimSuffix(bytes.TrimPrefix(body, []byte(byteOrderMark)), []byte("\r"))
	if !looksLikeCSV(body) {
		return nil, false, errNotCSV(nil)
	}
	s := csvScanner{body: body}
	if _, err := s.next(); err != nil {
		return nil, false, errNotCSV(err)
	}
	r := &csvReport[T]{form: form, table: table, whole: whole, body: body}
	if err := r.readHeadings(s.cells); err != nil {
		return nil, false, err
	}
	cells, begin := partCells, 0 // the first row begins a part
	for {
		at := s.at
		more, err := s.next()
		switch {
		case err != nil:
			return nil, false, errNotCSV(err)
		case !more:
			return r, concealed, nil
		case cells >= partCells || at-begin >= partBytes || r.rows-int(r.parts[len(r.parts)-1].row) == partRows:
			r.parts = append(r.parts, csvPart{uint32(at), uint32(r.rows)})
			cells, begin = 0, at
		}
		r.rows++
		cells += len(s.cells)
		concealed = concealed || form.named && concealedNames(lastText(s.cells, r.users), lastText(s.cells, r.displays))
	}
}

// readHeadings names the columns.
func (r *csvReport[T]) readHeadings(cells [][]byte) error {
	headings := make([]string, len(cells))
	for i, cell := range cells {
		text, _ := cellText(cell, nil)
		if len(text) > maxHeading {
			return errNotCSV(errWideRecord)
		}
		headings[i] = string(text)
	}
	r.columns = columnNames(headings)
	for i, name := range r.columns {
		switch foldedName(name) {
		case "userprincipalname":
			r.users = append(r.users, i)
		case "displayname":
			r.displays = append(r.displays, i)
		}
	}
	if !slices.ContainsFunc(r.columns, func(name string) bool { return strings.EqualFold(name, requiredHeading) }) {
		return errNotCSV(nil)
	}
	return nil
}

// foldedName is a heading as the mapping table compares it: letters and digits only, in lower case.
func foldedName(name string) string {
	return strings.Map(func(c rune) rune {
		switch {
		case 'A' <= c && c <= 'Z':
			return c + 'a' - 'A'
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9', c >= utf8.RuneSelf:
			return c
		default:
			return -1
		}
	}, name)
}

// lastText is the text of the last of the columns that has one; the last in the row of a doubled column counts.
func lastText(cells [][]byte, columns []int) string {
	for _, i := range slices.Backward(columns) {
		if i >= len(cells) {
			continue
		}
		if text, _ := cellText(cells[i], nil); len(text) > 0 {
			return string(text)
		}
	}
	return ""
}

// Len implements Rows.
func (r *csvReport[T]) Len() int { return r.rows }

// Cost implements Rows.
func (r *csvReport[T]) Cost() int64 {
	cost := cap(r.whole) + 8*cap(r.parts)
	for _, name := range r.columns {
		cost += 16 + len(name)
	}
	return int64(cost)
}

// refreshed is the day that the report reaches up to, as its first row says.
func (r *csvReport[T]) refreshed() string {
	s, w := csvScanner{body: r.body}, csvWriter{columns: r.columns}
	if _, err := s.next(); err != nil {
		return ""
	}
	if more, err := s.next(); err != nil || !more {
		return ""
	}
	record, err := w.record(s.cells)
	if err != nil {
		return ""
	}
	row, err := r.row(record)
	if err != nil {
		return ""
	}
	return r.form.refreshed(row)
}

// row makes the row of a line. A line is never several rows.
func (r *csvReport[T]) row(record []byte) (row T, err error) {
	rows, err := r.form.rows(r.table, record)
	if err != nil {
		return row, malformed("a usage row cannot be read", err)
	}
	return rows[0], nil
}

// CSVOf returns the text of the CSV report that a page was made of, as Graph sent it; ok is false for any other page. It must not
// be changed.
func CSVOf[T any](page *Page[T]) (text []byte, ok bool) {
	report, ok := page.Lazy.(*csvReport[T])
	if !ok {
		return nil, false
	}
	return report.whole, true
}

// Part implements Rows.
func (r *csvReport[T]) Part(i int) (rows []T, from int, err error) {
	if i < 0 || i >= r.rows {
		return nil, 0, unexpected("a row after the last one of a usage report was asked for", nil)
	}
	n := sort.Search(len(r.parts), func(n int) bool { return int(r.parts[n].row) > i }) - 1
	from, end := int(r.parts[n].row), r.rows
	if n+1 < len(r.parts) {
		end = int(r.parts[n+1].row)
	}
	s := csvScanner{body: r.body, at: int(r.parts[n].offset)}
	w := csvWriter{columns: r.columns}
	rows = make([]T, 0, end-from)
	for range end - from {
		if _, err := s.next(); err != nil {
			return nil, 0, errNotCSV(err)
		}
		record, err := w.record(s.cells)
		if err != nil {
			return nil, 0, err
		}
		row, err := r.row(record)
		if err != nil {
			return nil, 0, err
		}
		rows = append(rows, row)
	}
	return rows, from, nil
}

// csvWriter turns rows into flat JSON records, objects of the headings with texts as values, as the mapping table takes
// them. Empty cells are left out, and cells beyond the headings are kept under "column N", counted from 1.
type csvWriter struct {
	columns       []string
	json, scratch []byte
}

// record writes one row. It is valid until the next one.
func (w *csvWriter) record(cells [][]byte) ([]byte, error) {
	w.json = append(w.json[:0], '{')
	for i, cell := range cells {
		var text []byte
		if text, w.scratch = cellText(cell, w.scratch); len(text) == 0 {
			continue
		}
		var name string
		if i < len(w.columns) {
			name = w.columns[i]
		} else {
			name = "column " + strconv.Itoa(i+1)
		}
		if len(w.json) > 1 {
			w.json = append(w.json, ',')
		}
		var err error
		if w.json, err = jsontext.AppendQuote(w.json, name); err != nil {
			return nil, malformed("a heading of the usage report cannot be written", err)
		}
		if !utf8.Valid(text) {
			text = bytes.ToValidUTF8(text, []byte("\ufffd"))
		}
		w.json = append(w.json, ':')
		if w.json, err = jsontext.AppendQuote(w.json, text); err != nil {
			return nil, malformed("a cell of the usage report cannot be written", err)
		}
	}
	w.json = append(w.json, '}')
	return w.json, nil
}

// columnNames gives each heading a name that no other column has.
func columnNames(headings []string) []string {
	columns := make([]string, len(headings))
	taken := map[string]bool{}
	for i, heading := range headings {
		name := strings.Join(strings.Fields(strings.TrimPrefix(heading, byteOrderMark)), " ")
		if name == "" || taken[strings.ToLower(name)] {
			name = strings.TrimSpace(name + " column " + strconv.Itoa(i+1))
		}
		taken[strings.ToLower(name)] = true
		columns[i] = strings.ToValidUTF8(name, "\ufffd")
	}
	return columns
}

// looksLikeCSV tells text from JSON, HTML, XML, archives and UTF-16 by its first bytes.
func looksLikeCSV(head []byte) bool {
	head = bytes.TrimLeft(bytes.TrimPrefix(head, []byte(byteOrderMark)), " \t\r\n")
	if len(head) == 0 {
		return false
	}
	return bytes.IndexByte(head[:min(len(head), 256)], 0) < 0 && !bytes.ContainsAny(head[:1], "{[<\xfe\xff") && !bytes.HasPrefix(head, []byte("PK"))
}

// csvBody checks the first bytes of a report and returns it with them. It closes a body that is not CSV.
func csvBody(body io.ReadCloser) (io.ReadCloser, error) {
	const look = 512
	r := bufio.NewReaderSize(body, look)
	head, err := r.Peek(look)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, errors.Join(err, body.Close())
	}
	if !looksLikeCSV(head) {
		return nil, errors.Join(errNotCSV(nil), body.Close())
	}
	return struct {
		io.Reader
		io.Closer
	}{r, body}, nil
}
