package server

import (
	"testing"

	"buf.build/go/protovalidate"
	"google.golang.org/protobuf/proto"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
)

// FuzzSurelyValid: what is passed without the rules keeps the rules.
func FuzzSurelyValid(f *testing.F) {
	long := make([]byte, 5000)
	for i := range long {
		long[i] = 'x'
	}
	for _, r := range []*parleyv1.ListEventsRequest{
		benchRequest(),
		{},
		{PageSize: -1},
		{PageSize: 5000},
		{Sources: []parleyv1.Source{1, 2, 3}},
		{Sources: []parleyv1.Source{0}},
		{Sources: []parleyv1.Source{4}},
		{Sources: []parleyv1.Source{2, 2}},
		{Sources: []parleyv1.Source{-1, 70}},
		{View: 3},
		{View: 4},
		{View: -1},
		{OrderBy: string(long[:128])},
		{OrderBy: string(long[:129])},
		{Filter: string(long[:512])},
		{Filter: string(long[:513])},
		{Parent: string(long[:4096])},
		{Parent: string(long[:4097])},
	} {
		raw, err := proto.Marshal(r)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	validator, err := protovalidate.New()
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		r := &parleyv1.ListEventsRequest{}
		if proto.Unmarshal(raw, r) != nil {
			return
		}
		if err := validator.Validate(r); err != nil && surelyValid(r) {
			t.Fatalf("%v passes, but %v", r, err)
		}
	})
}

// TestSurelyValid: what callers usually ask is passed without the rules. A new field of the request needs a look here.
func TestSurelyValid(t *testing.T) {
	t.Parallel()
	if !surelyValid(benchRequest()) || surelyValid(&parleyv1.ListEventsRequest{PageSize: -1}) {
		t.Error("the usual request is read by the rules, or a bad one is not")
	}
	if n := (&parleyv1.ListEventsRequest{}).ProtoReflect().Descriptor().Fields().Len(); n != 9 {
		t.Errorf("%d fields: does surelyValid know the rules of all?", n)
	}
}
