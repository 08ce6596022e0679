package interceptor

import (
	"context"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/internal/shares"
	"github.com/parley-gateway/parley/server/apierror"
	"github.com/parley-gateway/parley/server/callinfo"
	"github.com/parley-gateway/parley/server/metrics"
)

// enter notes the caller on its connection, refuses what must not begin now (shutdown, memory), and takes cost places of a pool, within the
// caller's share. The pool calls evict to end the work for others.
func (l *Limits) enter(ctx context.Context, info *callinfo.Info, places *shares.Pool, cost int, evict func()) (*shares.Place, error) {
	info.Hold.NoteCaller(info.CallerID)
	if l.Shutdown.Begun() && (places == l.streams || !l.Announced) {
		return nil, errShuttingDown()
	}
	refuses, cause, kind := l.Memory.RefusesCalls, metrics.ShedCalls, "calls"
	if places == l.streams {
		refuses, cause, kind = l.Memory.RefusesStreams, metrics.ShedStreams, "streams"
	}
	if refuses() {
		l.Shed(metrics.ShedMemory)
		return nil, overloaded("the gateway's memory is in use; running calls end first")
	}
	place, err := places.Enter(ctx, info.CallerID, l.weight(info), cost, evict)
	if err != nil {
		l.Shed(cause)
		return nil, overloaded("the gateway is at its limit of " + kind + " at one time, of which this caller has a share")
	}
	return place, nil
}

// weight is how many shares the caller of a call has.
func (l *Limits) weight(info *callinfo.Info) float64 { return l.Policy.Current().Weight(info.Caller) }

func overloaded(message string) *apierror.Error {
	return apierror.New(parleyv1.ErrorReason_ERROR_REASON_OVERLOADED, message)
}

// rowsOfPlace is how many rows of a page one place stands for.
const rowsOfPlace = 250

// costOf is how many places a call takes: more for large pages, and for filters, which read more than they answer.
func costOf(req any) int {
	cost := 1
	if paged, ok := req.(interface{ GetPageSize() int32 }); ok {
		cost += min(max(int(paged.GetPageSize()), 0), 1000) / rowsOfPlace
	}
	if filtered, ok := req.(interface{ GetFilter() string }); ok && filtered.GetFilter() != "" {
		cost++
	}
	return cost
}
