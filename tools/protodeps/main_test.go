package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestWrite(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(t.TempDir(), "deps")
	stale := filepath.Join(folder, "stale.proto")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(stale, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := write(folder); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(stale); !os.IsNotExist(err) {
		t.Errorf("a stale file stays: %v", err)
	}
	for path, want := range map[string]string{
		"googleapis/google/api/annotations.proto":    "HttpRule http = 72295728",
		"googleapis/google/api/field_behavior.proto": "REQUIRED = 2",
		"googleapis/google/api/httpbody.proto":       "message HttpBody",
		"googleapis/google/api/resource.proto":       "message ResourceDescriptor",
		"googleapis/google/rpc/status.proto":         "message Status",
		"protovalidate/buf/validate/validate.proto":  "message FieldRules",
	} {
		text, err := os.ReadFile(filepath.Join(folder, path))
		if err != nil {
			t.Error(err)
		} else if !strings.Contains(string(text), want) {
			t.Errorf("%s lacks %q", path, want)
		}
	}
}
