package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestReadBlocks(t *testing.T) {
	t.Parallel()
	page := "# A page\n\n```sh\ncurl a\n```\n\n```yaml faults.yaml\n- x\n```\n\n```json\n{}\n```\n\n```sh tenant\nparley serve\n```\n"
	got, err := readBlocks(page)
	if err != nil {
		t.Fatal(err)
	}
	want := []block{{text: "curl a\n"}, {kind: "file", name: "faults.yaml", text: "- x\n"}, {kind: "tenant", text: "parley serve\n"}}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(block{})); diff != "" {
		t.Error(diff)
	}
	if _, err := readBlocks("```sh\ncurl a\n"); err == nil {
		t.Error("a fence that does not end is no error")
	}
}
