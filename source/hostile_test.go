package source_test

import (
	"context"
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"
	"time"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/graphclient"
	"github.com/parley-gateway/parley/graphclient/graph"
	"github.com/parley-gateway/parley/source"
)

// hostileMax is the most bytes that a report of hostileSize bytes may allocate.
const hostileMax = 32 << 20

// reportGraph has one usage report, as CSV.
type reportGraph struct{ body string }

var (
	_ source.Graph = reportGraph{}

	errNotAsked = errors.New("not asked")
)

func (g reportGraph) Download(context.Context, graph.Request) (*graphclient.Download, error) {
	return &graphclient.Download{Body: io.NopCloser(strings.NewReader(g.body)), ContentType: graphclient.ContentCSV, Requests: 1}, nil
}

func (reportGraph) Page(context.Context, graph.Request) (*graphclient.Page, error) {
	return nil, errNotAsked
}

func (reportGraph) Object(context.Context, graph.Request) (*graphclient.Object, error) {
	return nil, errNotAsked
}

// hostileReport is a CSV report of hostileSize bytes that would take a multiple of it.
type hostileReport struct {
	name, body string
	refused    bool // as none of Graph's
}

func hostileReports() []hostileReport {
	const (
		must  = "Report Refresh Date"
		known = must + ",User Principal Name,Display Name,Last Activity Date,Copilot Chat Last Activity Date," +
			"Microsoft Teams Copilot Last Activity Date,Word Copilot Last Activity Date,Excel Copilot Last Activity Date," +
			"PowerPoint Copilot Last Activity Date,Outlook Copilot Last Activity Date,OneNote Copilot Last Activity Date," +
			"Loop Copilot Last Activity Date,Report Period\r\n"
		usual = "2026-07-03,someone.or.other@contoso.com,Someone Or Other,2026-07-02,2026-07-02,2026-07-01,2026-06-30,,,2026-06-29,,,30\r\n"
		wide  = 4000
	)
	fill := func(head, s string) string { return head + strings.Repeat(s, (hostileSize-len(head))/len(s)) }
	long := strings.Repeat("x", 250)
	return []hostileReport{
		{name: "usual rows", body: fill(known, usual)},
		{name: "rows of two bytes", body: fill(must+"\n", "a\n")},
		{name: "rows that name nobody", body: fill(known, ",\n")},
		{name: "short names", body: fill(must+",User Principal Name,Display Name\n", ",a,b\n")},
		{name: "short names in quotes", body: fill(must+",User Principal Name,Display Name\n", `,"a""","b"`+"\n")},
		{name: "pseudonyms beside names", body: fill(must+",User Principal Name,Display Name\n", ",a@b,"+strings.Repeat("g", 32)+"\n")},
		{name: "unknown columns", body: fill(must+",a,b,c\n", "1,2,3,4,5,6,7,8\n")},
		{name: "long headings", body: fill(must+","+long+"\n", ",a\n")},
		{name: "wide rows", body: fill(must+"\n", strings.Repeat("a,", wide)+"\n")},
		{name: "wide rows under long headings", body: fill(must+strings.Repeat(","+long, 400)+"\n", strings.Repeat("a,", wide)+"\n")},
		{name: "wide empty rows", body: fill(must+"\n", strings.Repeat(",", wide)+"\n")},
		{name: "quoted cells", body: fill(must+",x\n", `"a""b","c`+"\r\n"+`d"`+"\r\n")},
		{name: "long rows", body: fill(must+"\n", strings.Repeat("\x01", 120<<10)+"\n")},
		{name: "long rows of quotes", body: fill(must+"\n", `"`+strings.Repeat(`""`, 60<<10)+`"`+"\n")},
		{name: "invalid UTF-8", body: fill(must+",x\n", "\xff,\xff\xfe\n")},
		{name: "no rows", body: fill(must+"\n", "\r\n")},
		{name: "one cell that is not closed", body: fill(must+"\n\"", "a\n"), refused: true},
		{name: "one row of line ends in quotes", body: fill(must+"\n", "\"\n\","), refused: true},
		{name: "one row of commas", body: fill(must+"\n", ","), refused: true},
		{name: "headings only", body: fill(must, ",a"), refused: true},
		{name: "one heading", body: fill(must+",", "a"), refused: true},
		{name: "another text", body: fill("a", "\na"), refused: true},
	}
}

func readHostile(tb testing.TB, r hostileReport) *source.Page[*parleyv1.CopilotUsageRow] {
	tb.Helper()
	page, err := source.NewUsage(reportGraph{r.body}, source.Options{}).Usage(tb.Context(), source.UsageQuery{Period: "ALL"}, "")
	if r.refused != (err != nil) {
		tb.Errorf("%s: error %v", r.name, err)
	}
	return page
}

// allocated counts the bytes that do allocates.
func allocated(do func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	do()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// TestHostileReportsTakeBoundedMemory shows that 4 MiB of any report allocate at most 32 MiB, all told, with the dearest part of their rows,
// of which one is at hand at a time. It is not parallel: parallel tests wait until it is done, so the count is its own.
//
//nolint:paralleltest // counts the allocations of the whole process
func TestHostileReportsTakeBoundedMemory(t *testing.T) {
	readHostile(t, hostileReports()[0]) // compiles the mapping table
	for _, r := range hostileReports() {
		var page *source.Page[*parleyv1.CopilotUsageRow]
		whole := allocated(func() { page = readHostile(t, r) })
		var dearest uint64
		if page != nil {
			for i := 0; i < page.Len(); i += 1 + page.Len()/4 { // the rows are all alike
				var err error
				dearest = max(dearest, allocated(func() { _, _, err = page.Part(i) }))
				if err != nil {
					t.Errorf("%s: row %d: %v", r.name, i, err)
				}
			}
			if cost := page.Lazy.Cost(); cost < int64(len(r.body)) || cost > 2*int64(len(r.body)) {
				t.Errorf("%s: is said to take %d bytes", r.name, cost)
			}
		}
		if whole+dearest > hostileMax {
			t.Errorf("%s: allocated %.1f MiB, and %.1f MiB for a part of the rows", r.name, float64(whole)/(1<<20), float64(dearest)/(1<<20))
		}
	}
}

// BenchmarkHostileReports fails if a report takes more than a second to read. Rows are those of its first part.
func BenchmarkHostileReports(b *testing.B) {
	for _, r := range hostileReports() {
		b.Run(r.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if page := readHostile(b, r); page != nil && page.Len() > 0 {
					if _, _, err := page.Part(0); err != nil {
						b.Fatal(err)
					}
				}
			}
			if b.Elapsed() > time.Duration(b.N)*time.Second {
				b.Errorf("%v for each", b.Elapsed()/time.Duration(b.N))
			}
		})
	}
}
