package cli

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/parley-gateway/parley/export"
)

type fixed struct{ now export.Progress }

// Progress implements progressSource.
func (f fixed) Progress() export.Progress { return f.now }

// Name implements exportRun.
func (fixed) Name() string { return "night" }

// own are the lines of parley-export's own metrics.
func own(t *testing.T, url string) (lines []string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("%s, %v: %s", answer.Status, err, text)
	}
	for line := range strings.SplitSeq(string(text), "\n") {
		if strings.HasPrefix(line, "parley_export_") {
			lines = append(lines, line)
		}
	}
	return lines
}

func TestMetrics(t *testing.T) {
	defer goleak.VerifyNone(t)
	shown := new(metrics)
	at, stop, err := shown.serve(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	url := "http://" + at.String() + "/metrics"
	if lines := own(t, url); lines != nil {
		t.Errorf("before a run: %v", lines)
	}
	shown.setRun(fixed{export.Progress{
		State: export.StateReading, Users: 3, UsersTotal: 8, Open: 2, Events: 40, Waiting: "GRAPH_THROTTLED", GraphRequests: 17, Files: 2, FileBytes: 512,
		Rows: map[string]int64{"events": 30, "turns": 4},
	}})
	want := []string{
		`parley_export_events_total{run="night"} 40`,
		`parley_export_file_bytes_total{run="night"} 512`,
		`parley_export_files_total{run="night"} 2`,
		`parley_export_graph_requests_total{run="night"} 17`,
		`parley_export_rows_total{dataset="events",run="night"} 30`,
		`parley_export_rows_total{dataset="turns",run="night"} 4`,
		`parley_export_state{run="night",state="ended"} 0`,
		`parley_export_state{run="night",state="listing"} 0`,
		`parley_export_state{run="night",state="publishing"} 0`,
		`parley_export_state{run="night",state="reading"} 1`,
		`parley_export_state{run="night",state="writing"} 0`,
		`parley_export_users{run="night"} 8`,
		`parley_export_users_finished{run="night"} 3`,
		`parley_export_users_open{run="night"} 2`,
		`parley_export_waiting{code="GRAPH_THROTTLED",run="night"} 1`,
	}
	if diff := cmp.Diff(want, own(t, url)); diff != "" {
		t.Errorf("metrics, want (-) and got (+):\n%s", diff)
	}
	// An address that is in use is an error at once.
	if _, _, err := shown.serve(t.Context(), at.String()); err == nil {
		t.Error("an address is served twice")
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}
