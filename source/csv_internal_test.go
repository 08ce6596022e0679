package source

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// cellsOf reads all records with the scanner, as texts.
func cellsOf(body string) ([][]string, error) {
	s := csvScanner{body: bytes.TrimSuffix([]byte(body), []byte("\r"))}
	var all [][]string
	var scratch []byte
	for {
		more, err := s.next()
		if err != nil || !more {
			return all, err
		}
		record := make([]string, len(s.cells))
		for i, cell := range s.cells {
			var text []byte
			text, scratch = cellText(cell, scratch)
			record[i] = string(text)
		}
		all = append(all, record)
	}
}

// standardCells reads them with encoding/csv.
func standardCells(t *testing.T, body string) [][]string {
	t.Helper()
	r := csv.NewReader(strings.NewReader(body))
	r.FieldsPerRecord, r.LazyQuotes = -1, true
	var all [][]string
	for {
		record, err := r.Read()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		for i, cell := range record {
			record[i] = strings.TrimSpace(cell)
		}
		all = append(all, record)
	}
}

func csvTexts() []string {
	return []string{
		"", "\n\r\n\n", "\r", "a\r", "a,b\r\n", "a,\n,\n", ",", "a\r\r\nb", "\r\r\n", "a,b\n\n\r\nc", "a\rb,c",
		`"a"`, `"a""b"`, `"a`, `"`, `""`, `"""`, `""""`, `"a"b"`, `"a"b,c"`, `a"b,c"`, ` "a,b"`, `"a" ,b`, `"a"b",c` + "\n" + `d`,
		"\"a\nb\",c\r\nd", "\"a\r\nb\"\r\nc", "\"a\r\r\nb\"", "\"a\"\r", "\"a\r", "\"a\"\r\r\n\",b", "\"a,\n", "\"\"\"\r\n\"\"\"\n", "\"\r\"\n",
		"Report Refresh Date,User Principal Name\n2026-07-03,ada@contoso.com\n",
	}
}

// TestCSVScannerReadsAsEncodingCSV holds that the scanner reads what encoding/csv reads.
func TestCSVScannerReadsAsEncodingCSV(t *testing.T) {
	t.Parallel()
	for _, body := range csvTexts() {
		got, err := cellsOf(body)
		if diff := cmp.Diff(standardCells(t, body), got); diff != "" || err != nil {
			t.Errorf("%q: %v (-want +got):\n%s", body, err, diff)
		}
	}
}

func FuzzCSVScanner(f *testing.F) {
	for _, body := range csvTexts() {
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body string) {
		got, err := cellsOf(body)
		if errors.Is(err, errWideRecord) {
			return
		}
		if diff := cmp.Diff(standardCells(t, body), got); diff != "" || err != nil {
			t.Errorf("%q: %v (-want +got):\n%s", body, err, diff)
		}
	})
}

// FuzzCSVRecords holds that what was looked over can be read, and that the report and its rows agree on concealed names.
func FuzzCSVRecords(f *testing.F) {
	f.Add("Report Refresh Date,User Principal Name\n2026-07-03,ada@contoso.com\n")
	f.Add("\ufeffreport refresh date,,x,x\r\n\"a\"\"b\",\"c\nd\",=HYPERLINK(1),\xff\r\n")
	f.Add("Report Refresh Date\n\"open")
	f.Add("Report Refresh Date,User Principal Name,userPrincipalName,Display-Name\n,a,\" \",(unknown)\n,,b,\n,a,(Unknown)")
	f.Add("Report Refresh Date,Copilot Activity User Details By Period,Column 4\n1,[{}],2,3\n")
	f.Add("{\"value\":[]}")
	table, err := contractTable()
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, body string) {
		report, concealed, err := readCSV(&usersForm, table, []byte(body))
		if err != nil {
			if !isMissingReport(err) {
				t.Errorf("error %v does not say that this is another form", err)
			}
			return
		}
		seen := false
		for i := 0; i < report.Len(); {
			rows, from, err := report.Part(i)
			if err != nil || from != i || len(rows) == 0 {
				t.Fatalf("part of row %d: %d rows from %d, %v", i, len(rows), from, err)
			}
			for _, row := range rows {
				seen = seen || row.GetIdentityConcealed()
			}
			i += len(rows)
		}
		if seen != concealed {
			t.Errorf("concealed %v, that of the rows %v", concealed, seen)
		}
	})
}

// TestARowIsTheSameFromEveryPart holds that a row is the same from whatever part it is asked, and that all of them come in order.
func TestARowIsTheSameFromEveryPart(t *testing.T) {
	t.Parallel()
	table, err := contractTable()
	if err != nil {
		t.Fatal(err)
	}
	const rows = 3*partRows + 7
	var body strings.Builder
	body.WriteString("Report Refresh Date,User Principal Name\n")
	for i := range rows {
		fmt.Fprintf(&body, "2026-07-03,%d@contoso.com\n\r\n", i)
	}
	report, concealed, err := readCSV(&usersForm, table, []byte(body.String()))
	if err != nil || concealed || report.Len() != rows || len(report.parts) != 4 {
		t.Fatalf("%d rows in %d parts, concealed %v, %v", report.Len(), len(report.parts), concealed, err)
	}
	for i := range rows {
		if i%97 != 0 && i%partRows > 1 && i%partRows < partRows-1 {
			continue
		}
		part, from, err := report.Part(i)
		if err != nil || from != i/partRows*partRows {
			t.Fatalf("row %d is in the part from %d, %v", i, from, err)
		}
		if got, want := part[i-from].GetUserPrincipalName(), fmt.Sprintf("%d@contoso.com", i); got != want {
			t.Errorf("row %d is that of %s", i, got)
		}
	}
	for _, i := range []int{-1, rows} {
		if _, _, err := report.Part(i); err == nil {
			t.Errorf("there is a row %d of %d", i, rows)
		}
	}
}
