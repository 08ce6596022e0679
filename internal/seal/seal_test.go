package seal_test

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"github.com/parley-gateway/parley/internal/seal"
)

func fresh(t *testing.T) []byte {
	t.Helper()
	key := make([]byte, 32)
	if _, err := rand.Read(key); err != nil {
		t.Fatal(err)
	}
	return key
}

func keys(t *testing.T, raw ...[]byte) *seal.Keys {
	t.Helper()
	k, err := seal.New(raw...)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestTokensOpenAcrossAKeyRotation(t *testing.T) {
	t.Parallel()
	a, b := fresh(t), fresh(t)
	old, both, later := keys(t, a), keys(t, b, a), keys(t, b)
	plain, bound := []byte("content"), []byte("tenant|caller|request")
	token, err := old.Seal(plain, bound)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := both.Open(token, bound); err != nil || !bytes.Equal(got, plain) {
		t.Errorf("an old token after rotation: %q, %v", got, err)
	}
	if _, err := later.Open(token, bound); !errors.Is(err, seal.ErrRefused) {
		t.Errorf("a token of a dropped key: %v", err)
	}
	token, err = both.Seal(plain, bound)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := later.Open(token, bound); err != nil {
		t.Errorf("the first key does not seal: %v", err)
	}
	if _, err := old.Open(token, bound); !errors.Is(err, seal.ErrRefused) {
		t.Errorf("a token of a newer key: %v", err)
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	k := keys(t, fresh(t))
	token, err := k.Seal([]byte("content"), []byte("a"))
	if err != nil {
		t.Fatal(err)
	}
	if strings.ContainsAny(token, "+/=") {
		t.Errorf("token %q is not URL-safe", token)
	}
	if _, err := k.Open(token, []byte("b")); !errors.Is(err, seal.ErrRefused) {
		t.Errorf("other associated data: %v", err)
	}
	for bit := range 8 * len(token) {
		changed := []byte(token)
		changed[bit/8] ^= 1 << (bit % 8)
		if _, err := k.Open(string(changed), []byte("a")); !errors.Is(err, seal.ErrRefused) {
			t.Fatalf("bit %d of byte %d changed: %v", bit%8, bit/8, err)
		}
	}
	for _, bad := range []string{"", "x", token[:len(token)-1], token + "A", token + "=", strings.Repeat("A", seal.MaxToken+1)} {
		if _, err := k.Open(bad, []byte("a")); !errors.Is(err, seal.ErrRefused) {
			t.Errorf("%.20q: %v", bad, err)
		}
	}
}

func TestKeyFile(t *testing.T) {
	t.Parallel()
	a, b := fresh(t), fresh(t)
	good := "# first seals\n" + base64.StdEncoding.EncodeToString(a) + "\n\n  " + base64.RawURLEncoding.EncodeToString(b) + "  \n"
	k, err := seal.Parse([]byte(good))
	if err != nil {
		t.Fatal(err)
	}
	token, err := k.Seal(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := keys(t, a).Open(token, nil); err != nil {
		t.Errorf("the first line does not seal: %v", err)
	}
	for name, text := range map[string]string{
		"empty": "", "comment": "# nothing\n", "no base64": "?\n", "short": "QUJD\n",
		"long": base64.StdEncoding.EncodeToString(make([]byte, 33)) + "\n",
	} {
		if _, err := seal.Parse([]byte(text)); err == nil {
			t.Errorf("%s: no error", name)
		} else if strings.Contains(err.Error(), "QUJD") {
			t.Errorf("%s: the error quotes the key", name)
		}
	}
}

func FuzzOpen(f *testing.F) {
	k, err := seal.Random()
	if err != nil {
		f.Fatal(err)
	}
	token, err := k.Seal([]byte("content"), nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(token)
	f.Add("")
	f.Add("cAAAAA")
	f.Fuzz(func(t *testing.T, text string) {
		plain, err := k.Open(text, nil)
		if err == nil && text != token {
			t.Errorf("%q opened as %q", text, plain)
		}
	})
}
