package doccheck_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"

	"github.com/parley-gateway/parley/tools/doccheck"
)

const descriptorSet = "../../gen/descriptor/parley-full.binpb"

func TestContractIsDocumented(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile(descriptorSet)
	if err != nil {
		t.Fatal(err)
	}
	findings, err := doccheck.Check(raw)
	if err != nil {
		t.Fatal(err)
	}
	for _, finding := range findings {
		t.Error(finding)
	}
}

// Each case spoils the real descriptor set in one place and expects a finding there.
func TestCheckFinds(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile(descriptorSet)
	if err != nil {
		t.Fatal(err)
	}
	before, err := doccheck.Check(raw)
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, comment string
		keepOptions   bool
		want          string
	}{
		{"no comment", "", true, "has no comment"},
		{"short comment", " Text.\n", true, "has a comment of less than 20 characters"},
		{"restated name", " This is the name of the event.\n", true, "only restates its name"},
		{"no source", " Anything that a comment might say.\n", false, "names no Graph property"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			findings, err := doccheck.Check(spoil(t, raw, test.comment, test.keepOptions))
			if err != nil {
				t.Fatal(err)
			}
			added := slices.DeleteFunc(findings, func(finding string) bool { return slices.Contains(before, finding) })
			if all := strings.Join(added, "\n"); !strings.Contains(all, "field parley.v1.Event.name "+test.want) {
				t.Errorf("findings do not say %q:\n%s", test.want, all)
			}
		})
	}
}

// spoil gives the first field of message Event another comment and, unless told to keep them, no options.
func spoil(t *testing.T, raw []byte, comment string, keepOptions bool) []byte {
	t.Helper()
	var set descriptorpb.FileDescriptorSet
	if err := proto.Unmarshal(raw, &set); err != nil {
		t.Fatal(err)
	}
	for _, file := range set.GetFile() {
		if file.GetName() != "parley/v1/event.proto" {
			continue
		}
		for index, message := range file.GetMessageType() {
			if message.GetName() != "Event" {
				continue
			}
			if !keepOptions {
				message.GetField()[0].Options = nil
			}
			// Field 0 of message `index`, by the numbers of FileDescriptorProto and DescriptorProto.
			field := []int32{4, int32(index), 2, 0}
			for _, location := range file.GetSourceCodeInfo().GetLocation() {
				if slices.Equal(location.GetPath(), field) {
					location.LeadingComments = new(comment)
				}
			}
			spoiled, err := proto.Marshal(&set)
			if err != nil {
				t.Fatal(err)
			}
			return spoiled
		}
	}
	t.Fatal("no message Event in the descriptor set")
	return nil
}

func TestCheckRefuses(t *testing.T) {
	t.Parallel()
	for name, raw := range map[string][]byte{"garbage": []byte("garbage"), "empty set": nil} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := doccheck.Check(raw); err == nil {
				t.Error("no error")
			}
		})
	}
}
