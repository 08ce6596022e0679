package e2e_test

import (
	"cmp"
	"encoding/hex"
	"flag"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	otlp "go.opentelemetry.io/proto/otlp/trace/v1"

	"github.com/parley-gateway/parley/graphsim"
)

var update = flag.Bool("update", false, "write the trace of deploy/README.md anew")

// told are attributes whose values are the same in each run.
var told = []string{
	"rpc.response.status_code", "parley.transport", "parley.source", "parley.cache", "http.request.method", "url.template", "http.response.status_code",
}

// drawn is a span as the handbook shows it: a line, and below it those of its children. Children with the same line are one.
type drawn struct {
	line  string
	below []*drawn
}

// child returns the child with a line, and makes it first if there is none.
func (d *drawn) child(line string) *drawn {
	for _, below := range d.below {
		if below.line == line {
			return below
		}
	}
	below := &drawn{line: line}
	d.below = append(d.below, below)
	return below
}

// text writes the lines below a span.
func (d *drawn) text(to *strings.Builder, indent string) {
	slices.SortFunc(d.below, func(a, b *drawn) int { return cmp.Compare(a.line, b.line) })
	for _, below := range d.below {
		to.WriteString(indent + below.line + "\n")
		below.text(to, indent+"  ")
	}
}

// lineOf is a span's name, kind and attributes: the values of those that are told, the keys of all.
func lineOf(span *otlp.Span) string {
	parts := []string{span.GetName()}
	if kind := strings.ToLower(strings.TrimPrefix(span.GetKind().String(), "SPAN_KIND_")); kind != "internal" {
		parts = append(parts, "("+kind+")")
	}
	for _, each := range span.GetAttributes() {
		value := each.GetValue()
		text := cmp.Or(value.GetStringValue(), strconv.FormatInt(value.GetIntValue(), 10))
		if !slices.Contains(told, each.GetKey()) {
			text = "…"
		}
		parts = append(parts, each.GetKey()+"="+text)
	}
	return strings.Join(parts, " ")
}

// draw draws the spans below a parent.
func draw(spans map[string]*otlp.Span, parent string, to *drawn) {
	for id, span := range spans {
		if hex.EncodeToString(span.GetParentSpanId()) == parent {
			draw(spans, id, to.child(lineOf(span)))
		}
	}
}

// TestTraceOfAStream holds that deploy/README.md shows a stream as a receiver of spans over HTTP gets it: names, kinds, attributes, and what is
// below what.
func TestTraceOfAStream(t *testing.T) {
	const trace, caller = "2af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
	receiver, provider := traceTo(t, "http/protobuf")
	sim := simulated(t, graphsim.Config{Users: 4, Messages: 3000, Interactions: 1000, Calls: 300, Seed: 1})
	running := startedTraced(t, settingsFor(t, sim.URL(), sim.CACertPEM()), provider)
	start := time.Now().UTC().AddDate(0, 0, -20).Truncate(time.Hour).Format(time.RFC3339)
	address := "http://" + running.Addrs().HTTP + "/v1/users/" + sim.DemoUser().ID + "/events:stream?startTime=" + start
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Traceparent", "00-"+trace+"-"+caller+"-01")
	answered(t, request)
	if err := provider.ForceFlush(t.Context()); err != nil {
		t.Fatal(err)
	}

	root, text := &drawn{}, &strings.Builder{}
	draw(receiver.of(trace), caller, root)
	root.text(text, "")
	page := filepath.Join("..", "..", "deploy", "README.md")
	content, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	const begin, end = "```text trace\n", "```\n"
	before, rest, begun := strings.Cut(string(content), begin)
	shown, after, ended := strings.Cut(rest, end)
	if !begun || !ended || text.Len() == 0 {
		t.Fatalf("%s has no block of a trace, or the receiver got no span: %q", page, text)
	}
	if *update {
		if err := os.WriteFile(page, []byte(before+begin+text.String()+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if shown != text.String() {
		t.Errorf("%s is not what a receiver got (go test ./internal/e2e -run TraceOfAStream -update):\n%s", page, text)
	}
}
