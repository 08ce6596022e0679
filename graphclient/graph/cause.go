package graph

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"syscall"
)

// Cause is the kind of trouble on the way to a service that gave no answer.
type Cause string

// The causes.
const (
	CauseDNS         Cause = "dns"         // the host name is not resolved
	CauseTLS         Cause = "tls"         // no secure connection: a certificate, a version, something that is no TLS
	CauseProxy       Cause = "proxy"       // the proxy is not reached or does not let the request pass
	CauseRefused     Cause = "refused"     // nothing listens there
	CauseUnreachable Cause = "unreachable" // there is no route
	CauseTimeout     Cause = "timeout"     // no answer in time
	CauseReset       Cause = "reset"       // the connection was broken
	CauseCut         Cause = "cut"         // the answer ended too early
	CauseConnection  Cause = "connection"  // anything else
)

// Words describe a cause within a sentence.
func (c Cause) Words() string {
	switch c {
	case CauseDNS:
		return "its host name is not resolved"
	case CauseTLS:
		return "no secure connection comes about; its certificate is not accepted, or it does not speak TLS"
	case CauseProxy:
		return "the proxy is not reached or refuses"
	case CauseRefused:
		return "the connection is refused"
	case CauseUnreachable:
		return "there is no route to it"
	case CauseTimeout:
		return "no answer came in time"
	case CauseReset:
		return "the connection was broken"
	case CauseCut:
		return "the answer was cut"
	default:
		return "the connection failed"
	}
}

// CauseOf classifies the error of a RoundTripper or of reading a body.
func CauseOf(err error) Cause {
	var (
		dns     *net.DNSError
		record  tls.RecordHeaderError
		alert   tls.AlertError
		proxy   *proxyError
		op      *net.OpError
		timeout interface{ Timeout() bool }
	)
	viaProxy, handshake := false, false
	for rest := err; errors.As(rest, &op); rest = op.Err {
		viaProxy = viaProxy || op.Op == "proxyconnect" || op.Op == "socks connect"
		handshake = handshake || op.Op == "remote error" || op.Op == "local error"
	}
	switch {
	case viaProxy, errors.As(err, &proxy):
		return CauseProxy
	case errors.As(err, &dns):
		return CauseDNS
	case handshake, badCertificate(err), errors.As(err, &record), errors.As(err, &alert):
		return CauseTLS
	case errors.Is(err, syscall.ECONNREFUSED):
		return CauseRefused
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return CauseUnreachable
	case errors.Is(err, ErrTryTimeout), errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return CauseTimeout
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return CauseCut
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return CauseReset
	default:
		return CauseConnection
	}
}

// badCertificate reports whether a certificate was not accepted, which does not change by itself.
func badCertificate(err error) bool {
	var certificate *tls.CertificateVerificationError
	var host x509.HostnameError
	var unknown x509.UnknownAuthorityError
	return errors.As(err, &certificate) || errors.As(err, &host) || errors.As(err, &unknown)
}

// TransportError makes the error of a request without a usable answer.
func TransportError(ctx context.Context, err error) *Error {
	if own, ok := errors.AsType[*Error](err); ok {
		return own
	}
	if errors.Is(context.Cause(ctx), ErrTryTimeout) {
		return &Error{Kind: KindUnavailable, Err: err, Cause: CauseTimeout, Reason: "no complete answer in time"}
	}
	if ctx.Err() != nil {
		return Canceled(ctx)
	}
	e := &Error{Kind: KindUnavailable, Err: err, Cause: CauseOf(err)}
	e.Reason = e.Cause.Words()
	e.Final = badCertificate(err)
	return e
}
