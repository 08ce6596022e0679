package parley

import (
	"crypto/rand"
	"encoding/base64"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-gateway/parley/server/metrics"
)

// TestSealKeysRotate walks a key file through a rotation while tokens are out.
func TestSealKeysRotate(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "keys")
	line := func() string {
		raw := make([]byte, 32)
		if _, err := rand.Read(raw); err != nil {
			t.Fatal(err)
		}
		return base64.StdEncoding.EncodeToString(raw)
	}
	first, second := line(), line()
	stats, err := metrics.New("test", "")
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		write := func(lines ...string) {
			t.Helper()
			if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")), 0o600); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Minute)
		}
		write(first)
		keys, err := newSealer(&Config{SealKeysFile: path}, &reloads{log: slog.New(slog.DiscardHandler), stats: stats})
		if err != nil {
			t.Fatal(err)
		}
		about := []byte("request")
		seal := func() string {
			t.Helper()
			token, err := keys.Seal([]byte("position"), about)
			if err != nil {
				t.Fatal(err)
			}
			return token
		}
		opens := func(token string) bool {
			plain, err := keys.Open(token, about)
			return err == nil && string(plain) == "position"
		}
		old := seal()
		write(second, first)
		fresh := seal()
		if !opens(old) || !opens(fresh) {
			t.Error("a rotation broke tokens that are out")
		}
		write("no key at all")
		if !opens(old) || !opens(fresh) {
			t.Error("a broken file broke tokens that are out")
		}
		write(second)
		if opens(old) || !opens(fresh) {
			t.Error("the key that was dropped still opens, or the new one does not")
		}
	})
	missing := &Config{SealKeysFile: path + ".none", Logger: slog.New(slog.DiscardHandler)}
	if _, err := newSealer(missing, &reloads{log: slog.New(slog.DiscardHandler), stats: stats}); err == nil {
		t.Error("a missing file is no error")
	}
}
