package graphmap

import (
	"strconv"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/graphclient/jsonscan"
)

// periodsProperty is the list in which a JSON row of the usage report has an object for each period.
const periodsProperty = "copilotActivityUserDetailsByPeriod"

// Lists in which JSON rows of the reports that count users have an object for each product, and for each day.
const (
	productsProperty = "adoptionByProduct"
	daysProperty     = "adoptionByDate"
)

// UsageRows maps a row of the Copilot usage report in JSON to one row per period, in Graph's order; a row without
// periods is one row. Where row and period have the same property, that of the period is used. Names are compared without case, spaces and
// punctuation, so that a line of a CSV report is mapped too, written as an object of its column titles with all values as text. Errors are
// ErrRecord and ErrDepth.
func (t *Table) UsageRows(record []byte) ([]*parleyv1.CopilotUsageRow, error) {
	return reportRows(t, t.usage, record, func() *parleyv1.CopilotUsageRow { return &parleyv1.CopilotUsageRow{} })
}

// UsageSummaries maps a row of the summary of Copilot users to one entry per period, as UsageRows.
func (t *Table) UsageSummaries(record []byte) ([]*parleyv1.CopilotUsageCounts, error) {
	return reportRows(t, t.summary, record, newCounts)
}

// UsageTrends maps a row of the trend of Copilot users to one entry per day, as UsageRows.
func (t *Table) UsageTrends(record []byte) ([]*parleyv1.CopilotUsageCounts, error) {
	return reportRows(t, t.trend, record, newCounts)
}

func newCounts() *parleyv1.CopilotUsageCounts { return &parleyv1.CopilotUsageCounts{} }

// reportRow is a row of a report.
type reportRow interface {
	proto.Message
	GetUnmapped() *structpb.Struct
}

// setUnmapped sets the properties that no field of a row takes.
func setUnmapped(row reportRow, extra *structpb.Struct) {
	switch row := row.(type) {
	case *parleyv1.CopilotUsageRow:
		row.Unmapped = extra
	case *parleyv1.CopilotUsageCounts:
		row.Unmapped = extra
	}
}

// reportRows maps a record of a report, whose plan may fan out.
func reportRows[M reportRow](t *Table, p *plan, record []byte, empty func() M) ([]M, error) {
	d, err := t.read(p, record)
	if err != nil {
		return nil, err
	}
	defer d.Release()
	row := empty()
	extra, err := d.decode(row)
	if err != nil {
		return nil, err
	}
	setUnmapped(row, extra)
	if len(d.fanOut) == 0 {
		return []M{row}, nil
	}
	rows := make([]M, len(d.fanOut))
	for i, part := range d.fanOut {
		rows[i] = row
		if i < len(d.fanOut)-1 {
			rows[i] = proto.CloneOf(row)
		}
		inner, extra, err := readMessage(t, p.rowPlan, empty(), d.record[part.from:part.to])
		if err != nil {
			return nil, err
		}
		proto.Merge(rows[i], inner)
		setUnmapped(rows[i], Merge(rows[i].GetUnmapped(), extra, p.fanOut, strconv.Itoa(i)))
	}
	return rows, nil
}

// fanOutList notes the objects of the fan-out list at i in fanOut; each becomes a row of rowSize bytes. Other elements of the list go to
// unmapped.
func (d *Draft) fanOutList(i, depth, rowSize int) (end int, ok bool) {
	if depth > MaxDepth {
		return i, false
	}
	i = jsonscan.Space(d.record, i+1)
	if i < len(d.record) && d.record[i] == ']' {
		return i + 1, true
	}
	d.path = append(d.path, step{})
	defer d.pop()
	for n := 0; ; n++ {
		d.path[len(d.path)-1].index = n
		switch start := i; {
		case d.exhausted():
			return d.addExtraRest(i, depth)
		case i < len(d.record) && d.record[i] == '{':
			d.budget -= rowTimes * rowSize
			if i, ok = jsonscan.Skip(d.record, i, depth); ok {
				d.fanOut = append(d.fanOut, span{start, i})
			}
		case i < len(d.record) && d.record[i] == 'n':
			i, ok = jsonscan.Literal(d.record, i)
		default:
			i, ok = d.addExtraValue(i, depth)
		}
		if !ok {
			return i, false
		}
		var more bool
		if i, more, ok = jsonscan.Next(d.record, i, ']'); !ok || !more {
			return i, ok
		}
	}
}
