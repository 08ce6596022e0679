package seen_test

import (
	"slices"
	"testing"

	"github.com/parley-gateway/parley/timeline/seen"
)

// TestSetRemembersTheLatestVersions: a set remembers the latest versions, at least as many as a generation holds beside the rows out of their window, and
// all of these rows. A version that repeats as a generation ends is a repetition, too.
func TestSetRemembersTheLatestVersions(t *testing.T) {
	t.Parallel()
	const generation = 1 << 12
	var s seen.Set
	s.AddOutOfWindow(1)
	for id := uint64(2); id < 4*generation; id++ {
		if !s.AddNew(id) {
			t.Fatalf("version %d is new, and was taken for a repetition", id)
		}
		if latest := max(2, int64(id)-generation+2); !s.Has(uint64(latest)) || s.AddNew(uint64(latest)) {
			t.Fatalf("version %d was forgotten at version %d", latest, id)
		}
	}
	if s.Has(2) {
		t.Error("the first version is remembered for ever")
	}
	if !s.Has(1) || !s.HasOutOfWindow(1) || s.HasOutOfWindow(3) {
		t.Error("the row out of its window was forgotten")
	}
}

// TestRunsCountAfterFlush: rows of cached windows count as delivered after Flush, each for its own source.
func TestRunsCountAfterFlush(t *testing.T) {
	t.Parallel()
	var s seen.Set
	s.AddRun([]uint64{10, 20, 30}, 1)
	s.AddRun([]uint64{40}, 2)
	if !s.Empty() || s.Has(10^1) {
		t.Error("runs are in the generations before Flush")
	}
	s.Flush()
	for _, id := range []uint64{10 ^ 1, 20 ^ 1, 30 ^ 1, 40 ^ 2} {
		if !s.Has(id) {
			t.Errorf("%d was forgotten", id)
		}
	}
	if s.Has(40^1) || s.Empty() {
		t.Error("a version of one source counts for the other")
	}
}

// TestTokenGetsTheLatestRowsOutOfTheirWindow: a token gets the latest rows out of their window, at most as many as it asks for.
func TestTokenGetsTheLatestRowsOutOfTheirWindow(t *testing.T) {
	t.Parallel()
	var s seen.Set
	for id := uint64(1); id <= 5; id++ {
		if id == 2 {
			s.Add(id)
		} else {
			s.AddOutOfWindow(id)
		}
	}
	for n, want := range map[int][]uint64{0: {}, 2: {4, 5}, 9: {1, 3, 4, 5}} {
		if got := s.OutOfWindow(n); !slices.Equal(got, want) {
			t.Errorf("the latest %d are %v, want %v", n, got, want)
		}
	}
}

// TestEveryAddedHashIsFound: every hash is found that was added, the zero hash among them, and no other.
func TestEveryAddedHashIsFound(t *testing.T) {
	t.Parallel()
	var h seen.Hashes
	for id := uint64(0); id < 2000; id += 2 {
		if id == 0 {
			continue // it shares its slot with 1
		}
		if h.Has(id) || !h.Add(id) || h.Add(id) || !h.Has(id) {
			t.Fatalf("hash %d", id)
		}
	}
	for id := uint64(3); id < 2000; id += 2 {
		if h.Has(id) {
			t.Errorf("hash %d was never added", id)
		}
	}
	if !h.Add(0) || !h.Has(0) {
		t.Error("the zero hash")
	}
}
