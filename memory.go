package parley

import (
	"fmt"
	"math"
	"runtime/debug"
	"strconv"

	"github.com/KimMachineGun/automemlimit/memlimit"

	"github.com/parley-gateway/parley/internal/ledger"
)

// maxDefaultCache is the largest default size of the cache, in bytes.
const maxDefaultCache = 256 << 20

// cacheBytes is the memory for cached pages, negative = none: the configured size, which must leave the gateway half of the memory
// limit, or a quarter of the limit.
func (c *Config) cacheBytes() (int64, error) {
	size, limit := c.Cache.Bytes, c.MemoryLimit
	switch {
	case size == 0 && limit <= 0:
		return maxDefaultCache, nil
	case size == 0:
		return min(maxDefaultCache, limit/4), nil
	case limit > 0 && size > limit/2:
		return 0, fmt.Errorf("%s is more than half of the memory limit of %s; use at most %s, or raise the limit (GOMEMLIMIT, the container's memory)",
			sizeText(size), sizeText(limit), sizeText(limit/2))
	default:
		return size, nil
	}
}

// sizeText writes a number of bytes, in the largest unit that it is a whole number of, or rounded down to MiB.
func sizeText(bytes int64) string {
	switch {
	case bytes >= 1<<30 && bytes%(1<<30) == 0:
		return strconv.FormatInt(bytes>>30, 10) + "GiB"
	case bytes >= 1<<20:
		return strconv.FormatInt(bytes>>20, 10) + "MiB"
	default:
		return strconv.FormatInt(bytes, 10)
	}
}

// newLedger returns the ledger of what calls hold: half of the memory limit for all of them, at most 1 GiB, and 1 GiB where the limit is
// unknown. Data is read ahead into half of that. One call may hold an eighth of it, but from 4 to 14 MiB; an admitted call may always take
// a 512th, but 1 MiB at least.
func newLedger(limit int64) *ledger.Ledger {
	const most = 1 << 30
	all := int64(most)
	if limit > 0 {
		all = min(all, limit/2)
	}
	return ledger.New(ledger.Config{Limit: all, Each: min(max(all/8, 4<<20), 14<<20), Floor: max(all/512, 1<<20)})
}

// memoryLimit is the runtime's memory limit, or else what the machine has; 0 = unknown.
func memoryLimit() int64 {
	if limit := debug.SetMemoryLimit(-1); limit > 0 && limit < math.MaxInt64 { // only reads
		return limit
	}
	total, err := memlimit.FromSystem()
	if err != nil || total > math.MaxInt64 {
		return 0
	}
	return int64(total)
}
