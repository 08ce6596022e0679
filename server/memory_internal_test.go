package server

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"

	"github.com/parley-gateway/parley/server/fault"
)

func TestMemoryShedsNewWork(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		used, looks := int64(0), 0
		l := newLimits(4, 4, newDrainer())
		l.memory = &memory{limit: 1000, live: func() int64 { looks++; return used }}
		time.Sleep(time.Second)
		refused := func(places chan struct{}) bool {
			err := l.enter(places)
			if err == nil {
				leave(places)
				return false
			}
			var f *fault.Error
			if !errors.As(err, &f) || f.Reason != fault.ReasonOverloaded || f.RetryAfter <= 0 {
				t.Errorf("%v", err)
			}
			return true
		}
		for _, c := range []struct {
			used          int64
			streams, rest bool
		}{{100, false, false}, {750, false, false}, {751, true, false}, {850, true, false}, {851, true, true}, {100, false, false}} {
			used = c.used
			time.Sleep(lookAgain)
			if s, r := refused(l.streams), refused(l.calls); s != c.streams || r != c.rest {
				t.Errorf("%d of 1000 in use: streams refused %t, calls %t", c.used, s, r)
			}
		}
		if looks != 6 {
			t.Errorf("%d looks at the heap, want one each 100 ms", looks)
		}
		used = 1000
		time.Sleep(lookAgain)
		probe := &grpc.UnaryServerInfo{FullMethod: "/grpc.health.v1.Health/Check"}
		if _, err := l.unary(t.Context(), nil, probe, func(context.Context, any) (any, error) { return nil, nil }); err != nil {
			t.Error(err)
		}
	})
}

func TestLiveHeap(t *testing.T) {
	t.Parallel()
	if n := liveHeap(); n < 1<<10 || n > 1<<40 {
		t.Errorf("%d bytes in use", n)
	}
	var none *memory
	if none.full(0) {
		t.Error("no limit is full")
	}
}
