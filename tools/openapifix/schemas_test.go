package main

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
)

// TestServedDocument reads the committed document as a generator does: every reference leads somewhere, names hold no package,
// no schema has a choice beside its properties, and what is always sent is required.
func TestServedDocument(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("../../gen/openapi/openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	var doc document
	if err := json.Unmarshal(raw, &doc); err != nil {
		t.Fatal(err)
	}
	targets := map[string]object{
		"#/components/schemas/": doc.Components.Schemas, "#/components/headers/": doc.Components.Headers,
		"#/components/parameters/": doc.Components.Parameters, "#/components/responses/": doc.Components.Responses,
	}
	whole := []any{doc.Paths, doc.Components.Schemas, doc.Components.Responses}
	eachObject(whole, func(o object) {
		ref := text(o["$ref"])
		if ref == "" {
			return
		}
		for prefix, components := range targets {
			if name, found := strings.CutPrefix(ref, prefix); found && components[name] != nil {
				return
			}
		}
		t.Errorf("%s leads nowhere", ref)
	})
	for name, schema := range doc.Components.Schemas {
		if shortName(name) != name {
			t.Errorf("schema %s has a package", name)
		}
		if asObject(schema)["oneOf"] != nil {
			t.Errorf("schema %s is a choice", name)
		}
		properties := asObject(asObject(schema)["properties"])
		required, _ := asObject(schema)["required"].([]any)
		for _, property := range required {
			if properties[text(property)] == nil {
				t.Errorf("schema %s requires %v, which it does not have", name, property)
			}
		}
	}
	for name, want := range map[string][]any{
		"ListEventsResponse": {"events", "complete", "notices", "sources"},
		"EventBatch":         {"events"},
		"Event":              {"name"},
		"ApiError":           {"code", "status", "reason", "message", "details"},
	} {
		if got, _ := asObject(doc.Components.Schemas[name])["required"].([]any); !slices.Equal(got, want) {
			t.Errorf("%s requires %v, want %v", name, got, want)
		}
	}
	operations := map[string]bool{}
	for _, item := range doc.Paths {
		for _, operation := range asObject(item) {
			operations[text(asObject(operation)["operationId"])] = true
		}
	}
	for _, name := range []string{"listEvents", "listConversationEvents", "streamEvents", "streamConversationEvents", "getEvent", "listUsers"} {
		if !operations[name] {
			t.Errorf("there is no operation %s", name)
		}
	}
}
