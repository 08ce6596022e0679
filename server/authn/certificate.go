package authn

import (
	"crypto/tls"
	"crypto/x509"
	"regexp"
	"strings"
	"sync/atomic"
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
// certificate with several names of the deciding kind is refused, since a rule for one of them would hold for the others; so
// is a wildcard, which names nobody.
func (c *Certificates) Identify(state *tls.ConnectionState) (*Caller, error) {
	checked, err := c.check(state)
	if err != nil {
		return nil, err
	}
	leaf := state.PeerCertificates[0]
	space, subject, ok := subjectOf(leaf)
	if !ok {
		return nil, refuse(WhyCertificate)
	}
	return &Caller{Kind: KindCertificate, Namespace: space, Subject: subject, Expires: leaf.NotAfter, acceptedBy: [2]rechecker{checked}}, nil
}

// check checks the certificate of a connection, whatever its names.
func (c *Certificates) check(state *tls.ConnectionState) (*checkedCertificate, error) {
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
	checked := &checkedCertificate{certificates: c, leaf: state.PeerCertificates[0], intermediates: x509.NewCertPool()}
	for _, cert := range state.PeerCertificates[1:] {
		checked.intermediates.AddCert(cert)
	}
	if now().After(checked.leaf.NotAfter) {
		return nil, refuse(WhyExpired)
	}
	if err := checked.recheck(now()); err != nil {
		return nil, err
	}
	return checked, nil
}

// checkedCertificate is a certificate that was checked against the authorities.
type checkedCertificate struct {
	certificates  *Certificates
	leaf          *x509.Certificate
	intermediates *x509.CertPool

	checked atomic.Pointer[x509.CertPool] // the authorities that vouched last
	until   time.Time                     // when one of their certificates ends; set before checked
}

// recheck checks the certificate against the authorities of the moment; as long as they are the same it costs nothing. That the
// certificate itself has ended is checked by Caller.PastGrace.
func (c *checkedCertificate) recheck(now time.Time) error {
	// No roots must not mean the system's.
	roots := c.certificates.Roots()
	if roots == nil {
		return refuse(WhyCertificate)
	}
	if now.After(c.leaf.NotAfter) {
		now = c.leaf.NotAfter
	}
	if c.checked.Load() == roots && !now.After(c.until) {
		return nil
	}
	chains, err := c.leaf.Verify(x509.VerifyOptions{
		Roots: roots, Intermediates: c.intermediates, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	if err != nil {
		return refuse(WhyCertificate)
	}
	c.until = c.leaf.NotAfter
	for _, cert := range chains[0] {
		if cert.NotAfter.Before(c.until) {
			c.until = cert.NotAfter
		}
	}
	c.checked.Store(roots)
	return nil
}

// subjectOf returns the one name by which a certificate names its holder; false when there is none, or more than one.
func subjectOf(leaf *x509.Certificate) (Namespace, string, bool) {
	switch {
	case len(leaf.URIs) == 1:
		name := leaf.URIs[0].String()
		return URIName, name, leaf.URIs[0].Scheme != "" && isPlainName(name)
	case len(leaf.URIs) == 0 && len(leaf.DNSNames) == 1:
		name := strings.ToLower(leaf.DNSNames[0])
		return DNSName, name, dnsForm.MatchString(name) && isPlainName(name)
	default:
		return 0, "", false
	}
}

// dnsForm is a host name: labels of letters, digits, dashes and underscores.
var dnsForm = regexp.MustCompile(`^[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*$`)

// IsDNSName reports whether a text may be the DNS name of a certificate, in lower case and without wildcards.
func IsDNSName(text string) bool { return dnsForm.MatchString(text) }

// isPlainName reports whether a name may stand in a log line as it is, and is one name and no pattern.
func isPlainName(name string) bool {
	return name != "" && len(name) <= maxName && !strings.ContainsFunc(name, func(c rune) bool { return c <= ' ' || c >= 0x7f || c == '*' })
}
