package parley

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/parley-gateway/parley/graphsim"
)

// promisedMetrics are the metrics of the releases, which docs/upgrading.md promises: a line for each, with its labels.
const promisedMetrics = "server/metrics/testdata/promised.txt"

// captured takes the collector of a gateway.
type captured struct{ prometheus.Collector }

func (c *captured) Register(of prometheus.Collector) error         { c.Collector = of; return nil }
func (c *captured) MustRegister(of ...prometheus.Collector)        { c.Collector = of[0] }
func (c *captured) Unregister(prometheus.Collector) (existed bool) { return true }

var (
	metricName   = regexp.MustCompile(`fqName: "([^"]+)"`)
	metricLabels = regexp.MustCompile(`variableLabels: \{([^}]*)\}`)
	constLabel   = regexp.MustCompile(`(\w+)="`)
)

// TestPromisedMetrics: a dashboard of the version before still works. A metric and its labels stay. With -update-golden
// it writes the list anew.
func TestPromisedMetrics(t *testing.T) {
	t.Parallel()
	sim, err := graphsim.New(graphsim.Config{Plain: true, Users: 3, Chats: 4, Messages: 20, Interactions: 20, Calls: 5})
	if err != nil {
		t.Fatal(err)
	}
	if err := sim.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { goldenEnd(t, sim.Close) })
	all := &captured{}
	gateway, err := New(Config{
		Tenants: map[string]Tenant{"sim": {BaseURL: sim.URL(), Credential: "none"}}, AuditFile: filepath.Join(t.TempDir(), "audit"), Registerer: all,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { goldenEnd(t, gateway.Close) })
	descriptions := make(chan *prometheus.Desc)
	go func() {
		all.Describe(descriptions)
		close(descriptions)
	}()
	var now []string
	for d := range descriptions {
		name, labels := metricName.FindStringSubmatch(d.String()), metricLabels.FindStringSubmatch(d.String())
		if name == nil || labels == nil {
			t.Fatalf("a description of another form: %s", d)
		}
		of := strings.FieldsFunc(labels[1], func(r rune) bool { return r == ',' })
		_, constant, _ := strings.Cut(d.String(), "constLabels: {")
		constant, _, _ = strings.Cut(constant, "variableLabels")
		for _, label := range constLabel.FindAllStringSubmatch(constant, -1) {
			of = append(of, label[1])
		}
		slices.Sort(of)
		now = append(now, name[1]+"{"+strings.Join(of, ",")+"}")
	}
	slices.Sort(now)
	now = slices.Compact(now)
	if *updateGolden != "" {
		if err := os.MkdirAll(filepath.Dir(promisedMetrics), 0o755); err != nil {
			t.Fatal(err)
		}
		writeGolden(t, promisedMetrics, []byte(strings.Join(now, "\n")+"\n"))
	}
	text, err := os.ReadFile(promisedMetrics)
	if err != nil {
		t.Fatal(err)
	}
	promised := strings.Fields(string(text))
	if len(promised) == 0 {
		t.Errorf("%s is empty", promisedMetrics)
	}
	for _, metric := range promised {
		if !slices.Contains(now, metric) {
			t.Errorf("%s of %s is gone or has other labels: it stays beside its successor for one minor version, see docs/upgrading.md", metric, promisedMetrics)
		}
	}
}
