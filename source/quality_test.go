package source_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/graphsim"
	"github.com/parley-gateway/parley/resource"
	"github.com/parley-gateway/parley/source"
)

// TestAWholeRecordHasItsQuality reads records in Graph's shape whole and compares what their quality says. It takes no request of its own.
func TestAWholeRecordHasItsQuality(t *testing.T) {
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

// TestCallsOfTheSimulatorHaveQuality holds that the simulator has calls of every sort: good, poor, with too few packets, without media, and rated.
func TestCallsOfTheSimulatorHaveQuality(t *testing.T) {
	t.Parallel()
	sim, client := startSim(t, graphsim.Config{})
	reader := source.NewCall(client, source.Options{Tenant: sim.TenantID()})
	items, _ := walk(t, reader, source.EventQuery{Owner: resource.AnyUser, Start: simNow.AddDate(0, 0, -6), End: simNow.AddDate(0, 0, -1)})
	found := map[string]int{}
	for _, item := range items[:min(len(items), 60)] {
		_, ref, err := resource.ParseEvent(eventOf(t, item).GetName())
		if err != nil {
			t.Fatal(err)
		}
		event, err := reader.Event(t.Context(), resource.AnyUser, "", ref)
		if err != nil {
			t.Fatal(err)
		}
		overall := event.GetCall().GetQuality().GetOverall()
		sort := overall.GetClassification().String()
		if overall.GetUnclassifiedStreams() > 0 {
			sort += " of streams"
		}
		found[sort]++
		if overall.GetFeedbackRating() != parleyv1.UserFeedbackRating_USER_FEEDBACK_RATING_UNSPECIFIED {
			found["rated"]++
		}
	}
	for _, sort := range []string{
		"QUALITY_CLASSIFICATION_GOOD", "QUALITY_CLASSIFICATION_POOR", "QUALITY_CLASSIFICATION_UNCLASSIFIED", "QUALITY_CLASSIFICATION_UNCLASSIFIED of streams", "rated",
	} {
		if found[sort] == 0 {
			t.Errorf("no call is %s: %v", sort, found)
		}
	}
}
