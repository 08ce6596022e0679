// Package deploy_test holds the files of this folder against the gateway that they are for.
package deploy_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"go.yaml.in/yaml/v3"

	"github.com/parley-gateway/parley"
)

const (
	rulesFile = "alerts/parley.rules.yaml"
	// scrapedFile has tests of the rules with what gateways in trouble said of themselves.
	scrapedFile = "alerts/scraped_test.yaml"
)

// TestMetricsExist holds that rules, their tests and dashboards ask for metrics that the gateway has.
func TestMetricsExist(t *testing.T) {
	t.Parallel()
	existing := metricNames(t)
	dashboards, err := filepath.Glob("grafana/*.json")
	if err != nil || len(dashboards) == 0 {
		t.Fatalf("dashboards: %v, %v", dashboards, err)
	}
	name := regexp.MustCompile(`\bparley_[a-z_]+`)
	for _, path := range append(dashboards, rulesFile, scrapedFile, "alerts/parley.rules_test.yaml") {
		for _, metric := range name.FindAllString(read(t, path), -1) {
			if !slices.Contains(existing, metric) && !slices.Contains(existing, histogram(metric)) {
				t.Errorf("%s: the gateway has no metric %s", path, metric)
			}
		}
	}
}

// TestRunbooks holds that each alert has an entry of docs/runbooks.md that its annotation leads to, and each entry an alert.
func TestRunbooks(t *testing.T) {
	t.Parallel()
	var rules struct {
		Groups []struct {
			Rules []struct {
				Alert       string
				Labels      map[string]string
				Annotations map[string]string
			}
		}
	}
	if err := yaml.Unmarshal([]byte(read(t, rulesFile)), &rules); err != nil {
		t.Fatal(err)
	}
	var alerts []string
	for _, group := range rules.Groups {
		for _, rule := range group.Rules {
			alerts = append(alerts, rule.Alert)
			if anchor := "docs/runbooks.md#" + strings.ToLower(rule.Alert); !strings.HasSuffix(rule.Annotations["runbook_url"], anchor) {
				t.Errorf("%s: runbook_url does not end with %s", rule.Alert, anchor)
			}
			if severity := rule.Labels["severity"]; severity != "page" && severity != "ticket" {
				t.Errorf("%s: severity %q", rule.Alert, severity)
			}
		}
	}
	headings := regexp.MustCompile(`(?m)^## (Parley\w+)$`).FindAllStringSubmatch(read(t, "../docs/runbooks.md"), -1)
	entries := make([]string, 0, len(headings))
	for _, heading := range headings {
		entries = append(entries, heading[1])
	}
	slices.Sort(alerts)
	slices.Sort(entries)
	if diff := cmp.Diff(alerts, entries); diff != "" || len(alerts) == 0 {
		t.Errorf("alerts and entries of docs/runbooks.md (-alerts +entries):\n%s", diff)
	}
}

// TestScraped holds that each alert has a test with values of a real gateway, or the reason why no gateway can be brought there.
func TestScraped(t *testing.T) {
	t.Parallel()
	tests := read(t, scrapedFile)
	alerts := regexp.MustCompile(`(?m)^ +- alert: (\w+)$`).FindAllStringSubmatch(read(t, rulesFile), -1)
	if len(alerts) == 0 {
		t.Error("no alerts")
	}
	for _, alert := range alerts {
		if !strings.Contains(tests, `ALERTS{alertname="`+alert[1]+`",alertstate="firing",`) && !strings.Contains(tests, "\n#   "+alert[1]+": ") {
			t.Errorf("%s has no test with values that were scraped (make alert-values)", alert[1])
		}
	}
}

// TestSettingsExist holds that the files here set no variable that neither the gateway nor the exporter has.
func TestSettingsExist(t *testing.T) {
	t.Parallel()
	settings := read(t, "../docs/configuration.md")
	exports := make(map[string]bool)
	exporter, err := filepath.Glob("../export/internal/cli/*.go")
	if err != nil || len(exporter) == 0 {
		t.Fatal("no flags of the exporter", err)
	}
	for _, path := range exporter {
		for _, flag := range regexp.MustCompile(`env:"(\w+)"`).FindAllStringSubmatch(read(t, path), -1) {
			exports[flag[1]] = true
		}
	}
	variable := regexp.MustCompile(`\bPARLEY_[A-Z_]+\b`)
	found := 0
	for _, pattern := range []string{"helm/parley/templates/*.yaml", "helm/parley/values.yaml", "compose/*", "systemd/*", "README.md", "../docs/runbooks.md"} {
		paths, err := filepath.Glob(pattern)
		if err != nil || len(paths) == 0 {
			t.Fatalf("%s: %v, %v", pattern, paths, err)
		}
		for _, path := range paths {
			for _, name := range variable.FindAllString(read(t, path), -1) {
				found++
				if !exports[name] && !strings.Contains(settings, "`"+name+"`") {
					t.Errorf("%s: %s is no setting", path, name)
				}
			}
		}
	}
	if found == 0 {
		t.Error("no variable found")
	}
}

// metricNames has the names of all metrics of a gateway, those without a value yet included.
func metricNames(t *testing.T) []string {
	t.Helper()
	seen, certificate := &described{}, certificate(t)
	gateway, err := parley.New(parley.Config{
		Tenants: map[string]parley.Tenant{"contoso": {
			ID: "8a6d5c1e-0f1b-4e7a-b1a5-6a2f3c4d5e6f", ClientID: "3f2c1e0a-5d0b-4c5f-9a7e-2f6b8c1d4e90",
			Credential: "client-certificate", CertificateFile: certificate,
		}},
		TLS:        parley.TLS{CertFile: certificate, KeyFile: certificate},
		Registerer: seen,
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := gateway.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(seen.names) < 15 {
		t.Fatalf("metrics of the gateway: %v", seen.names)
	}
	return seen.names
}

// certificate writes a certificate of this run and its key into one file.
func certificate(t *testing.T) string {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{"localhost"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	signed, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "both.pem")
	text := slices.Concat(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: signed}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}))
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// described is a registerer that notes the names of metrics.
type described struct{ names []string }

var _ prometheus.Registerer = (*described)(nil)

// Register implements prometheus.Registerer.
func (d *described) Register(collector prometheus.Collector) error {
	descriptions := make(chan *prometheus.Desc)
	go func() {
		defer close(descriptions)
		collector.Describe(descriptions)
	}()
	name := regexp.MustCompile(`fqName: "([^"]+)"`)
	for description := range descriptions {
		match := name.FindStringSubmatch(description.String())
		if match == nil {
			return errors.New("a description without a name")
		}
		d.names = append(d.names, match[1])
	}
	return nil
}

// MustRegister implements prometheus.Registerer.
func (d *described) MustRegister(collectors ...prometheus.Collector) {
	for _, collector := range collectors {
		_ = d.Register(collector) // a missing name fails the test that needs it
	}
}

// Unregister implements prometheus.Registerer.
func (d *described) Unregister(prometheus.Collector) bool { return true }

// histogram is the name of the histogram whose part a series is, or the name itself.
func histogram(series string) string {
	for _, part := range []string{"_bucket", "_sum", "_count"} {
		if name, cut := strings.CutSuffix(series, part); cut {
			return name
		}
	}
	return series
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
