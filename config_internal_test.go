package parley

import (
	"strings"
	"testing"
)

// TestTheCacheFollowsTheMemoryLimit: the cache follows the memory limit. What nobody chose is small enough, and what somebody chose
// is refused where it leaves too little.
func TestTheCacheFollowsTheMemoryLimit(t *testing.T) {
	t.Parallel()
	const mib = 1 << 20
	for _, c := range []struct {
		size, limit, want int64
	}{
		{0, 0, 256 * mib},
		{0, 128 * mib, 32 * mib},
		{0, 1024 * mib, 256 * mib},
		{0, 1 << 40, 256 * mib},
		{0, 100, 25},
		{-1, 128 * mib, -1},
		{64 * mib, 128 * mib, 64 * mib},
		{2048 * mib, 0, 2048 * mib},
		{2048 * mib, 4096 * mib, 2048 * mib},
	} {
		cfg := Config{Cache: Cache{Bytes: c.size}, MemoryLimit: c.limit}
		if have, err := cfg.cacheBytes(); err != nil || have != c.want {
			t.Errorf("%d under %d: %d, %v, want %d", c.size, c.limit, have, err, c.want)
		}
	}
	for size, limit := range map[int64]int64{65 * mib: 128 * mib, 100 << 30: 24 << 30, 256 * mib: 511 * mib, 51: 100} {
		cfg := Config{Cache: Cache{Bytes: size}, MemoryLimit: limit}
		have, err := cfg.cacheBytes()
		if err == nil || !strings.Contains(err.Error(), "more than half of the memory limit") || !strings.Contains(err.Error(), "use at most") {
			t.Errorf("%d under %d: %d, %v, want an error that names the limit and the fix", size, limit, have, err)
		}
	}
}

// TestTenantID checks that the same tenant has one id in keys and tokens, however it is written, and that one without an id has one too.
func TestTenantID(t *testing.T) {
	t.Parallel()
	for id, want := range map[string]string{
		"": NilTenant, "8A6D5C1E-0F1B-4E7A-B1A5-6A2F3C4D5E6F": "8a6d5c1e-0f1b-4e7a-b1a5-6a2f3c4d5e6f",
	} {
		if have := (&Tenant{ID: id}).tenantID(); have != want {
			t.Errorf("%q: %s, want %s", id, have, want)
		}
	}
}

// TestVersionOfASource checks which generation of Graph each source is asked in.
func TestVersionOfASource(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		tenant       Tenant
		source, want string
	}{
		{Tenant{}, "chat", "v1.0"},
		{Tenant{Version: "beta"}, "chat", "beta"},
		{Tenant{Version: "beta", Versions: Versions{Chat: "v1.0"}}, "chat", "v1.0"},
		{Tenant{Versions: Versions{Usage: "beta"}}, "usage", "beta"},
		{Tenant{Version: "beta"}, "users", "v1.0"},
	} {
		if have := c.tenant.version(c.source); have != c.want {
			t.Errorf("%s of %+v: %s, want %s", c.source, c.tenant, have, c.want)
		}
	}
}
