package wait_test

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-gateway/parley/internal/wait"
)

func TestWithin(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		task, limit, took time.Duration
		ended             bool
	}{
		"in time":  {task: time.Second, limit: time.Minute, took: time.Second, ended: true},
		"too late": {task: time.Hour, limit: time.Minute, took: time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var tasks sync.WaitGroup
				tasks.Go(func() { time.Sleep(c.task) })
				start := time.Now()
				if ended := wait.Within(&tasks, c.limit); ended != c.ended || time.Since(start) != c.took {
					t.Errorf("%v after %v, want %v after %v", ended, time.Since(start), c.ended, c.took)
				}
				tasks.Wait() // nothing is left behind then
			})
		})
	}
}
