package parley

import (
	"fmt"

	"github.com/parley-gateway/parley/internal/seal"
	"github.com/parley-gateway/parley/server/metrics"
	"github.com/parley-gateway/parley/server/reload"
)

// sealKeys seals with the keys of a file that is read again when it changes.
type sealKeys struct{ value *reload.Value[*seal.Keys] }

var _ seal.Sealer = (*sealKeys)(nil)

// Seal implements seal.Sealer.
func (k *sealKeys) Seal(plain, associated []byte) (string, error) {
	return k.value.Get().Seal(plain, associated)
}

// Open implements seal.Sealer.
func (k *sealKeys) Open(token string, associated []byte) ([]byte, error) {
	return k.value.Get().Open(token, associated)
}

// newSealer follows the configured file of keys. Without one it returns nil, which stands for random keys.
func newSealer(cfg *Config, reloads *reloads) (seal.Sealer, error) {
	path := cfg.SealKeysFile
	switch {
	case cfg.sealer != nil:
		return cfg.sealer, nil
	case path == "":
		return nil, nil //nolint:nilnil // the timeline takes nil for random keys
	}
	value, err := sealKeysOf(path, reloads.options(metrics.FilesSealKeys))
	if err != nil {
		return nil, configError("SealKeysFile", err)
	}
	return &sealKeys{value}, nil
}

// sealKeysOf follows a file of keys.
func sealKeysOf(path string, options reload.Options) (*reload.Value[*seal.Keys], error) {
	return reload.New(func(read reload.ReadFunc) (*seal.Keys, error) {
		text, err := read(path)
		if err != nil {
			return nil, err
		}
		keys, err := seal.Parse(text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		return keys, nil
	}, options)
}
