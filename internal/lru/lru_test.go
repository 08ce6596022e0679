package lru_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/parley-gateway/parley/internal/lru"
)

// keys lists the keys of a cache, the one used last first.
func keys[K comparable, V any](c *lru.Cache[K, V]) []K {
	all := []K{}
	for key := range c.All() {
		all = append(all, key)
	}
	return all
}

func TestLeastRecentlyUsedGoesFirst(t *testing.T) {
	t.Parallel()
	var gone []string
	c := lru.New(3, func(key string, value int) {
		if value == 0 {
			t.Errorf("%s left without its value", key)
		}
		gone = append(gone, key)
	})
	for i, key := range []string{"a", "b", "c"} {
		c.Put(key, i+1)
	}
	if v, ok := c.Get("a"); !ok || v != 1 {
		t.Errorf("a is %d, %v", v, ok)
	}
	c.Put("d", 4)
	c.Put("c", 5)
	c.Delete("nobody")
	if diff := cmp.Diff([]string{"c", "d", "a"}, keys(c)); diff != "" {
		t.Error(diff)
	}
	if v, ok := c.Get("b"); ok || v != 0 {
		t.Errorf("b is still there: %d", v)
	}
	c.Resize(1)
	if diff := cmp.Diff([]string{"b", "a", "d"}, gone); diff != "" {
		t.Error(diff)
	}
	for key := range c.All() {
		c.Delete(key)
	}
	if c.Len() != 0 || c.Cost() != 0 {
		t.Errorf("%d entries of cost %d after all were deleted", c.Len(), c.Cost())
	}
	if diff := cmp.Diff([]string{"b", "a", "d"}, gone); diff != "" {
		t.Error("a deletion is no eviction:", diff)
	}
}

func TestOldestEntriesMakeRoomByCost(t *testing.T) {
	t.Parallel()
	c := lru.New[string, bool](10, nil)
	c.PutCost("a", true, 4)
	c.PutCost("b", true, 6)
	c.PutCost("c", true, 5)
	if diff := cmp.Diff([]string{"c"}, keys(c)); diff != "" || c.Cost() != 5 {
		t.Errorf("cost %d: %s", c.Cost(), diff)
	}
	c.PutCost("c", true, 11)
	if c.Len() != 0 || c.Cost() != 0 {
		t.Errorf("a value above the limit: %d entries of cost %d", c.Len(), c.Cost())
	}
	c.PutCost("a", true, 4)
	c.Clear()
	if c.Len() != 0 || c.Cost() != 0 || len(keys(c)) != 0 {
		t.Errorf("cleared: %d entries of cost %d", c.Len(), c.Cost())
	}
	c.PutCost("a", true, 4)
	c.Resize(0)
	if c.Len() != 0 || c.Cost() != 0 {
		t.Errorf("no room: %d entries of cost %d", c.Len(), c.Cost())
	}
}

// TestAgainstAList holds a Cache against the simplest one: a list of keys and costs.
func TestAgainstAList(t *testing.T) {
	t.Parallel()
	type held struct {
		key  int
		cost int64
	}
	rapid.Check(t, func(t *rapid.T) {
		limit := int64(20)
		var list []held // the one used last first
		c := lru.New[int, int64](limit, nil)
		forget := func(key int) (held, bool) {
			at := slices.IndexFunc(list, func(h held) bool { return h.key == key })
			if at < 0 {
				return held{}, false
			}
			h := list[at]
			list = slices.Delete(list, at, at+1)
			return h, true
		}
		trim := func() (cost int64) {
			for i, h := range list {
				if cost+h.cost > limit {
					list = list[:i]
					break
				}
				cost += h.cost
			}
			return cost
		}
		for range 100 {
			key, cost := rapid.IntRange(0, 9).Draw(t, "key"), rapid.Int64Range(1, 8).Draw(t, "cost")
			switch rapid.IntRange(0, 3).Draw(t, "step") {
			case 0:
				h, known := forget(key)
				if known {
					list = slices.Insert(list, 0, h)
				}
				if v, ok := c.Get(key); ok != known || v != h.cost {
					t.Fatalf("%d is %d, %v, want %d, %v", key, v, ok, h.cost, known)
				}
			case 1:
				forget(key)
				c.Delete(key)
			case 2:
				limit = rapid.Int64Range(8, 24).Draw(t, "limit")
				c.Resize(limit)
			default:
				forget(key)
				list = slices.Insert(list, 0, held{key, cost})
				c.PutCost(key, cost, cost)
			}
			total := trim()
			want := make([]int, 0, len(list))
			for _, h := range list {
				want = append(want, h.key)
			}
			var oldest []int
			for key := range c.Oldest() {
				oldest = append(oldest, key)
			}
			slices.Reverse(oldest)
			if !slices.Equal(want, oldest) {
				t.Fatalf("the oldest are %v at last, want %v", oldest, want)
			}
			if diff := cmp.Diff(want, keys(c)); diff != "" || c.Cost() != total || c.Len() != len(list) {
				t.Fatalf("cost %d, want %d: %s", c.Cost(), total, diff)
			}
		}
	})
}
