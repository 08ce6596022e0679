package parley

import (
	"fmt"
	"log/slog"

	"github.com/parley-gateway/parley/internal/config"
	"github.com/parley-gateway/parley/server/metrics"
	"github.com/parley-gateway/parley/server/reload"
	"github.com/parley-gateway/parley/timeline/seal"
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

// newSealer follows the configured key file. Nil, with a warning, stands for random keys.
func newSealer(s *config.Settings, log *slog.Logger, gauges *metrics.Metrics) (seal.Sealer, error) {
	if s.SealKeysFile == "" {
		log.Warn("no file of keys is set: page and resume tokens end with this process and serve no other replica",
			slog.String("setting", s.Name(&s.SealKeysFile)))
		return nil, nil //nolint:nilnil // the timeline takes nil for random keys
	}
	value, err := reload.New(func(read reload.ReadFunc) (*seal.Keys, error) {
		text, err := read(s.SealKeysFile)
		if err != nil {
			return nil, err
		}
		keys, err := seal.Parse(text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s.SealKeysFile, err)
		}
		return keys, nil
	}, watch("seal keys", log, gauges))
	if err != nil {
		return nil, s.Wrong(&s.SealKeysFile, "%w", err)
	}
	return &sealKeys{value}, nil
}
