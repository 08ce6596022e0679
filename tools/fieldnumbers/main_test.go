package main

import (
	"bytes"
	"os"
	"testing"
)

// TestNumbersAreCurrent compares the constants with the descriptors.
func TestNumbersAreCurrent(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("../../gen/descriptor/parley-full.binpb")
	if err != nil {
		t.Fatal(err)
	}
	want, err := render(raw)
	if err != nil {
		t.Fatal(err)
	}
	have, err := os.ReadFile("../../eventwire/fields.go")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(have, want) {
		t.Error("eventwire/fields.go is not what the protos say: run `make generate`")
	}
}
