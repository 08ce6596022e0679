package verbs

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"time"
)

const healthTimeout = 5 * time.Second

type healthcheckVerb struct {
	HTTPAddr string `name:"http-addr" env:"PARLEY_HTTP_ADDR" default:"127.0.0.1:8080" help:"REST address of the gateway, host:port."`
}

// Run asks /readyz, for container probes in images without a shell.
func (v healthcheckVerb) Run(ctx context.Context, to streams) error {
	if _, _, err := net.SplitHostPort(v.HTTPAddr); err != nil {
		return usageError{fmt.Errorf("PARLEY_HTTP_ADDR: %q is not host:port", v.HTTPAddr)}
	}
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+v.HTTPAddr+"/readyz", http.NoBody)
	if err != nil {
		return usageError{err}
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
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
