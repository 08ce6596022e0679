package cache

import (
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// queueHolds is how many items of size 1 the queues of these tests hold.
const queueHolds = 64

// queueOf returns an empty queue, and a function that puts an item of size 1 and reads it a number of times.
func queueOf() (q *twoQueue[int], put func(key string, reads int)) {
	q = newTwoQueue(queueHolds, func(*item[int]) {})
	return q, func(key string, reads int) {
		q.put(&item[int]{key: key, size: 1, expires: time.Now().Add(time.Hour)})
		for range reads {
			q.get(key)
		}
	}
}

// scan puts many times what the queue holds; each item is read a number of times right after it was put.
func (q *twoQueue[V]) scan(put func(string, int), name string, reads int) {
	for i := range 16 * queueHolds {
		put(name+strconv.Itoa(i), reads)
	}
}

// TestReadOftenSurvivesAScan: what was read often before a scan began is held behind it, although nobody asks for it meanwhile.
func TestReadOftenSurvivesAScan(t *testing.T) {
	t.Parallel()
	for name, between := range map[string]func(q *twoQueue[int]){
		"a limit that stays": func(*twoQueue[int]) {},
		"a limit that shrinks and grows again": func(q *twoQueue[int]) {
			q.resize(queueHolds / 8)
			q.resize(queueHolds)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			q, put := queueOf()
			put("hot", 1000)
			put("once", 1)
			q.scan(put, "before", 0)
			between(q)
			q.scan(put, "behind", 0)
			if q.get("hot") == nil {
				t.Error("a scan dropped what was read a thousand times")
			}
			if q.get("once") != nil {
				t.Error("what was read once is held behind a scan")
			}
			if got := q.bytes(); got != queueHolds {
				t.Errorf("%d bytes are held, the limit is %d", got, queueHolds)
			}
		})
	}
}

// TestReadOftenSurvivesReaders: a scan whose items are read a few times each, as windows are by a caller who walks through them by pages,
// does not drop what is read again and again.
func TestReadOftenSurvivesReaders(t *testing.T) {
	t.Parallel()
	q, put := queueOf()
	put("hot", 1000)
	for i := range 32 * queueHolds {
		put(strconv.Itoa(i), 3)
		if i%(2*queueHolds) == 0 && q.get("hot") == nil {
			t.Fatalf("dropped after %d others", i)
		}
	}
}

// TestReadOftenMakesRoom: what was read often once makes room for what is read now, and at once when it may be served no longer.
func TestReadOftenMakesRoom(t *testing.T) {
	t.Parallel()
	q, put := queueOf()
	for i := range queueHolds / 2 {
		put("old"+strconv.Itoa(i), 1000)
	}
	q.scan(put, "between", 0)
	if q.protected.Len() != queueHolds/2 {
		t.Fatalf("%d items are protected", q.protected.Len())
	}
	q.scan(put, "now", 20)
	if q.get("old0") != nil {
		t.Error("what nobody reads any longer is held for good")
	}

	q, put = queueOf()
	for i := range queueHolds / 2 {
		key := "expired" + strconv.Itoa(i)
		q.put(&item[int]{key: key, size: 1, expires: time.Now()})
		q.promote(q.get(key))
		for range maxReads {
			q.get(key)
		}
	}
	put("new", minReads)
	q.scan(put, "between", 0)
	if q.get("new") == nil {
		t.Error("what has expired makes no room")
	}
}

// TestATwoQueueKeepsItsLimit: whatever is put, read, and promoted, under whatever limits: the bytes are those of the items that are held, and
// never above the limit.
func TestATwoQueueKeepsItsLimit(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		q, limit := newTwoQueue(queueHolds, func(*item[int]) {}), int64(queueHolds)
		for range 200 {
			key := strconv.Itoa(rapid.IntRange(0, 40).Draw(t, "key"))
			switch rapid.IntRange(0, 9).Draw(t, "step") {
			case 0:
				limit = rapid.Int64Range(0, 2*queueHolds).Draw(t, "limit")
				q.resize(limit)
			case 1:
				q.promote(&item[int]{key: key, size: 3, expires: time.Now().Add(time.Hour)})
			case 2, 3, 4, 5:
				if it := q.get(key); it != nil && it.key != key {
					t.Fatalf("%s is found under %s", it.key, key)
				}
			default:
				q.put(&item[int]{key: key, size: rapid.Int64Range(1, queueHolds).Draw(t, "size"), expires: time.Now().Add(time.Hour)})
			}
			var held int64
			for key, it := range q.probation.Oldest() {
				held += it.size
				if _, twice := q.protected.Get(key); twice {
					t.Fatalf("%s is held twice", key)
				}
			}
			for _, it := range q.protected.Oldest() {
				held += it.size
			}
			if got := q.bytes(); got > limit || got != held {
				t.Fatalf("%d bytes of %d, the items have %d", got, limit, held)
			}
		}
	})
}
