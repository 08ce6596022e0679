package source

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// csvMust is the heading of a column that every usage report has; without it the text is something else.
const csvMust = "report refresh date"

// maxColumns is more than any report has.
const maxColumns = 1 << 12

const byteOrderMark = "\ufeff"

// errOtherForm marks an answer that is not of the form that was asked for.
var errOtherForm = errors.New("source: the report is of another form")

func errNotCSV(err error) error {
	return malformed("the usage report is not CSV", errors.Join(errOtherForm, err))
}

// eachCSVRecord turns each row of the CSV report into a flat JSON record, an object of its headings with texts as values, as
// the mapping table takes it, and hands it to visit, which must not keep it. The order of the columns does not matter.
// Empty cells are left out, and cells beyond the headings are kept under "column N", counted from 1.
func eachCSVRecord(body []byte, visit func(record []byte) error) error {
	body = bytes.TrimPrefix(body, []byte(byteOrderMark))
	if !looksLikeCSV(body) || tooWide(body) {
		return errNotCSV(nil)
	}
	r := csv.NewReader(bytes.NewReader(body))
	r.FieldsPerRecord, r.ReuseRecord, r.LazyQuotes = -1, true, true
	headings, err := r.Read()
	if err != nil {
		return errNotCSV(err)
	}
	columns := columnNames(headings)
	if !slices.ContainsFunc(columns, func(name string) bool { return strings.EqualFold(name, csvMust) }) {
		return errNotCSV(nil)
	}
	var record []byte
	for {
		cells, err := r.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return errNotCSV(err)
		}
		if record, err = appendCSVRecord(record[:0], columns, cells); err != nil {
			return err
		}
		if err := visit(record); err != nil {
			return err
		}
	}
}

// tooWide reports whether a line has more commas than any report has columns.
func tooWide(body []byte) bool {
	for len(body) > maxColumns {
		line, rest, _ := bytes.Cut(body, []byte("\n"))
		if len(line) > maxColumns && bytes.Count(line, []byte(",")) > maxColumns {
			return true
		}
		body = rest
	}
	return false
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

// appendCSVRecord appends one row as a JSON object.
func appendCSVRecord(record []byte, columns, cells []string) ([]byte, error) {
	record = append(record, '{')
	for i, cell := range cells {
		if cell = strings.TrimSpace(cell); cell == "" {
			continue
		}
		var name string
		if i < len(columns) {
			name = columns[i]
		} else {
			name = "column " + strconv.Itoa(i+1)
		}
		if len(record) > 1 {
			record = append(record, ',')
		}
		var err error
		if record, err = jsontext.AppendQuote(record, name); err != nil {
			return nil, malformed("a heading of the usage report cannot be written", err)
		}
		record = append(record, ':')
		if record, err = jsontext.AppendQuote(record, strings.ToValidUTF8(cell, "\ufffd")); err != nil {
			return nil, malformed("a cell of the usage report cannot be written", err)
		}
	}
	return append(record, '}'), nil
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
