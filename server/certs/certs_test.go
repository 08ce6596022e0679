package certs_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/parley-gateway/parley/server/certs"
	"github.com/parley-gateway/parley/server/reload"
)

// issued is a certificate with its key, and its PEM forms.
type issued struct {
	cert    *x509.Certificate
	key     *ecdsa.PrivateKey
	certPEM []byte
	keyPEM  []byte
}

// issue makes a certificate for a name; parent nil makes an authority.
func issue(t *testing.T, name string, parent *issued, until time.Time) *issued {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: until,
		KeyUsage: x509.KeyUsageDigitalSignature, DNSNames: []string{name},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	signer := &issued{cert: template, key: key}
	if parent == nil {
		template.IsCA, template.BasicConstraintsValid, template.KeyUsage = true, true, x509.KeyUsageCertSign
	} else {
		signer = parent
	}
	der, err := x509.CreateCertificate(rand.Reader, template, signer.cert, &key.PublicKey, signer.key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return &issued{
		cert, key, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw}),
	}
}

func write(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// handshake connects a client and returns what each side saw.
func handshake(t *testing.T, server *tls.Config, client *tls.Config) (peer, caller *x509.Certificate, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	b, err := (&net.Dialer{}).DialContext(ctx, "tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	a, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	done := make(chan error, 1)
	front := tls.Server(a, server)
	go func() { done <- front.HandshakeContext(ctx) }()
	back := tls.Client(b, client)
	errClient := back.HandshakeContext(ctx)
	if errClient != nil {
		b.Close()
	}
	if errServer := <-done; errServer != nil {
		return nil, nil, errServer
	}
	if errClient != nil {
		return nil, nil, errClient
	}
	if sent := front.ConnectionState().PeerCertificates; len(sent) > 0 {
		caller = sent[0]
	}
	return back.ConnectionState().PeerCertificates[0], caller, nil
}

func TestStoreFollowsItsFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	files := certs.Files{Cert: filepath.Join(dir, "cert"), Key: filepath.Join(dir, "key"), ClientCA: filepath.Join(dir, "ca")}
	year := time.Now().AddDate(1, 0, 0)
	authority, other := issue(t, "authority", nil, year), issue(t, "other authority", nil, year)
	first, second := issue(t, "one.test", authority, year), issue(t, "two.test", authority, year)
	write(t, files.Cert, first.certPEM)
	write(t, files.Key, first.keyPEM)
	write(t, files.ClientCA, authority.certPEM)

	now := time.Now()
	var failures []error
	store, err := certs.Load(files, reload.Options{Now: func() time.Time { return now }, Report: func(err error) { failures = append(failures, err) }})
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(authority.cert)
	client := issue(t, "client.test", authority, year)
	stranger := issue(t, "client.test", other, year)
	dial := func(name string, with *issued) (*x509.Certificate, error) {
		cfg := &tls.Config{RootCAs: roots, ServerName: name, MinVersion: tls.VersionTLS12}
		if with != nil {
			pair, err := tls.X509KeyPair(with.certPEM, with.keyPEM)
			if err != nil {
				t.Fatal(err)
			}
			// Sent whichever authorities the server names.
			cfg.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }
		}
		_, caller, err := handshake(t, store.Config(), cfg)
		return caller, err
	}
	if caller, err := dial("one.test", client); err != nil || caller == nil || caller.DNSNames[0] != "client.test" {
		t.Errorf("a known client: %v, %v", caller, err)
	}
	if caller, err := dial("one.test", nil); err != nil || caller != nil {
		t.Errorf("no certificate: %v, %v; probes have none", caller, err)
	}
	if _, err := dial("one.test", stranger); err == nil {
		t.Error("a client of another authority was let in")
	}
	// The certificate is there before its key: the old pair stays.
	write(t, files.Cert, second.certPEM)
	now = now.Add(time.Minute)
	if _, err := dial("one.test", nil); err != nil {
		t.Errorf("half of a new pair: %v", err)
	}
	write(t, files.Key, second.keyPEM)
	now = now.Add(time.Minute)
	if _, err := dial("two.test", nil); err != nil {
		t.Errorf("the new pair: %v", err)
	}
	write(t, files.ClientCA, []byte("nothing"))
	now = now.Add(time.Minute)
	if _, err := dial("two.test", client); err != nil {
		t.Errorf("a broken authority file: %v", err)
	}
	if _, err := dial("two.test", stranger); err == nil {
		t.Error("a broken authority file let a stranger in")
	}
	write(t, files.ClientCA, other.certPEM)
	now = now.Add(time.Minute)
	if _, err := dial("two.test", client); err == nil {
		t.Error("the client of an authority that was taken out was let in")
	}
	if want := []bool{true, false, true, false}; len(failures) != len(want) {
		t.Errorf("reports %v, want %v", failures, want)
	} else {
		for i := range want {
			if (failures[i] != nil) != want[i] {
				t.Errorf("report %d: %v", i, failures[i])
			}
		}
	}
}

func TestLoadNamesWhatIsWrong(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	year := time.Now().AddDate(1, 0, 0)
	good := issue(t, "one.test", nil, year)
	old := issue(t, "one.test", nil, time.Now().Add(-time.Minute))
	at := func(name string, data []byte) string {
		path := filepath.Join(dir, name)
		write(t, path, data)
		return path
	}
	cert, key := at("cert", good.certPEM), at("key", good.keyPEM)
	for name, c := range map[string]struct {
		files certs.Files
		want  string
	}{
		"no key":           {certs.Files{Cert: cert}, "are needed"},
		"no certificate":   {certs.Files{Key: key}, "are needed"},
		"missing":          {certs.Files{Cert: cert, Key: filepath.Join(dir, "none")}, "none"},
		"not a pair":       {certs.Files{Cert: cert, Key: at("otherkey", old.keyPEM)}, "not a certificate and its key"},
		"ended":            {certs.Files{Cert: at("old", old.certPEM), Key: at("oldkey", old.keyPEM)}, "ended on"},
		"no authority":     {certs.Files{Cert: cert, Key: key, ClientCA: at("empty", nil)}, "holds no certificate"},
		"missing ca":       {certs.Files{Cert: cert, Key: key, ClientCA: filepath.Join(dir, "nowhere")}, "nowhere"},
		"key as authority": {certs.Files{Cert: cert, Key: key, ClientCA: key}, "not a certificate"},
		"broken authority": {
			certs.Files{Cert: cert, Key: key, ClientCA: at("broken", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte{1}}))},
			"cannot be read",
		},
	} {
		if _, err := certs.Load(c.files, reload.Options{}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}
