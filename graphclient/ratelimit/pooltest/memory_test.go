package pooltest_test

import (
	"testing"

	"github.com/parley-gateway/parley/graphclient/ratelimit/pooltest"
)

func TestMemory(t *testing.T) {
	t.Parallel()
	pooltest.Contract(t, func(t *testing.T) (one, other pooltest.Pools) {
		t.Helper()
		pool := pooltest.NewMemory(2)
		return pool, pool
	})
}
