// Package seal encrypts and authenticates cursors and shared values: AES-256-GCM under one of several keys, bound to associated data.
// The first key seals, every key opens, so that keys can be rotated without breaking the tokens of running exports.
package seal

import (
	"bufio"
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"github.com/tink-crypto/tink-go/v2/aead/subtle"
)

const (
	keySize = 32  // AES-256
	idSize  = 4   // bytes of the digest that names a key inside a token
	format  = 'p' // first byte of every token; another one is another format
	// formatBytes is the first byte of what SealBytes returns.
	formatBytes = 's'
	// MaxToken is the longest token that Open looks at, in bytes; requests are limited to the same.
	MaxToken = 16384
)

// ErrRefused is the only error of Open: it does not tell why, so that nobody learns from it.
var ErrRefused = errors.New("the token is not valid for this request")

// Sealer makes opaque tokens and opens them again.
type Sealer interface {
	// Seal encrypts plain; associated must be the same when the token is opened. The token is URL-safe text.
	Seal(plain, associated []byte) (string, error)
	// Open returns what Seal was given, or ErrRefused.
	Open(token string, associated []byte) ([]byte, error)
}

// Keys is a Sealer over one or more AES-256 keys. It is safe for concurrent use.
type Keys struct {
	list []key
}

type key struct {
	id      [idSize]byte
	aead    *subtle.AESGCM
	nameKey []byte // key of Name
}

var _ Sealer = (*Keys)(nil)

// New returns a Sealer over raw keys of 32 bytes each. The first one seals, all of them open.
func New(raw ...[]byte) (*Keys, error) {
	if len(raw) == 0 {
		return nil, errors.New("no key given")
	}
	keys := &Keys{list: make([]key, 0, len(raw))}
	for i, secret := range raw {
		if len(secret) != keySize {
			return nil, fmt.Errorf("key %d has %d bytes, want %d", i+1, len(secret), keySize)
		}
		aead, err := subtle.NewAESGCM(secret)
		if err != nil {
			return nil, fmt.Errorf("key %d: %w", i+1, err)
		}
		k := key{aead: aead}
		digest := sha256.Sum256(append([]byte("parley seal key\x00"), secret...))
		copy(k.id[:], digest[:])
		names := hmac.New(sha256.New, secret)
		names.Write([]byte("parley names"))
		k.nameKey = names.Sum(nil)
		keys.list = append(keys.list, k)
	}
	return keys, nil
}

// Random returns a Sealer over one fresh key. Its tokens die with the process.
func Random() (*Keys, error) {
	raw := make([]byte, keySize)
	if _, err := rand.Read(raw); err != nil {
		return nil, fmt.Errorf("seal key: %w", err)
	}
	return New(raw)
}

// Parse reads the text of a key file: one key of 32 bytes a line, in base64 of either alphabet, with or without padding.
// Empty lines and lines that begin with # are skipped. `openssl rand -base64 32` makes such a line.
func Parse(text []byte) (*Keys, error) {
	var raw [][]byte
	lines := bufio.NewScanner(bytes.NewReader(text))
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		line = strings.TrimRight(strings.NewReplacer("-", "+", "_", "/").Replace(line), "=")
		secret, err := base64.RawStdEncoding.DecodeString(line)
		if err != nil || len(secret) != keySize {
			return nil, fmt.Errorf("line %d is not %d bytes in base64", n, keySize)
		}
		raw = append(raw, secret)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("key file: %w", err)
	}
	return New(raw...)
}

// Name returns a pseudonym of a text: its HMAC under the first key. Whoever lacks the key can neither read nor make it.
func (k *Keys) Name(text string) string {
	code := hmac.New(sha256.New, k.list[0].nameKey)
	code.Write([]byte(text))
	return base64.RawURLEncoding.EncodeToString(code.Sum(nil))
}

// SealBytes is Seal for stored values, which are bytes of any length. Neither Open nor OpenBytes accepts what is made for the other.
func (k *Keys) SealBytes(plain, associated []byte) ([]byte, error) {
	first := &k.list[0]
	sealed, err := first.aead.Encrypt(plain, append([]byte{formatBytes}, associated...))
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	return append(append(append(make([]byte, 0, 1+idSize+len(sealed)), formatBytes), first.id[:]...), sealed...), nil
}

// OpenBytes returns what SealBytes was given, or ErrRefused.
func (k *Keys) OpenBytes(sealed, associated []byte) ([]byte, error) {
	if len(sealed) < 1+idSize || sealed[0] != formatBytes {
		return nil, ErrRefused
	}
	return k.open(sealed[1:], append([]byte{formatBytes}, associated...))
}

// open decrypts the bytes behind the format: the id of the key and the ciphertext.
func (k *Keys) open(raw, associated []byte) ([]byte, error) {
	for i := range k.list {
		if !bytes.Equal(k.list[i].id[:], raw[:idSize]) {
			continue
		}
		if plain, err := k.list[i].aead.Decrypt(raw[idSize:], associated); err == nil {
			return plain, nil
		}
	}
	return nil, ErrRefused
}

// Seal implements Sealer.
func (k *Keys) Seal(plain, associated []byte) (string, error) {
	first := &k.list[0]
	sealed, err := first.aead.Encrypt(plain, associated)
	if err != nil {
		return "", fmt.Errorf("seal: %w", err)
	}
	token := make([]byte, 0, 1+idSize+len(sealed))
	token = append(token, format)
	token = append(token, first.id[:]...)
	token = append(token, sealed...)
	return base64.RawURLEncoding.EncodeToString(token), nil
}

// Open implements Sealer.
func (k *Keys) Open(token string, associated []byte) ([]byte, error) {
	if len(token) > MaxToken {
		return nil, ErrRefused
	}
	// Strict refuses tokens that differ only in unused bits.
	raw, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || len(raw) < 1+idSize || raw[0] != format {
		return nil, ErrRefused
	}
	return k.open(raw[1:], associated)
}
