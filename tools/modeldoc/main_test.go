package main

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"
)

const (
	descriptorSet = "../../gen/descriptor/parley-full.binpb"
	page          = "../../docs/model.md"
)

func rendered(t *testing.T) []byte {
	t.Helper()
	raw, err := os.ReadFile(descriptorSet)
	if err != nil {
		t.Fatal(err)
	}
	text, err := render(raw)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// TestPageIsCurrent compares the handbook's page with the descriptors.
func TestPageIsCurrent(t *testing.T) {
	t.Parallel()
	have, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(have, rendered(t)) {
		t.Error("docs/model.md is not what the protos say: run `make generate`")
	}
}

// TestPageIsComplete looks for what a reader needs: every link leads somewhere, no row lacks a meaning.
func TestPageIsComplete(t *testing.T) {
	t.Parallel()
	text := string(rendered(t))
	anchors := map[string]bool{}
	for line := range strings.Lines(text) {
		if title, ok := strings.CutPrefix(strings.TrimLeft(line, "#"), " "); ok && strings.HasPrefix(line, "#") {
			anchors[anchor(strings.TrimSpace(title))] = true
		}
	}
	rows := 0
	for line := range strings.Lines(text) {
		for _, part := range strings.Split(line, "](#")[1:] {
			target, _, _ := strings.Cut(part, ")")
			if !anchors[target] {
				t.Errorf("no heading for #%s", target)
			}
		}
		if strings.HasPrefix(line, "| `") {
			rows++
			if strings.HasSuffix(strings.TrimSpace(line), "|  |") {
				t.Errorf("no meaning: %s", line)
			}
		}
	}
	if rows < 400 {
		t.Errorf("%d fields and values", rows)
	}
	for _, want := range []string{
		"| `event_type` | string | M | `eventMessageDetail.@odata.type` |",
		"| `topic` | string |  | `chat.topic` |",
		"| `detail` |", // absent: a oneof is no field
	} {
		if strings.Contains(text, want) == (want == "| `detail` |") {
			t.Errorf("row %q", want)
		}
	}
}

// TestExamples holds that the guide's examples are messages of the contract.
func TestExamples(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile(descriptorSet)
	if err != nil {
		t.Fatal(err)
	}
	files, _, err := load(raw)
	if err != nil {
		t.Fatal(err)
	}
	examples := 0
	for i, block := range strings.Split(guide, "```json\n") {
		if i == 0 {
			continue
		}
		example, _, _ := strings.Cut(block, "```")
		name := protoreflect.FullName("parley.v1.Event")
		if strings.Contains(example, `"reportPeriod"`) {
			name = "parley.v1.CopilotUsageRow"
		}
		found, err := files.FindDescriptorByName(name)
		if err != nil {
			t.Fatal(err)
		}
		md, ok := found.(protoreflect.MessageDescriptor)
		if !ok {
			t.Fatalf("%s is no message", name)
		}
		if err := protojson.Unmarshal([]byte(example), dynamicpb.NewMessage(md)); err != nil {
			t.Errorf("%v in %s", err, example)
		}
		examples++
	}
	if examples < 5 {
		t.Errorf("%d examples", examples)
	}
}

func TestRun(t *testing.T) {
	t.Parallel()
	output := t.TempDir() + "/model.md"
	if err := run(descriptorSet, output); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(output); err != nil || !bytes.Equal(text, rendered(t)) {
		t.Error(err)
	}
	if err := run("nothing.binpb", output); err == nil {
		t.Error("no error for a missing descriptor set")
	}
	if _, err := render([]byte("no descriptor set")); err == nil {
		t.Error("no error for a broken descriptor set")
	}
	if _, err := render(nil); err == nil {
		t.Error("no error for an empty descriptor set")
	}
}
