package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	_ "buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate" // names its options, should any be left
	_ "google.golang.org/genproto/googleapis/api/annotations"                   // names its options
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/types/descriptorpb"
)

// TestServedSets reads the two committed sets: the full one is complete, the public one needs no package of the gateway's
// own, and both build and keep their comments.
func TestServedSets(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		file    string
		private bool
	}{
		"full":   {file: "parley-full.binpb", private: true},
		"public": {file: "parley.binpb"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			raw, err := os.ReadFile(filepath.Join("..", "..", "gen", "descriptor", test.file))
			if err != nil {
				t.Fatal(err)
			}
			set := new(descriptorpb.FileDescriptorSet)
			if err := proto.Unmarshal(raw, set); err != nil {
				t.Fatal(err)
			}
			if _, err := protodesc.NewFiles(set); err != nil {
				t.Fatalf("the set does not build: %v", err)
			}
			names := make([]string, 0, len(set.GetFile()))
			comments := 0
			for _, file := range set.GetFile() {
				names = append(names, file.GetName())
				for _, location := range file.GetSourceCodeInfo().GetLocation() {
					if location.GetLeadingComments() != "" {
						comments++
					}
				}
			}
			for _, path := range errorFiles {
				if !slices.Contains(names, path) {
					t.Errorf("%s is missing", path)
				}
			}
			for _, path := range privateFiles {
				if slices.Contains(names, path) != test.private {
					t.Errorf("%s in the set: %t, want %t", path, !test.private, test.private)
				}
			}
			if comments < 500 {
				t.Errorf("%d comments", comments)
			}
			text := prototext.Format(set)
			for _, option := range []string{"[buf.validate.field]", "50101:", "50102:"} {
				if strings.Contains(text, option) != test.private {
					t.Errorf("the option %s in the set: %t, want %t", option, !test.private, test.private)
				}
			}
			for _, option := range []string{"[google.api.http]", "[google.api.field_behavior]", "[google.api.resource]"} {
				if !strings.Contains(text, option) {
					t.Errorf("the option %s is missing", option)
				}
			}
		})
	}
}
