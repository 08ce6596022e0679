// Package certs is the TLS of the listeners: a certificate, its key and the authorities of client certificates, each a file
// that is read again when it changes. Files that do not fit together leave the old ones in force.
package certs

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"time"

	"github.com/parley-gateway/parley/internal/fielderror"
	"github.com/parley-gateway/parley/server/reload"
)

// Files names the files, all in PEM.
type Files struct {
	// Cert is the certificate chain, leaf first; Key its private key. Both or neither.
	Cert, Key string
	// ClientCA holds the authorities of client certificates; empty = no certificate is asked for.
	ClientCA string
}

// Store is the TLS of the listeners. It is safe for concurrent use.
type Store struct {
	value *reload.Value[*loaded]
}

type loaded struct {
	config *tls.Config
	roots  *x509.CertPool
}

// Load reads the files; an error names the file and what is wrong, never its content.
func Load(files Files, opts reload.Options) (*Store, error) {
	if files.Cert == "" || files.Key == "" {
		return nil, errors.New("a certificate and its key are needed")
	}
	now := opts.Now
	if now == nil {
		now = time.Now
	}
	value, err := reload.New(func(read reload.ReadFunc) (*loaded, error) { return load(files, read, now()) }, opts)
	if err != nil {
		return nil, err
	}
	return &Store{value}, nil
}

func load(files Files, read reload.ReadFunc, now time.Time) (*loaded, error) {
	cert, errCert := read(files.Cert)
	key, errKey := read(files.Key)
	var authorities []byte
	var errCA error
	if files.ClientCA != "" {
		authorities, errCA = read(files.ClientCA)
	}
	if err := errors.Join(unread("Cert", errCert), unread("Key", errKey), unread("ClientCA", errCA)); err != nil {
		return nil, err
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, fielderror.New("Cert", "%s and %s: not a certificate and its key in PEM", files.Cert, files.Key)
	}
	if pair.Leaf != nil && now.After(pair.Leaf.NotAfter) {
		return nil, fielderror.New("Cert", "%s: the certificate ended on %s", files.Cert, pair.Leaf.NotAfter.Format(time.DateOnly))
	}
	config := &tls.Config{
		Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"},
	}
	out := &loaded{config: config}
	if files.ClientCA != "" {
		if out.roots, err = pool(authorities); err != nil {
			return nil, fielderror.New("ClientCA", "%s: %w", files.ClientCA, err)
		}
		config.ClientCAs = out.roots
		// Health probes and documents have no certificate; whoever calls the API without one is refused there.
		config.ClientAuth = tls.VerifyClientCertIfGiven
	}
	return out, nil
}

// unread is the error of a file that cannot be read; nil for none.
func unread(field string, err error) error {
	if err == nil {
		return nil
	}
	return fielderror.New(field, "%w", err)
}

// pool reads every certificate of a PEM file; one that cannot be read spoils the file.
func pool(data []byte) (*x509.CertPool, error) {
	roots, found := x509.NewCertPool(), 0
	for {
		var block *pem.Block
		if block, data = pem.Decode(data); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			return nil, errors.New("holds something that is not a certificate")
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, errors.New("holds a certificate that cannot be read")
		}
		roots.AddCert(cert)
		found++
	}
	if found == 0 {
		return nil, errors.New("holds no certificate in PEM")
	}
	return roots, nil
}

// Config returns the TLS configuration of a listener: TLS 1.2 or later, HTTP/2 and HTTP/1.1. Every handshake sees the
// files of the moment.
func (s *Store) Config() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"},
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return s.value.Get().config, nil },
	}
}

// Expires returns when the certificate in force ends.
func (s *Store) Expires() time.Time {
	if leaf := s.value.Get().config.Certificates[0].Leaf; leaf != nil {
		return leaf.NotAfter
	}
	return time.Time{}
}

// Roots returns the authorities of client certificates in force; nil when no certificate is asked for.
func (s *Store) Roots() *x509.CertPool { return s.value.Get().roots }
