package chunk_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/timeline/chunk"
)

// sample returns a chunk with everything that an encoding holds.
func sample(tb testing.TB) *chunk.Chunk {
	tb.Helper()
	at := time.Date(2026, 3, 4, 5, 6, 7, 800, time.UTC)
	entries := []chunk.Entry{{Time: at, Key: "a", Version: 7}, {Time: at.Add(time.Second), Key: "b", Version: -1}, {Time: time.Time{}, Key: "", OutOfWindow: true}}
	for i := range entries {
		if err := entries[i].Replace(&parleyv1.Event{Name: "users/u/events/" + entries[i].Key, Uid: entries[i].Key, Version: entries[i].Version}); err != nil {
			tb.Fatal(err)
		}
	}
	entries[0].Unmapped = []byte("unmapped")
	c := chunk.New(entries)
	c.Edge = []chunk.Stamp{{Time: at, Hash: 1<<63 + 5}}
	c.Rows, c.Duplicates, c.Pages, c.Trimmed = 4, 3, 2, 1
	c.Participants.Verify()
	c.AcceptedStart, c.Unfiltered, c.ReadAt = at.Add(-time.Hour), true, at.Add(time.Minute)
	return c
}

// compared is what two equal chunks have in common.
type compared struct {
	Entries                          []chunk.Entry
	Hashes                           []uint64
	Edge                             []chunk.Stamp
	Rows, Duplicates, Pages, Trimmed int
	AcceptedStart, Read              time.Time
	Unfiltered, Split, Verified      bool
	Basic                            []byte
	Cost                             int64
}

func of(tb testing.TB, c *chunk.Chunk) compared {
	tb.Helper()
	list, err := c.Events(parleyv1.EventView_EVENT_VIEW_BASIC)
	if err != nil {
		tb.Fatal(err)
	}
	var basic []byte
	if n := len(c.Entries); n > 0 {
		basic = list.Part(0, n)
	}
	return compared{
		c.Entries, c.Hashes, c.Edge, c.Rows, c.Duplicates, c.Pages, c.Trimmed, c.AcceptedStart, c.ReadAt, c.Unfiltered, c.Split, c.Participants.AllVerified.Load(), basic, c.Cost(),
	}
}

func TestChunkIsDecodedAsItWas(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]*chunk.Chunk{
		"events": sample(t), "none": chunk.New(nil), "in pieces": {Split: true, ReadAt: time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)},
	} {
		again, err := chunk.Decode(c.Encode())
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if diff := cmp.Diff(of(t, c), of(t, again), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s (-put +got):\n%s", name, diff)
		}
	}
}

func TestEncodedChunkThatIsCutIsRefused(t *testing.T) {
	t.Parallel()
	whole := sample(t).Encode()
	for n := range whole {
		if _, err := chunk.Decode(whole[:n]); err == nil {
			t.Fatalf("the first %d of %d bytes are a chunk", n, len(whole))
		}
	}
	if _, err := chunk.Decode(append(whole, 0)); err == nil {
		t.Error("a byte too many")
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(sample(f).Encode())
	f.Add([]byte{1})
	f.Fuzz(func(t *testing.T, encoded []byte) {
		c, err := chunk.Decode(encoded)
		if err != nil {
			return
		}
		again, err := chunk.Decode(c.Encode())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(of(t, c), of(t, again), cmpopts.EquateEmpty()); diff != "" {
			t.Error(diff)
		}
	})
}
