package graphmap

import (
	"bytes"
	"strconv"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
)

// periodsProperty is the list in which a JSON row of the usage report has what it tells about each period.
const periodsProperty = "copilotActivityUserDetailsByPeriod"

// UsageRows maps a row of the Copilot usage report in JSON to one row per period, in Graph's order; a row without
// periods is one row. Where a period repeats a property of the row, the period's counts. Names are compared without case, spaces and punctuation, so a line of a CSV report is mapped too
// once it is written as an object of its column titles, with all values as text. Errors are ErrRecord and ErrDepth.
func (t *Table) UsageRows(record []byte) ([]*parleyv1.CopilotUsageRow, error) {
	d := t.decoder()
	defer t.putBack(d)
	row := &parleyv1.CopilotUsageRow{}
	if err := d.record(t.usage, &target{row.ProtoReflect()}, record); err != nil {
		return nil, err
	}
	row.Unmapped = prune(d.extra)
	periods := d.fan
	if len(periods) == 0 {
		return []*parleyv1.CopilotUsageRow{row}, nil
	}
	rows := make([]*parleyv1.CopilotUsageRow, len(periods))
	for i, period := range periods {
		rows[i] = row
		if i < len(periods)-1 {
			rows[i] = proto.CloneOf(row)
		}
		if err := d.record(t.period, &target{rows[i].ProtoReflect()}, period); err != nil {
			return nil, err
		}
		rows[i].Unmapped = Merge(rows[i].GetUnmapped(), d.extra, periodsProperty, strconv.Itoa(i))
	}
	return rows, nil
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

// fanned sets the objects of a fan-out list aside, each of which becomes a row of rowSize bytes; what else the list holds is kept in unmapped.
func (d *decoder) fanned(name string, rowSize int) error {
	if err := d.enter(); err != nil {
		return err
	}
	d.path = append(d.path, step{name: name, index: -1})
	d.fan = nil
	d.forget()
	d.path = append(d.path, step{})
	defer func() { d.path = d.path[:len(d.path)-2] }()
	for i := 0; d.json.PeekKind() != ']'; i++ {
		d.path[len(d.path)-1].index = i
		if d.spent() {
			rest, err := d.restOfList()
			if err != nil {
				return err
			}
			d.keep(rest)
			break
		}
		if d.json.PeekKind() == '{' {
			d.left -= rowTimes * rowSize
			raw, err := d.json.ReadValue()
			if err != nil {
				return err
			}
			d.fan = append(d.fan, bytes.Clone(raw))
			continue
		}
		v, err := d.raw()
		if err != nil {
			return err
		}
		if _, null := v.GetKind().(*structpb.Value_NullValue); !null {
			d.keep(v)
		}
	}
	_, err := d.json.ReadToken()
	return err
}
