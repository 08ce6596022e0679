package main

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The document is made once from parts as the generator writes them and the committed descriptor set, then looked at.
func makeDocument(t *testing.T, parts map[string]string) (document, error) {
	t.Helper()
	folder := t.TempDir()
	for name, text := range parts {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	output := filepath.Join(t.TempDir(), "openapi.json")
	if err := run(folder, "../../gen/descriptor/parley-full.binpb", "../../docs/errors.md", "examples.json", output); err != nil {
		return document{}, err
	}
	text, err := os.ReadFile(output)
	if err != nil {
		t.Fatal(err)
	}
	var doc document
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	return doc, nil
}

const eventsPart = `{
  "openapi": "3.1.0",
  "tags": [{"name": "EventService"}],
  "paths": {"/v1/users/{parent}/conversations/{parent_1}/events:stream": {"get": {
    "operationId": "EventService_StreamEvents_1",
    "summary": "Streams things. And says more.",
    "parameters": [
      {"name": "parent", "in": "path", "schema": {"type": "string"}},
      {"name": "parent_1", "in": "path", "schema": {"type": "string"}},
      {"name": "filter", "in": "query", "schema": {"type": "string"}},
      {"name": "sources", "in": "query", "schema": {"type": "array", "items": {"$ref": "#/components/schemas/parley.v1.Source"}}},
      {"name": "view", "in": "query", "schema": {"$ref": "#/components/schemas/parley.v1.EventView"}}
    ],
    "responses": {"200": {"description": "", "content": {"application/json": {}}}}
  }}},
  "components": {"schemas": {
    "parley.v1.StreamEventsResponse": {"type": "object", "properties": {"batch": {"type": "object"}}, "oneOf": [
      {"properties": {"batch": {"type": "object"}}, "required": ["batch"]},
      {"properties": {"summary": {"type": "object"}}, "required": ["summary"]}
    ]},
    "parley.v1.Source": {"type": "string", "enum": ["SOURCE_UNSPECIFIED", "SOURCE_COPILOT", "SOURCE_USER"]},
    "parley.v1.EventView": {"type": "string", "enum": ["EVENT_VIEW_UNSPECIFIED", "EVENT_VIEW_FULL"]},
    "google.rpc.Status": {"type": "object"}
  }}
}`

const usagePart = `{
  "openapi": "3.1.0",
  "tags": [{"name": "CopilotUsageService"}],
  "paths": {"/v1/copilotUsage:download": {"get": {
    "operationId": "CopilotUsageService_DownloadCopilotUsage",
    "summary": "Downloads.",
    "parameters": [{"name": "period", "in": "query", "required": true, "schema": {"type": "string"}}],
    "responses": {"200": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/google.api.HttpBody"}}}}}
  }}},
  "components": {"schemas": {"google.api.HttpBody": {"type": "object"}, "google.rpc.Status": {"type": "object"}}}
}`

func TestDocument(t *testing.T) {
	t.Parallel()
	doc, err := makeDocument(t, map[string]string{"a.json": usagePart, "b.json": eventsPart})
	if err != nil {
		t.Fatal(err)
	}
	get := func(path string) object { return asObject(asObject(doc.Paths[path])["get"]) }
	stream, download := get("/v1/users/{user}/conversations/{conversation}/events:stream"), get("/v1/copilotUsage:download")
	if stream == nil || download == nil {
		t.Fatalf("paths are not renamed: %v", doc.Paths)
	}

	t.Run("RPC", func(t *testing.T) {
		t.Parallel()
		source := object{"name": "Source", "file": "parley/v1/source.proto"}
		want := object{
			"method": "parley.v1.EventService/StreamEvents", "request": "StreamEventsRequest", "file": "parley/v1/event_service.proto", "streams": true,
			"field": "parent", "pattern": "users/{user}/conversations/{conversation}",
			"enums": object{
				"sources": source, "view": object{"name": "EventView", "file": "parley/v1/answer.proto"},
				"enrich": object{"name": "Enrichment", "file": "parley/v1/event_service.proto"},
			},
		}
		if diff := cmp.Diff(any(want), stream[rpcExtension]); diff != "" {
			t.Error(diff)
		}
		if got := asObject(download[rpcExtension]); got["field"] != nil || got["method"] != "parley.v1.CopilotUsageService/DownloadCopilotUsage" {
			t.Errorf("download: %v", got)
		}
	})

	t.Run("reasons", func(t *testing.T) {
		t.Parallel()
		kinds := map[string]string{}
		for _, row := range doc.Reasons {
			kinds[text(row["reason"])] = text(row["kind"])
			if text(row["what"]) == "" || text(row["help"]) == "" {
				t.Errorf("%v says nothing", row)
			}
		}
		for reason, kind := range map[string]string{"NOT_FOUND": "error", "AMBIGUOUS_ID": "gap", "END_CUT_TO_NOW": "notice"} {
			if kinds[reason] != kind {
				t.Errorf("%s is of the kind %q, not %s", reason, kinds[reason], kind)
			}
		}
	})

	t.Run("parameters", func(t *testing.T) {
		t.Parallel()
		got := map[string]object{}
		shared := 0 // headers, and the selection of fields
		for _, p := range stream["parameters"].([]any) {
			if strings.HasPrefix(text(asObject(p)["$ref"]), "#/components/parameters/") {
				shared++
				continue
			}
			got[text(asObject(p)["name"])] = asObject(asObject(p)["schema"])
		}
		if shared != 7 {
			t.Errorf("%d parameters that operations share", shared)
		}
		sources := object{"type": "string", "enum": []any{"SOURCE_COPILOT", "SOURCE_CHAT", "SOURCE_CALL", "SOURCE_RETAINED_CHAT"}}
		want := map[string]object{
			"user":         {"type": "string", "minLength": 1.0},
			"conversation": {"type": "string", "minLength": 1.0},
			"filter":       {"type": "string", "maxLength": 512.0},
			"sources":      {"type": "array", "uniqueItems": true, "items": sources},
			"view":         {"type": "string", "enum": []any{"EVENT_VIEW_FULL"}},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("schemas (-want +got):\n%s", diff)
		}
	})
	t.Run("content types", func(t *testing.T) {
		t.Parallel()
		for _, test := range []struct {
			operation object
			want      []string
		}{{stream, []string{"application/x-ndjson", "text/event-stream"}}, {download, []string{"text/csv"}}} {
			content := asObject(asObject(asObject(test.operation["responses"])["200"])["content"])
			if got := slices.Sorted(maps.Keys(content)); !slices.Equal(got, test.want) {
				t.Errorf("%v answers %v, want %v", test.operation["operationId"], got, test.want)
			}
		}
	})
	t.Run("names", func(t *testing.T) {
		t.Parallel()
		if stream["operationId"] != "streamConversationEvents" || download["operationId"] != "downloadCopilotUsage" {
			t.Errorf("operations %v and %v", stream["operationId"], download["operationId"])
		}
	})
	t.Run("errors", func(t *testing.T) {
		t.Parallel()
		for code, status := range statuses {
			want := "#/components/responses/" + status.name
			if got := asObject(asObject(stream["responses"])[code])["$ref"]; got != want {
				t.Errorf("%s is %v, want %s", code, got, want)
			}
		}
		if got := text(asObject(doc.Components.Responses["Unavailable"])["description"]); !strings.Contains(got, "`STREAM_ENDED`") {
			t.Errorf("503 says %q", got)
		}
	})
	t.Run("examples", func(t *testing.T) {
		t.Parallel()
		content := asObject(asObject(asObject(stream["responses"])["200"])["content"])
		frame := asObject(asObject(content["application/x-ndjson"])["example"])
		events := text(asObject(content["text/event-stream"])["example"])
		if frame["batch"] == nil || !strings.HasPrefix(events, "event: batch\ndata: {") {
			t.Errorf("examples %v and %s", frame, events)
		}
	})
	t.Run("frames", func(t *testing.T) {
		t.Parallel()
		frame := asObject(doc.Components.Schemas["StreamEventsResponse"])
		if got := slices.Sorted(maps.Keys(asObject(frame["properties"]))); !slices.Equal(got, []string{"batch", "error", "summary"}) {
			t.Errorf("properties %v", got)
		}
		if frame["oneOf"] != nil || !strings.HasSuffix(text(frame["description"]), "At most one of `batch`, `notice`, `checkpoint`, `summary` is set.") {
			t.Errorf("schema %v", frame)
		}
	})
	t.Run("summary", func(t *testing.T) {
		t.Parallel()
		if stream["summary"] != "Streams things." || stream["description"] != "Streams things. And says more." {
			t.Errorf("summary %q, description %q", stream["summary"], stream["description"])
		}
	})
	t.Run("unused schemas", func(t *testing.T) {
		t.Parallel()
		got := make([]string, 0, len(doc.Components.Schemas))
		for _, name := range []string{"StreamEventsResponse", "ApiError", "Status", "HttpBody", "EventView"} {
			if doc.Components.Schemas[name] != nil {
				got = append(got, name)
			}
		}
		if diff := cmp.Diff([]string{"StreamEventsResponse", "ApiError"}, got); diff != "" {
			t.Errorf("schemas (-want +got):\n%s", diff)
		}
	})
}

func TestDocumentRefuses(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		parts map[string]string
		want  string
	}{
		{"no parts", nil, "no OpenAPI file"},
		{"no JSON", map[string]string{"a.json": "{"}, "a.json"},
		{"a path twice", map[string]string{"a.json": usagePart, "b.json": usagePart}, "comes twice"},
		{
			"two shapes of a schema",
			map[string]string{"a.json": usagePart, "b.json": strings.Replace(eventsPart, `Status": {"type": "object"}`, `Status": {}`, 1)},
			"google.rpc.Status comes twice",
		},
		{"an unknown RPC", map[string]string{"a.json": strings.Replace(usagePart, "_Download", "_Upload", 1)}, "no RPC"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if _, err := makeDocument(t, test.parts); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want one that says %q", err, test.want)
			}
		})
	}
}

// TestPropertiesKeepTheirOrder holds that a message's properties come in the order of its fields, unknown ones last.
func TestPropertiesKeepTheirOrder(t *testing.T) {
	t.Parallel()
	text, err := json.Marshal(inOrder{names: []string{"b", "absent", "a"}, members: object{"z": 1, "a": "<", "b": object{}, "y": nil}})
	if err != nil || string(text) != `{"b":{},"a":"\u003c","y":null,"z":1}` {
		t.Errorf("%s %v", text, err)
	}
	if text, err = json.Marshal(inOrder{names: []string{"b"}}); err != nil || string(text) != "{}" {
		t.Errorf("%s %v", text, err)
	}
	served, err := os.ReadFile("../../gen/openapi/openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	_, event, _ := strings.Cut(string(served), `"Event": {`)
	last := -1
	for _, name := range []string{"name", "uid", "version", "owner", "conversation", "kind", "eventTime", "actor", "body", "unmapped", "call"} {
		at := strings.Index(event, "\n          \""+name+"\": {")
		if at <= last {
			t.Errorf("%s comes too early", name)
		}
		last = at
	}
}
