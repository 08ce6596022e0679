package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/parley-gateway/parley/bench/process"
	"github.com/parley-gateway/parley/docs/policies"
	"github.com/parley-gateway/parley/graphsim"
)

// deployment is what gateways have around them in production: an issuer of tokens, TLS, a policy, audit records in a file.
type deployment struct {
	folder      string
	issuer      *graphsim.Sim
	streamToken string // of the application that reads streams
}

func newDeployment(ctx context.Context) (d *deployment, err error) {
	d = &deployment{}
	if d.folder, err = os.MkdirTemp("", "parley-night-"); err != nil {
		return nil, err
	}
	if d.issuer, err = graphsim.New(graphsim.Config{Users: 5, Chats: 1, Messages: 1, Interactions: 1, Calls: 1, TokenLifetime: 24 * time.Hour}); err != nil {
		return nil, err
	}
	if err := d.issuer.Start(ctx); err != nil {
		return nil, err
	}
	certificate, key, err := selfSigned()
	if err != nil {
		return nil, err
	}
	token, err := d.token("night")
	if err != nil {
		return nil, err
	}
	if d.streamToken, err = d.token("streams"); err != nil {
		return nil, err
	}
	secret := make([]byte, 64) // two keys
	if _, err := rand.Read(secret); err != nil {
		return nil, err
	}
	for name, content := range map[string][]byte{
		"cert.pem": certificate, "key.pem": key, "ca.pem": d.issuer.CACertPEM(), "policy.yaml": policies.EntraAppRoles(), "token": []byte(token),
		"shared": []byte(base64.StdEncoding.EncodeToString(secret[:32])), "seal": []byte(base64.StdEncoding.EncodeToString(secret[32:])),
	} {
		if err := os.WriteFile(d.file(name), content, 0o600); err != nil {
			return nil, err
		}
	}
	return d, nil
}

func (d *deployment) file(name string) string { return filepath.Join(d.folder, name) }

// token returns a token of an application that may read everything.
func (d *deployment) token(client string) (string, error) {
	return d.issuer.SignCaller(graphsim.CallerToken{ClientID: client, Roles: []string{"Conversations.Export.All"}})
}

func (d *deployment) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	return errors.Join(d.issuer.Close(ctx), os.RemoveAll(d.folder))
}

// selfSigned makes a certificate for loopback, in PEM.
func selfSigned() (certificate, key []byte, err error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "bench"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	signed, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		return nil, nil, err
	}
	encoded, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: signed}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: encoded}), nil
}

// tlsOf trusts the gateways' certificate.
func tlsOf(certificate string) (*tls.Config, error) {
	text, err := os.ReadFile(certificate)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(text) {
		return nil, errors.New("there is no certificate")
	}
	return &tls.Config{MinVersion: tls.VersionTLS13, RootCAs: roots}, nil
}

// gateway is one in a process of its own.
type gateway struct{ *process.Gateway }

// start starts a gateway; limit is its GOMEMLIMIT, empty = none.
func (d *deployment) start(ctx context.Context, o options, g *graph, limit string, flags ...string) (*gateway, error) {
	args := append([]string{
		"--graph-credential=none", "--graph-url=" + g.URL, "--graph-tenant-id=" + graphsim.DemoTenantID,
		"--auth-mode=oidc", "--oidc-issuer=" + d.issuer.CallerIssuer(), "--oidc-audience=" + graphsim.DemoAudience, "--oidc-ca-file=" + d.file("ca.pem"),
		"--policy-file=" + d.file("policy.yaml"), "--audit-file=" + d.file("audit.jsonl"), "--tls-cert-file=" + d.file("cert.pem"), "--tls-key-file=" + d.file("key.pem"),
		"--caller-rate=0", "--log-level=error",
	}, append(flags, strings.Fields(o.flags)...)...)
	var environment []string
	if limit != "" {
		environment = append(environment, "GOMEMLIMIT="+limit)
	}
	at, err := process.Serve(ctx, o.parley, args, environment...)
	if err != nil {
		return nil, err
	}
	return &gateway{at}, nil
}

// end stops the gateway. It returns an error where the gateway had ended by itself.
func (g *gateway) end() error {
	if err := g.Process.Signal(os.Interrupt); err != nil {
		return fmt.Errorf("the gateway has ended by itself: %w", errors.Join(err, g.Wait()))
	}
	return g.Wait()
}

// cpu is the CPU time that the gateway has taken.
func (g *gateway) cpu() time.Duration {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", g.Process.Pid))
	if err != nil {
		return 0
	}
	_, after, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(after)
	ticks := 0
	for _, at := range []int{11, 12} { // utime and stime
		if at < len(fields) {
			n, _ := strconv.Atoi(fields[at]) // 0 for none
			ticks += n
		}
	}
	return time.Duration(ticks) * 10 * time.Millisecond // 100 a second on Linux
}

// metrics returns all metrics as text.
func (g *gateway) metrics(ctx context.Context) (string, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+g.Admin+"/metrics", http.NoBody)
	if err != nil {
		return "", err
	}
	text, err := body(r)
	return string(text), err
}

// metric reads a metric; its name has the labels.
func (g *gateway) metric(ctx context.Context, name string) (float64, error) {
	text, err := g.metrics(ctx)
	if err != nil {
		return 0, err
	}
	_, after, found := strings.Cut(text, "\n"+name+" ")
	if !found {
		return 0, fmt.Errorf("there is no metric %s", name)
	}
	value, _, _ := strings.Cut(after, "\n")
	return strconv.ParseFloat(value, 64)
}
