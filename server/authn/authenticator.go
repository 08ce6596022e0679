package authn

import (
	"context"
	"crypto/tls"
	"strings"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
)

// Authenticator finds out who makes a call, from the metadata and the peer in its context. An error is a *RefusedError.
type Authenticator interface {
	Authenticate(ctx context.Context) (*Caller, error)
}

// PeerFunc returns the TLS state of the connection that a call came over; nil when there is none.
type PeerFunc func(ctx context.Context) *tls.ConnectionState

// TLSPeer is the PeerFunc of a gRPC listener that ends TLS itself.
func TLSPeer(ctx context.Context) *tls.ConnectionState {
	p, ok := peer.FromContext(ctx)
	if !ok {
		return nil
	}
	info, ok := p.AuthInfo.(credentials.TLSInfo)
	if !ok {
		return nil
	}
	return &info.State
}

// NoAuthentication accepts everybody as the same anonymous caller. It is for listeners on loopback.
type NoAuthentication struct{}

var _ Authenticator = NoAuthentication{}

// Authenticate knows one caller. A credential that is sent all the same is not looked at.
func (NoAuthentication) Authenticate(context.Context) (*Caller, error) { return Anonymous(), nil }

// Verifier reads bearer tokens; *Tokens is one.
type Verifier interface {
	// Verify returns the caller that a token stands for, or a *RefusedError. Whether the connection has the certificate that
	// a token is bound to is for Credentials to find out.
	Verify(ctx context.Context, token string) (*Caller, error)
}

// Credentials accepts tokens, certificates, or both. Where a call has a token, it decides, together with
// the certificate that it may be bound to; no certificate makes up for a bad token.
type Credentials struct {
	// Tokens reads bearer tokens; nil = none are accepted.
	Tokens Verifier
	// Certificates reads client certificates; nil = none are accepted.
	Certificates *Certificates
	// Peer returns the call's TLS state; nil = TLSPeer.
	Peer PeerFunc
}

var _ Authenticator = (*Credentials)(nil)

// maxToken is the longest token that is looked at, in bytes.
const maxToken = 16 << 10

// Authenticate returns the caller of a call.
func (c *Credentials) Authenticate(ctx context.Context) (*Caller, error) {
	sent := metadata.ValueFromIncomingContext(ctx, "authorization")
	if len(sent) > 0 {
		if c.Tokens == nil {
			return nil, refuse(WhyNoTokens)
		}
		token, err := bearer(sent)
		if err != nil {
			return nil, err
		}
		caller, err := c.Tokens.Verify(ctx, token)
		if err != nil || caller.thumbprint == nil {
			return caller, err
		}
		return c.boundCaller(ctx, caller)
	}
	if c.Certificates == nil {
		return nil, refuse(WhyMissing)
	}
	return c.Certificates.Identify(c.peer(ctx))
}

func (c *Credentials) peer(ctx context.Context) *tls.ConnectionState {
	if c.Peer == nil {
		return TLSPeer(ctx)
	}
	return c.Peer(ctx)
}

// boundCaller returns the caller of a token that is bound to a client certificate (RFC 8705), which the connection must have shown.
func (c *Credentials) boundCaller(ctx context.Context, caller *Caller) (*Caller, error) {
	state := c.peer(ctx)
	if c.Certificates == nil || !holds(state, caller.thumbprint) {
		return nil, refuse(WhyBound)
	}
	checked, err := c.Certificates.check(state)
	if err != nil {
		return nil, refuse(WhyBound)
	}
	caller.acceptedBy[1] = checked
	if end := checked.leaf.NotAfter; end.Before(caller.Expires) {
		caller.Expires = end // without the certificate the token is worth nothing
	}
	return caller, nil
}

// Token returns the bearer token of a call, for whoever hands it on for an accepted caller; false when there is not exactly one.
func Token(ctx context.Context) (string, bool) {
	token, err := bearer(metadata.ValueFromIncomingContext(ctx, "authorization"))
	return token, err == nil
}

// bearer takes the token out of the Authorization header (RFC 6750). Two headers are refused: whoever checked one of them
// may have passed on the other.
func bearer(values []string) (string, error) {
	if len(values) != 1 {
		return "", refuse(WhyMalformed)
	}
	scheme, token, _ := strings.Cut(values[0], " ")
	token = strings.Trim(token, " ")
	if !strings.EqualFold(scheme, "bearer") || token == "" || len(token) > maxToken {
		return "", refuse(WhyMalformed)
	}
	return token, nil
}
