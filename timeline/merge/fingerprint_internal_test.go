package merge

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/parley-gateway/parley/timeline/chunk"
)

// named makes entries of keys. A key that begins with "!" is a row out of its window.
func named(keys ...string) []chunk.Entry {
	entries := make([]chunk.Entry, 0, len(keys))
	for _, key := range keys {
		out := key[0] == '!'
		if out {
			key = key[1:]
		}
		entries = append(entries, chunk.Entry{Key: key, Hash: chunk.Hash(key, 0), OutOfWindow: out, At: chunk.NotInChunk})
	}
	return entries
}

// sumOf is the sum of rows by their keys.
func sumOf(keys ...string) (sum rowSum) {
	for _, key := range keys {
		sum = sum.plus(chunk.Hash(key, 0))
	}
	return sum
}

// numbered returns n rows out of their window that no reading has brought before.
func numbered(n int) (keys []string) {
	for i := range n {
		keys = append(keys, fmt.Sprintf("!x%d", i))
	}
	return keys
}

func TestRedatedRowsAreFoundByTheirSum(t *testing.T) {
	t.Parallel()
	abc := []string{"a", "b", "c"}
	for name, test := range map[string]struct {
		token         []string // rows that were delivered
		before, after []string // rows of the new reading up to the position and after it
		redated, sum  []string
	}{
		"all came back":                  {token: abc, before: abc, after: []string{"d", "!x"}, sum: abc},
		"one is missing":                 {token: abc, before: []string{"a", "c"}, after: []string{"d"}, sum: []string{"a", "c"}},
		"one is dated otherwise":         {token: abc, before: []string{"a", "c"}, after: []string{"d", "!b"}, redated: []string{"b"}, sum: abc},
		"two are":                        {token: abc, before: []string{"b"}, after: []string{"!a", "!c"}, redated: []string{"a", "c"}, sum: abc},
		"one is, beside a stranger":      {token: abc, before: []string{"a", "c"}, after: []string{"!x", "!b"}, redated: []string{"b"}, sum: abc},
		"one is missing, and a stranger": {token: abc, before: []string{"a", "c"}, after: []string{"!x"}, sum: abc},
		"one is new": {
			token: abc, before: []string{"a", "b", "c", "n"}, after: []string{"!x"}, sum: []string{"a", "b", "c", "n"},
		},
		"one is new and one dated otherwise": {
			token: abc, before: []string{"a", "c", "n"}, after: []string{"!x", "!b"}, redated: []string{"b"}, sum: []string{"a", "b", "c", "n"},
		},
		"two are new and one dated otherwise": {
			token: abc, before: []string{"a", "c", "n", "o"}, after: []string{"!b"}, redated: []string{"b"}, sum: []string{"a", "b", "c", "n", "o"},
		},
		"three are new": {token: abc, before: []string{"a", "c", "n", "o", "p"}, after: []string{"!b"}, sum: abc},
		"two are new beside more suspects than are tried with two": {
			token: abc, before: []string{"a", "c", "n", "o"}, after: append(numbered(maxSuspectsBesideTwo), "!b"), sum: abc,
		},
		"as many suspects as are tried": {
			token: abc, before: []string{"a", "c"}, after: append(numbered(maxSuspects-1), "!b"), redated: []string{"b"}, sum: abc,
		},
		"more suspects than are tried": {token: abc, before: []string{"a", "c"}, after: append(numbered(maxSuspects), "!b"), sum: abc},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			before := named(test.before...)
			var again []string // the rows of before that the reading brought: all of them count
			for i := range before {
				again = append(again, before[i].Key)
			}
			redated, sum := findRedated(sumOf(test.token...), sumOf(again...), before, named(test.after...))
			var want []uint64
			for _, key := range test.redated {
				want = append(want, chunk.Hash(key, 0))
			}
			slices.Sort(want)
			slices.Sort(redated)
			if diff := cmp.Diff(want, redated); diff != "" {
				t.Errorf("redated rows (-want +got):\n%s", diff)
			}
			if sum != sumOf(test.sum...) {
				t.Error("the sum to go on with is that of other rows")
			}
		})
	}
}

// TestRowSumsDoNotDependOnTheOrder: a sum does not depend on the order, and takes rows off again.
func TestRowSumsDoNotDependOnTheOrder(t *testing.T) {
	t.Parallel()
	if sumOf("a", "b", "c") != sumOf("c", "a", "b") {
		t.Error("the order matters")
	}
	if sumOf("a", "b", "c")-sumOf("a", "c") != sumOf("b") {
		t.Error("the difference is not the sum of the row that is missing")
	}
	if sumOf("a1", "b2") == sumOf("a2", "b1") {
		t.Error("similar keys have one sum")
	}
}
