package authn

import (
	"crypto/sha256"
	"crypto/subtle"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
)

// binding is the `cnf` claim of a token (RFC 7800): the key that its holder must have. A token whose binding is not known
// here is refused, since it is no bearer token.
type binding struct {
	// thumbprint is the SHA-256 of the client certificate (RFC 8705); nil for a bearer token.
	thumbprint []byte
	// unknown is set where the token is bound in another way, such as to the key of a DPoP proof (RFC 9449).
	unknown bool
}

// read reads the claim, and reports whether it can be read: a claim that cannot makes the token invalid.
func (b *binding) read(raw json.RawMessage) bool {
	if raw == nil {
		return true
	}
	var methods map[string]json.RawMessage
	if json.Unmarshal(raw, &methods) != nil || len(methods) == 0 {
		return false
	}
	text := ""
	if !readText(methods["x5t#S256"], &text) {
		return false
	}
	thumbprint, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(thumbprint) != sha256.Size || len(methods) != 1 {
		b.unknown = true
		return true
	}
	b.thumbprint = thumbprint
	return true
}

// holds reports whether the connection's client has the certificate that the token is bound to.
func holds(state *tls.ConnectionState, thumbprint []byte) bool {
	if state == nil || len(state.PeerCertificates) == 0 {
		return false
	}
	have := sha256.Sum256(state.PeerCertificates[0].Raw)
	return subtle.ConstantTimeCompare(have[:], thumbprint) == 1
}
