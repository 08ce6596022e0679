package cli

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

	"github.com/parley-gateway/parley/internal/config"
)

const healthTimeout = 5 * time.Second

type healthcheckVerb struct {
	config.Healthcheck `embed:""`
}

// Run asks /readyz, for container probes in images without a shell.
func (v healthcheckVerb) Run(ctx context.Context, to streams, origins config.Origins) error {
	if _, _, err := net.SplitHostPort(v.HTTPAddr); err != nil {
		return usageError{origins.Errorf("http-addr", "%q is not host:port", v.HTTPAddr)}
	}
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	scheme, transport := "http", &http.Transport{DisableKeepAlives: true}
	if v.TLSCertFile != "" {
		var err error
		if transport.TLSClientConfig, err = pinned(v.TLSCertFile); err != nil {
			return usageError{origins.Errorf("tls-cert-file", "%w", err)}
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

// pinned returns the configuration of TLS that accepts the certificate in a file and no other, whatever names it has and whoever signed it.
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
