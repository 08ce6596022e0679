package faults_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/parley-gateway/parley/graphsim/faults"
)

// TestBreakJSON: wherever the middle of a body falls, into texts with separators too, what is sent is no JSON.
func TestBreakJSON(t *testing.T) {
	t.Parallel()
	for n := range 400 {
		body := []byte(`{"pad":"` + strings.Repeat("x", n) + `","value":[{"lastModifiedDateTime":"2026-11-19T15:30:00Z","body":{"content":"a: b, c: d, \"e\": f"}},{"id":":,:,"}]}`)
		if !json.Valid(body) {
			t.Fatal("the body is none to begin with")
		}
		if broken := faults.BreakJSON(body); json.Valid(broken) {
			t.Fatalf("still JSON: %s", broken)
		}
		if twice := faults.BreakJSON(faults.BreakJSON(body)); json.Valid(twice) {
			t.Fatalf("broken twice, JSON again: %s", twice)
		}
	}
}
