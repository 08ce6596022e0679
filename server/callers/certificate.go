package callers

import (
	"crypto/tls"
	"crypto/x509"
	"strings"
	"time"
)

// maxName is the longest name in a certificate that is taken as a subject, in bytes.
const maxName = 2048

// Certificates reads the callers of verified client certificates.
type Certificates struct {
	// Roots returns the certificate authorities in force. A certificate is checked against them at every call, so an
	// authority that was taken out of the file loses its callers at once, also on connections that stand.
	Roots func() *x509.CertPool
	// Now is the clock; nil = time.Now.
	Now func() time.Time
}

// Identify returns the caller of a connection: the only URI name of the client's certificate, else its only DNS name. A
// certificate with several names of the deciding kind is refused, since a rule for one of them would hold for the others.
func (c *Certificates) Identify(state *tls.ConnectionState) (*Caller, error) {
	if state == nil || len(state.PeerCertificates) == 0 {
		return nil, refuse(WhyMissing)
	}
	if !state.HandshakeComplete || len(state.VerifiedChains) == 0 {
		return nil, refuse(WhyCertificate)
	}
	now := time.Now
	if c.Now != nil {
		now = c.Now
	}
	leaf := state.PeerCertificates[0]
	between := x509.NewCertPool()
	for _, cert := range state.PeerCertificates[1:] {
		between.AddCert(cert)
	}
	// No roots must not mean the system's.
	roots := c.Roots()
	if roots == nil {
		return nil, refuse(WhyCertificate)
	}
	if now().After(leaf.NotAfter) {
		return nil, refuse(WhyExpired)
	}
	if _, err := leaf.Verify(x509.VerifyOptions{
		Roots: roots, Intermediates: between, CurrentTime: now(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}); err != nil {
		return nil, refuse(WhyCertificate)
	}
	subject, ok := subjectOf(leaf)
	if !ok {
		return nil, refuse(WhyCertificate)
	}
	return &Caller{Kind: KindCertificate, Subject: subject, Expires: leaf.NotAfter}, nil
}

func subjectOf(leaf *x509.Certificate) (string, bool) {
	switch {
	case len(leaf.URIs) == 1:
		name := leaf.URIs[0].String()
		return name, plain(name)
	case len(leaf.URIs) == 0 && len(leaf.DNSNames) == 1:
		name := strings.ToLower(leaf.DNSNames[0])
		return name, plain(name)
	default:
		return "", false
	}
}

// plain says whether a name may stand in a log line as it is.
func plain(name string) bool {
	return name != "" && len(name) <= maxName && !strings.ContainsFunc(name, func(c rune) bool { return c <= ' ' || c >= 0x7f })
}
