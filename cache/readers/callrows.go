package readers

import (
	"time"

	"github.com/parley-gateway/parley/source"
)

// callRows collects the rows of a list, each record once in its newest version.
type callRows struct {
	start, end time.Time
	all        []source.CallRow
	at         map[string]rowPlace
	chain      int // number of the current chain
	size       int64
	packer     *recordPacker

	outOfBounds int // rows whose time lies out of the bounds that Graph was given
}

// rowPlace is the index of a row, and the number of the latest chain that brought it.
type rowPlace struct{ row, chain int }

func newCallRows(start, end time.Time) callRows {
	return callRows{start: start, end: end, at: map[string]rowPlace{}}
}

// repeated reports whether the current chain brought all rows of a page before, in the same or a newer version.
func (c *callRows) repeated(rows []source.CallRow) bool {
	for i := range rows {
		at, known := c.at[rows[i].ID]
		if !known || at.chain != c.chain || rows[i].Version > c.all[at.row].Version {
			return false
		}
	}
	return len(rows) > 0
}

// packedFrom is how many records an index has before others are packed.
const packedFrom = 500

// join adds the rows of another list. The error is that of a record that cannot be unpacked.
func (c *callRows) join(o *callRows) error {
	for i := range o.all {
		row := o.all[i]
		record, err := o.packer.unpack(row.Record)
		if err != nil {
			return err
		}
		row.Record = record
		c.add([]source.CallRow{row})
	}
	return nil
}

// add adds the rows of a page.
func (c *callRows) add(rows []source.CallRow) {
	if c.packer == nil && len(c.all) >= packedFrom {
		if c.packer = newRecordPacker(c.all); c.packer != nil {
			c.size += packerBytes
		}
	}
	for i := range rows {
		if rows[i].Record == nil {
			continue
		}
		packed := rows[i]
		packed.Record = c.packer.pack(packed.Record)
		row := &packed
		at, known := c.at[row.ID]
		if !known {
			c.at[row.ID] = rowPlace{len(c.all), c.chain}
			c.all = append(c.all, *row)
			c.size += sizeOfRow(row)
			if row.OutOfBounds(c.start, c.end) {
				c.outOfBounds++
			}
			continue
		}
		c.at[row.ID] = rowPlace{at.row, c.chain}
		if have := &c.all[at.row]; row.Version > have.Version {
			c.size += sizeOfRow(row) - sizeOfRow(have)
			*have = *row
		}
	}
}

func sizeOfRow(row *source.CallRow) int64 { return indexedRow + int64(len(row.Record)+len(row.ID)) }

// minOutOfBounds is the number of rows out of bounds from which on Graph is taken not to honour the interval.
const minOutOfBounds = 10

// equal reports whether both hold the same versions of the same records of an interval.
func (c *callRows) equal(o *callRows) bool { return c.within(o) && o.within(c) }

// within reports whether the other holds the same version of each record of the interval.
func (c *callRows) within(o *callRows) bool {
	for i := range c.all {
		row := &c.all[i]
		if row.Time.IsZero() || row.Time.Before(c.start) || !row.Time.Before(c.end) {
			continue
		}
		at, known := o.at[row.ID]
		if !known || o.all[at.row].Version != row.Version {
			return false
		}
	}
	return true
}
