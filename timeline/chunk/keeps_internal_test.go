package chunk

import (
	"runtime"
	"testing"
	"time"
	"weak"
)

// TestChunkKeepsNoArrayOfItsRows: a chunk lives on what it has copied, so that a cache holds no more than the chunk says that it costs. An empty
// slice keeps the array alive that it was cut from, as well.
func TestChunkKeepsNoArrayOfItsRows(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		basic, unmapped int // their sizes
		outOfWindow     bool
	}{
		"nothing is unmapped":                 {2000, 0, false},
		"a part is unmapped":                  {2000, 500, false},
		"out of its window":                   {2000, 500, true},
		"out of its window, nothing unmapped": {2000, 0, true},
		"nothing but unmapped":                {0, 500, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, array := chunkOfOneRow(row.basic, row.unmapped, row.outOfWindow)
			runtime.GC()
			if array.Value() != nil {
				t.Error("the array that the row was encoded in is still reachable")
			}
			if e := c.Entries[0]; len(e.Unmapped) != row.unmapped || len(e.Basic) < row.basic {
				t.Errorf("the chunk holds %d and %d bytes of the event, want %d and %d", len(e.Basic), len(e.Unmapped), row.basic, row.unmapped)
			}
		})
	}
}

// chunkOfOneRow returns a chunk, and the array that its row was encoded in.
func chunkOfOneRow(basic, unmapped int, outOfWindow bool) (*Chunk, weak.Pointer[byte]) {
	row := make([]byte, basic+unmapped)
	e := Entry{Time: time.Unix(0, 0), Key: "k", Basic: row[:basic:basic], Unmapped: row[basic:]}
	if outOfWindow {
		e.MarkOutOfWindow(nil)
	}
	return New([]Entry{e}), weak.Make(&row[0])
}
