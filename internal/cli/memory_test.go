package cli_test

import (
	"math"
	"testing"
)

// TestMemoryLimitOfTheProcess: the limit of the machine is the gateway's. It is set at start unless the
// environment has one, and the cache follows it.
func TestMemoryLimitOfTheProcess(t *testing.T) {
	t.Parallel()
	const mib = 1 << 20
	for name, c := range map[string]struct {
		env, args []string
		cache     float64 // at most
	}{
		"of the machine":     {nil, nil, 256 * mib},
		"of the environment": {[]string{"GOMEMLIMIT=128MiB"}, nil, 32 * mib},
		"and a larger cache": {[]string{"GOMEMLIMIT=128MiB"}, []string{"--cache-size=64MiB"}, 64 * mib},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := spawn(t, "http://127.0.0.1:9", c.env, c.args...)
			limit := p.metric(t, "go_gc_gomemlimit_bytes")
			if c.env == nil {
				if limit <= 0 || limit >= math.MaxInt64/2 {
					t.Errorf("memory limit %g: the machine's is not known", limit)
				}
				return
			}
			if cache := p.metric(t, "parley_cache_limit_bytes"); limit != 128*mib || cache != c.cache {
				t.Errorf("memory limit %g, want 128 MiB; the cache may take %g, want %g", limit, cache, c.cache)
			}
			if shedding := p.metric(t, "parley_memory_shedding"); shedding != 0 {
				t.Error("an idle gateway sheds memory")
			}
		})
	}
}
