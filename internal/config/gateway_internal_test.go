package config

import (
	"errors"
	"log/slog"
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/parley-gateway/parley"
)

// TestDefaultsOfAGateway: defaults are the same everywhere. A gateway that is embedded without limits has those of one
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
		"TLS": {embedded.TLS, served.TLS}, "origins": {embedded.CORSOrigins, served.CORSOrigins}, "memory": {embedded.MemoryLimit, served.MemoryLimit}, "shutdown": {embedded.Shutdown, served.Shutdown},
	} {
		if diff := cmp.Diff(pair[0], pair[1]); diff != "" {
			t.Errorf("%s (-embedded +served):\n%s", what, diff)
		}
	}
}

// TestZeroKeepsItsMeaning: a setting of 0 keeps its meaning where a gateway's configuration has 0 for the default.
func TestZeroKeepsItsMeaning(t *testing.T) {
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

// withoutSetting are the fields of a gateway's configuration that a program sets and no setting describes.
var withoutSetting = map[string]bool{
	"GRPC.Listener": true, "HTTP.Listener": true, "Admin.Listener": true, "Metrics.Listener": true, "MemoryLimit": true, "SetGCPercent": true, "Logger": true,
	"Registerer": true, "Version": true, "Revision": true, "TracerProvider": true, "ExampleUser": true, "Tenants[x].TokenCredential": true,
}

// TestEveryFieldNamesItsSetting: an error names what the reader wrote. The error of any field of a gateway's
// configuration becomes the error of a setting.
func TestEveryFieldNamesItsSetting(t *testing.T) {
	t.Parallel()
	settings := &Settings{Tenants: map[string]Settings{"x": {}}}
	paths := append(fieldPaths("", reflect.TypeFor[parley.Config]()), fieldPaths("Tenants[x].", reflect.TypeFor[parley.Tenant]())...)
	for _, path := range paths {
		var named *Error
		got := settings.Translate(&parley.ConfigError{Field: path, Problem: "is wrong"})
		if ok := errors.As(got, &named); ok == withoutSetting[path] {
			t.Errorf("%s: %v (%T)", path, got, got)
		}
	}
	if len(paths) < 50 {
		t.Errorf("%d fields", len(paths))
	}
}

// beforeTheGateway are the settings that the command line uses itself: no gateway has them.
var beforeTheGateway = map[string]bool{"log-level": true, "log-format": true}

// TestEverySettingReachesTheGateway changes one setting at a time, and finds another configuration of the gateway each time.
func TestEverySettingReachesTheGateway(t *testing.T) {
	for _, variable := range []string{"HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"} {
		t.Setenv(variable, "") // else the proxy of the machine takes the place of none
	}
	usual, err := Defaults()
	if err != nil {
		t.Fatal(err)
	}
	usual.AuthMode = "oidc" // a gateway that is not asked who calls has no issuer
	configOf := func(s Settings) parley.Config {
		cfg, err := s.gateway(parley.Config{Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		return cfg
	}
	texts := map[string]string{
		"auth-mode": "mtls", "cache-size": "1MiB", "explorer": "on", "proxy-url": "http://proxy.example:3128", "reflection": "on",
	}
	for _, spec := range settingSpecs() {
		changed := usual
		switch value := changed.field(spec); value.Kind() {
		case reflect.String:
			text, given := texts[spec.flag]
			if !given {
				text = "other"
			}
			value.SetString(text)
		case reflect.Bool:
			value.SetBool(!value.Bool())
		case reflect.Float64:
			value.SetFloat(value.Float() + 1)
		default:
			value.SetInt(value.Int() + 1)
		}
		differs := !equalConfigs(configOf(usual), configOf(changed))
		if differs == beforeTheGateway[spec.flag] {
			t.Errorf("%s: the configuration of the gateway differs: %t", spec.flag, differs)
		}
	}
}

// equalConfigs compares two configurations. Of the functions it compares whether they are set.
func equalConfigs(a, b parley.Config) bool {
	sameProxy := (a.Proxy == nil) == (b.Proxy == nil)
	a.Proxy, b.Proxy = nil, nil
	a.Logger, b.Logger = nil, nil
	return sameProxy && reflect.DeepEqual(a, b)
}

// fieldPaths lists the paths of the fields of a struct; a field that is a struct of the same package counts by its own fields.
func fieldPaths(prefix string, of reflect.Type) []string {
	var paths []string
	for field := range of.Fields() {
		if !field.IsExported() {
			continue // no program sets it
		}
		inner := field.Type
		if inner.Kind() == reflect.Pointer {
			inner = inner.Elem()
		}
		if inner.Kind() == reflect.Struct && inner.PkgPath() == of.PkgPath() {
			paths = append(paths, fieldPaths(prefix+field.Name+".", inner)...)
			continue
		}
		paths = append(paths, prefix+field.Name)
	}
	return paths
}
