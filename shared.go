package parley

import (
	"errors"
	"fmt"

	"github.com/parley-gateway/parley/cache/shared"
	"github.com/parley-gateway/parley/graphclient/ratelimit"
	"github.com/parley-gateway/parley/internal/redisstore"
	"github.com/parley-gateway/parley/internal/seal"
	"github.com/parley-gateway/parley/server/metrics"
	"github.com/parley-gateway/parley/server/reload"
)

// sharing has the parts of a gateway that it shares with other replicas. A nil one shares nothing.
type sharing struct {
	store  *redisstore.Store
	values *shared.Values
	keys   *sharedKeys
}

var errNoSharedKeys = errors.New("is needed with a shared store: what replicas put there is sealed; write a key by `openssl rand -base64 32`, the same for all replicas")

// newSharing makes the shared store that cfg describes; nil = none. It connects to nobody before start.
func newSharing(cfg *Config, stats *metrics.Metrics, reloads *reloads) (*sharing, error) {
	storeCfg := cfg.Shared
	if storeCfg.URL == "" {
		return nil, storeCfg.unused()
	}
	if storeCfg.KeysFile == "" {
		return nil, configError("Shared.KeysFile", errNoSharedKeys)
	}
	observer, err := stats.Shared(redisstore.Operations(), redisstore.Results())
	if err != nil {
		return nil, err
	}
	sealKeys, err := sealKeysOf(storeCfg.KeysFile, reloads.options(metrics.FilesSharedKeys))
	if err != nil {
		return nil, configError("Shared.KeysFile", err)
	}
	keys := &sharedKeys{sealKeys}
	store, err := redisstore.New(redisstore.Config{
		URL: storeCfg.URL, Username: storeCfg.Username, PasswordFile: storeCfg.PasswordFile, CAFile: storeCfg.CAFile, Prefix: storeCfg.Prefix, Timeout: storeCfg.Timeout,
		Names:    keys.Name,
		Observer: observer,
	}, cfg.Logger)
	if err != nil {
		return nil, renamed(err, map[string]string{
			"URL": "Shared.URL", "Username": "Shared.Username", "PasswordFile": "Shared.PasswordFile", "CAFile": "Shared.CAFile",
			"Prefix": "Shared.Prefix", "Timeout": "Shared.Timeout",
		})
	}
	values, err := shared.New(shared.Config{
		Store: store, Leases: store, Sealer: keys, Build: cfg.Version + " " + cfg.Revision, Observer: observer,
	})
	if err != nil {
		store.Close()
		return nil, fmt.Errorf("shared store: %w", err)
	}
	return &sharing{store, values, keys}, nil
}

// sharedValues is the store of the values that replicas share; nil = they share none.
func (s *sharing) sharedValues() *shared.Values {
	if s == nil {
		return nil
	}
	return s.values
}

// limitPool is where replicas keep limits and callers' days.
type limitPool interface {
	ratelimit.Pool
	ratelimit.DayPool
}

// pool is where the replicas of one application keep its limits in a tenant; nil = each keeps its own.
func (s *sharing) pool(own *Tenant) limitPool {
	if s == nil {
		return nil
	}
	return s.store.Pool(own.tenantID()+" "+own.ClientID, s.keys.Name)
}

// start connects to the store.
func (s *sharing) start() {
	if s != nil {
		s.store.Start()
	}
}

func (s *sharing) close() {
	if s != nil {
		s.values.Close()
		s.store.Close()
	}
}

// unused reports settings of a store without a store.
func (s *Shared) unused() error {
	var wrong configErrors
	for field, value := range map[string]string{
		"Username": s.Username, "PasswordFile": s.PasswordFile, "CAFile": s.CAFile, "KeysFile": s.KeysFile,
	} {
		if value != "" {
			wrong.addf("Shared."+field, "is for a shared store; give its URL, or unset it")
		}
	}
	return wrong.join()
}

// sharedKeys seals values with the keys of a file that is read again when it changes.
type sharedKeys struct{ value *reload.Value[*seal.Keys] }

var _ shared.Sealer = (*sharedKeys)(nil)

// Name implements shared.Sealer.
func (k *sharedKeys) Name(key string) string { return k.value.Get().Name(key) }

// SealBytes implements shared.Sealer.
func (k *sharedKeys) SealBytes(plain, associated []byte) ([]byte, error) {
	return k.value.Get().SealBytes(plain, associated)
}

// OpenBytes implements shared.Sealer.
func (k *sharedKeys) OpenBytes(sealed, associated []byte) ([]byte, error) {
	return k.value.Get().OpenBytes(sealed, associated)
}
