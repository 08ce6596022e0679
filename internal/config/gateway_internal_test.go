package config

import (
	"log/slog"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/parley-gateway/parley"
)

// TestDefaultsOfAGateway is of the kind "defaults are the same everywhere": a gateway that is embedded without limits has those of one
// that is served without settings.
func TestDefaultsOfAGateway(t *testing.T) {
	t.Parallel()
	settings, err := Defaults()
	if err != nil {
		t.Fatal(err)
	}
	served, err := settings.gateway(parley.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	embedded, served := (&parley.Config{}).WithDefaults(), served.WithDefaults()
	for what, pair := range map[string][2]any{
		"limits": {embedded.Limits, served.Limits}, "cache": {embedded.Cache, served.Cache}, "settle times": {embedded.Settle, served.Settle},
		"TLS": {embedded.TLS, served.TLS}, "origins": {embedded.CORSOrigins, served.CORSOrigins}, "memory": {embedded.MemoryLimit, served.MemoryLimit},
	} {
		if diff := cmp.Diff(pair[0], pair[1]); diff != "" {
			t.Errorf("%s (-embedded +served):\n%s", what, diff)
		}
	}
}

// TestZeroIsNone is of the kind "a setting of 0 keeps its meaning" where a gateway's configuration has 0 for the default.
func TestZeroIsNone(t *testing.T) {
	t.Parallel()
	settings := Settings{CacheSize: "0"}
	cfg, err := settings.gateway(parley.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	if cfg = cfg.WithDefaults(); cfg.Limits.CallerRate != 0 || cfg.Limits.CallerBurst != 0 || cfg.Cache.MaxAge != 0 || cfg.Cache.Bytes >= 0 {
		t.Errorf("%+v %+v, want no rate, no burst, no cap and no cache", cfg.Limits, cfg.Cache)
	}
}
