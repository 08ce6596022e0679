package source_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/source"
)

// TestQualityOfRecords reads records in Graph's shape whole and compares what their quality says. It takes no request of its own.
func TestQualityOfRecords(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"poor", "silent", "feedback", "partial"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			raw, err := os.ReadFile(filepath.Join("testdata", "quality", name+".json"))
			if err != nil {
				t.Fatal(err)
			}
			var fixture struct {
				Record       json.RawMessage `json:"record"`
				Participants json.RawMessage `json:"participants"`
			}
			if err := json.Unmarshal(raw, &fixture); err != nil {
				t.Fatal(err)
			}
			const path = "/v1.0/communications/callRecords/c1"
			up, client := newUpstream(t, script(map[string]reply{
				path + "?$expand=sessions%28%24expand%3Dsegments%29": {body: string(fixture.Record)},
				path + "/participants_v2":                            {body: `{"value":` + string(fixture.Participants) + `}`},
			}))
			event, err := source.NewCall(client, options("")).Event(t.Context(), userID, userID, source.Ref{Source: parleyv1.Source_SOURCE_CALL, ID: "c1"})
			if err != nil {
				t.Fatal(err)
			}
			if n := len(up.targets()); n != 2 {
				t.Errorf("%d requests: %q", n, up.targets())
			}
			call := event.GetCall()
			if absent := call.GetQuality() == nil; absent != call.GetPartial() || absent != (name == "partial") {
				t.Fatalf("quality is absent: %t, the record is partial: %t", absent, call.GetPartial())
			}
			if call.GetQuality() != nil {
				golden(t, "quality/"+name, []*parleyv1.CallQuality{call.GetQuality()})
			}
		})
	}
}
