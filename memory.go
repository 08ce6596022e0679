package parley

import (
	"log/slog"
	"math"
	"os"
	"runtime/debug"

	"github.com/KimMachineGun/automemlimit/memlimit"

	"github.com/parley-gateway/parley/internal/ledger"
)

// LimitMemory sets the runtime's memory limit to nine tenths of what the process's cgroup may take, or the machine has,
// unless GOMEMLIMIT or AUTOMEMLIMIT says otherwise. It is for processes that are a gateway and nothing else.
func LimitMemory(log *slog.Logger) {
	_, err := memlimit.Set(memlimit.WithProvider(memlimit.ApplyFallback(memlimit.FromCgroup, memlimit.FromSystem)))
	if err != nil {
		log.Warn("the memory limit is unknown: set GOMEMLIMIT to nine tenths of what the process may take", slog.Any("error", err))
	}
}

// OwnsProcess lets the gateway set how often the garbage collector runs, unless GOGC does. It is called before Start, and
// for processes that are a gateway and nothing else.
func (g *Gateway) OwnsProcess() {
	if os.Getenv("GOGC") == "" {
		g.memory.Tune(debug.SetGCPercent)
	}
}

// readAhead bounds what streams hold by the memory limit: half of it for all, of which they use half to read ahead, so that
// a quarter stays for the cache and the rest for everything else.
func readAhead(limit int64) *ledger.Ledger {
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
