package entra

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"fmt"
	"math/big"
	"sync"

	"github.com/golang-jwt/jwt/v5"

	"github.com/parley-gateway/parley/graphsim/data"
)

// Keyring signs access tokens with an RSA key.
type Keyring struct {
	id  string
	key func() (*rsa.PrivateKey, error)
}

// NewKeyring returns a keyring of the key; nil = one that is made when it is first needed.
func NewKeyring(key *rsa.PrivateKey) *Keyring {
	return &Keyring{id: "graphsim-1", key: sync.OnceValues(func() (*rsa.PrivateKey, error) {
		if key != nil {
			return key, nil
		}
		k, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			return nil, fmt.Errorf("graphsim: signing key: %w", err)
		}
		return k, nil
	})}
}

// Key returns the signing key.
func (k *Keyring) Key() (*rsa.PrivateKey, error) { return k.key() }

// Sign signs claims. The headers, beside kid, name the key as well.
func (k *Keyring) Sign(claims jwt.Claims, headers ...string) (string, error) {
	key, err := k.key()
	if err != nil {
		return "", err
	}
	token := jwt.NewWithClaims(jwt.SigningMethodRS256, claims)
	for _, header := range append(headers, "kid") {
		token.Header[header] = k.id
	}
	signed, err := token.SignedString(key)
	if err != nil {
		return "", fmt.Errorf("graphsim: sign token: %w", err)
	}
	return signed, nil
}

// JWKS is the public key as the directory publishes it.
func (k *Keyring) JWKS() (data.Object, error) {
	key, err := k.Key()
	if err != nil {
		return nil, err
	}
	enc := base64.RawURLEncoding.EncodeToString
	return data.Object{{Key: "keys", Value: data.List{{
		{Key: "kty", Value: "RSA"},
		{Key: "use", Value: "sig"},
		{Key: "kid", Value: k.id},
		{Key: "x5t", Value: k.id},
		{Key: "alg", Value: "RS256"},
		{Key: "n", Value: enc(key.N.Bytes())},
		{Key: "e", Value: enc(big.NewInt(int64(key.E)).Bytes())},
	}}}}, nil
}
