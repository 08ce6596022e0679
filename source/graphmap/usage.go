package graphmap

import (
	"strconv"

	"google.golang.org/protobuf/proto"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/graphclient/jsonscan"
)

// periodsProperty is the list in which a JSON row of the usage report has what it tells about each period.
const periodsProperty = "copilotActivityUserDetailsByPeriod"

// UsageRows maps a row of the Copilot usage report in JSON to one row per period, in Graph's order; a row without
// periods is one row. Where a period repeats a property of the row, the period's counts. Names are compared without case, spaces and punctuation, so a line of a CSV report is mapped too
// once it is written as an object of its column titles, with all values as text. Errors are ErrRecord and ErrDepth.
func (t *Table) UsageRows(record []byte) ([]*parleyv1.CopilotUsageRow, error) {
	d, err := t.read(t.usage, record)
	if err != nil {
		return nil, err
	}
	defer d.Release()
	row := &parleyv1.CopilotUsageRow{}
	if row.Unmapped, err = d.decode(row); err != nil {
		return nil, err
	}
	if len(d.fanOut) == 0 {
		return []*parleyv1.CopilotUsageRow{row}, nil
	}
	rows := make([]*parleyv1.CopilotUsageRow, len(d.fanOut))
	for i, period := range d.fanOut {
		rows[i] = row
		if i < len(d.fanOut)-1 {
			rows[i] = proto.CloneOf(row)
		}
		if err := t.addPeriod(rows[i], i, d.b[period.from:period.to]); err != nil {
			return nil, err
		}
	}
	return rows, nil
}

// addPeriod lays what a row tells about a period over what it tells about its user.
func (t *Table) addPeriod(row *parleyv1.CopilotUsageRow, place int, record []byte) error {
	period, extra, err := decode(t, t.period, &parleyv1.CopilotUsageRow{}, record)
	if err != nil {
		return err
	}
	proto.Merge(row, period)
	row.Unmapped = Merge(row.GetUnmapped(), extra, periodsProperty, strconv.Itoa(place))
	return nil
}

// UsageRow maps a row that has at most one period, as those of CSV reports. Of several periods it keeps the first; use
// UsageRows where there may be more.
func (t *Table) UsageRow(record []byte) (*parleyv1.CopilotUsageRow, error) {
	rows, err := t.UsageRows(record)
	if err != nil {
		return nil, err
	}
	return rows[0], nil
}

// fanned sets the objects of the fan-out list at i aside, each of which becomes a row of rowSize bytes; what else the list holds is
// kept in unmapped.
func (d *Draft) fanned(i, depth, rowSize int) (end int, ok bool) {
	if depth > MaxDepth {
		return i, false
	}
	i = jsonscan.Space(d.b, i+1)
	if i < len(d.b) && d.b[i] == ']' {
		return i + 1, true
	}
	d.path = append(d.path, step{})
	defer d.pop()
	for n := 0; ; n++ {
		d.path[len(d.path)-1].index = n
		switch start := i; {
		case d.exhausted():
			return d.addExtraRest(i, depth)
		case i < len(d.b) && d.b[i] == '{':
			d.budget -= rowTimes * rowSize
			if i, ok = jsonscan.Skip(d.b, i, depth); ok {
				d.fanOut = append(d.fanOut, span{start, i})
			}
		case i < len(d.b) && d.b[i] == 'n':
			i, ok = jsonscan.Literal(d.b, i)
		default:
			i, ok = d.addExtraValue(i, depth)
		}
		if !ok {
			return i, false
		}
		var more bool
		if i, more, ok = jsonscan.Next(d.b, i, ']'); !ok || !more {
			return i, ok
		}
	}
}
