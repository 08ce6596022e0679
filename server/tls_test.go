package server_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/server"
	"github.com/parley-gateway/parley/server/apierror"
	"github.com/parley-gateway/parley/server/audit"
	"github.com/parley-gateway/parley/server/authz"
	"github.com/parley-gateway/parley/server/certs"
	"github.com/parley-gateway/parley/server/reload"
)

func loopbackPolicy() authz.PolicySource { return authz.Fixed{Policy: authz.Loopback()} }

func newAudit(sink audit.Sink) *audit.Log { return audit.New(sink, audit.Options{}) }

// signer makes certificates; the zero value makes itself an authority with its first one.
type signer struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// issue makes a certificate, signed by s, and returns it with its key in PEM.
func (s *signer) issue(t *testing.T, template *x509.Certificate) (cert, key []byte) {
	t.Helper()
	own, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template.SerialNumber = big.NewInt(time.Now().UnixNano())
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().AddDate(1, 0, 0)
	if s.cert == nil {
		template.IsCA, template.BasicConstraintsValid, template.KeyUsage = true, true, x509.KeyUsageCertSign
		s.cert, s.key = template, own
	}
	der, err := x509.CreateCertificate(rand.Reader, template, s.cert, &own.PublicKey, s.key)
	if err != nil {
		t.Fatal(err)
	}
	if s.cert == template {
		if s.cert, err = x509.ParseCertificate(der); err != nil {
			t.Fatal(err)
		}
	}
	raw, err := x509.MarshalPKCS8PrivateKey(own)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw})
}

func authority(t *testing.T) (by *signer, cert []byte) {
	t.Helper()
	by = &signer{}
	cert, _ = by.issue(t, &x509.Certificate{Subject: pkix.Name{CommonName: "authority"}})
	return by, cert
}

// testTLS makes the files of a server for 127.0.0.1; clients names the file of client authorities, which is made as well.
func testTLS(t *testing.T, dir, clients string) *certs.Store {
	t.Helper()
	by, ca := authority(t)
	files := certs.Files{Cert: filepath.Join(dir, "cert"), Key: filepath.Join(dir, "key")}
	cert, key := by.issue(t, &x509.Certificate{IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
	put(t, files.Cert, cert)
	put(t, files.Key, key)
	put(t, filepath.Join(dir, "server-ca"), ca)
	if clients != "" {
		files.ClientCA = filepath.Join(dir, clients)
		put(t, files.ClientCA, ca)
	}
	store, err := certs.Load(files, reload.Options{Interval: time.Nanosecond})
	if err != nil {
		t.Fatal(err)
	}
	return store
}

func put(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestCertificatesOverBothProtocols checks that the same certificate is the same caller over gRPC and REST, that authorities
// change without a restart, and that no header replaces a certificate.
func TestCertificatesOverBothProtocols(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	g := startGuarded(t, func(c *server.Config) {
		c.AuthMode, c.TLS = "oidc,mtls", testTLS(t, dir, "clients")
	})
	clients, clientCA := authority(t)
	put(t, filepath.Join(dir, "clients"), clientCA)
	name, err := url.Parse("spiffe://contoso.example/archive")
	if err != nil {
		t.Fatal(err)
	}
	usage := []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	good := pairOf(t, clients, &x509.Certificate{URIs: []*url.URL{name}, ExtKeyUsage: usage})
	unknown := pairOf(t, clients, &x509.Certificate{DNSNames: []string{"other.example"}, ExtKeyUsage: usage})
	strangers, _ := authority(t)
	forged := pairOf(t, strangers, &x509.Certificate{URIs: []*url.URL{name}, ExtKeyUsage: usage})

	roots := rootsOf(t, dir)
	type outcome struct {
		code   codes.Code // Unavailable = no connection
		reason string
		http   int // 0 = no connection
	}
	try := func(name string, with *tls.Certificate, token string, want outcome) {
		t.Helper()
		conf := &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
		if with != nil {
			conf.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return with, nil }
		}
		conn, err := grpc.NewClient(g.server.GRPCAddr(), grpc.WithTransportCredentials(credentials.NewTLS(conf.Clone())))
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := conn.Close(); err != nil {
				t.Error(err)
			}
		}()
		ctx, cancel := context.WithTimeout(as(t.Context(), token), bearable)
		defer cancel()
		_, err = parleyv1.NewEventServiceClient(conn).ListEvents(ctx, &parleyv1.ListEventsRequest{Parent: "users/" + annaID})
		if st := status.Convert(err); st.Code() != want.code || want.code != codes.Unavailable && apierror.Reason(st) != want.reason {
			t.Errorf("%s: gRPC: %v, want %+v", name, err, want)
		}
		transport := &http.Transport{TLSClientConfig: conf.Clone(), ForceAttemptHTTP2: true}
		defer transport.CloseIdleConnections()
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+g.server.HTTPAddr()+"/v1/users/"+annaID+"/events", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		if token != "" {
			req.Header.Set("Authorization", "Bearer "+token)
		}
		resp, err := transport.RoundTrip(req)
		got := 0
		if err == nil {
			got = resp.StatusCode
			_, _ = io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
		}
		if got != want.http {
			t.Errorf("%s: REST: %d, %v, want %d", name, got, err, want.http)
		}
	}
	missing := outcome{codes.Unauthenticated, "CALLER_UNAUTHENTICATED", http.StatusUnauthorized}
	denied := outcome{codes.PermissionDenied, "POLICY_DENIED", http.StatusForbidden}
	ok := outcome{codes.OK, "", http.StatusOK}
	try("the archive", good, "", ok)
	try("another machine", unknown, "", denied)
	try("no certificate", nil, "", missing)
	try("a token without one", nil, "owner", ok)
	try("a token beside one decides", good, "stranger", denied)
	try("a bad token beside a good one", good, "forged", missing)
	try("an authority of one's own", forged, "", outcome{code: codes.Unavailable})
	for _, record := range g.records.take(t) {
		if record.Caller.Kind == "certificate" && record.Rule != "" && record.Caller.ID != "certificate:spiffe://contoso.example/archive" {
			t.Errorf("record %+v", record)
		}
	}
	_, next := authority(t)
	put(t, filepath.Join(dir, "clients"), next)
	try("its authority was taken out", good, "", outcome{code: codes.Unavailable})
}

// pairOf makes a client's certificate.
func pairOf(t *testing.T, by *signer, template *x509.Certificate) *tls.Certificate {
	t.Helper()
	cert, key := by.issue(t, template)
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	return &pair
}
