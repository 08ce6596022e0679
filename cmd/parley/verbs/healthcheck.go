package verbs

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"
)

const healthTimeout = 5 * time.Second

type healthcheckVerb struct {
	HTTPAddr    string `name:"http-addr" env:"PARLEY_HTTP_ADDR" default:"127.0.0.1:8080" help:"REST address of the gateway, host:port."`
	TLSCertFile string `name:"tls-cert-file" env:"PARLEY_TLS_CERT_FILE" type:"path" help:"Certificate of the gateway; with it, readiness is asked over TLS and of this certificate alone."`
}

// Run asks /readyz, for container probes in images without a shell.
func (v healthcheckVerb) Run(ctx context.Context, to streams) error {
	if _, _, err := net.SplitHostPort(v.HTTPAddr); err != nil {
		return usageError{fmt.Errorf("PARLEY_HTTP_ADDR: %q is not host:port", v.HTTPAddr)}
	}
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	scheme, transport := "http", &http.Transport{DisableKeepAlives: true}
	if v.TLSCertFile != "" {
		var err error
		if transport.TLSClientConfig, err = pinned(v.TLSCertFile); err != nil {
			return usageError{fmt.Errorf("PARLEY_TLS_CERT_FILE: %w", err)}
		}
		scheme = "https"
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, scheme+"://"+v.HTTPAddr+"/readyz", http.NoBody)
	if err != nil {
		return usageError{err}
	}
	client := &http.Client{Transport: transport}
	answer, err := client.Do(request)
	if err != nil {
		return fmt.Errorf("not ready: %w", err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("not ready: HTTP %d", answer.StatusCode)
	}
	_, err = fmt.Fprintln(to.out, "ready")
	return err
}

// pinned accepts the certificate in a file, whatever names it has and whoever signed it: the probe knows the gateway by it.
func pinned(path string) (*tls.Config, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(data)
	if block == nil || block.Type != "CERTIFICATE" {
		return nil, errors.New("holds no certificate in PEM")
	}
	return &tls.Config{
		MinVersion:         tls.VersionTLS12,
		InsecureSkipVerify: true, //nolint:gosec // VerifyConnection compares the whole certificate
		VerifyConnection: func(state tls.ConnectionState) error {
			if len(state.PeerCertificates) == 0 || !bytes.Equal(state.PeerCertificates[0].Raw, block.Bytes) {
				return errors.New("the gateway shows another certificate")
			}
			return nil
		},
	}, nil
}
