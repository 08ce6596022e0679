package dataset_test

import (
	"math/rand/v2"
	"testing"

	"google.golang.org/protobuf/proto"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"

	"github.com/parley-gateway/parley/export/internal/dataset"
)

// BenchmarkEventRow makes the rows of events of all kinds from their wire format.
func BenchmarkEventRow(b *testing.B) {
	random := rand.New(rand.NewPCG(1, 1))
	events := make([][]byte, 0, 64)
	for range cap(events) {
		e := new(parleyv1.Event)
		fill(random, e.ProtoReflect(), 0)
		content, err := proto.Marshal(e)
		if err != nil {
			b.Fatal(err)
		}
		events = append(events, content)
	}
	reader := dataset.NewReader("night")
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if err := reader.Read(events[i%len(events)]); err != nil {
			b.Fatal(err)
		}
		if _, err := reader.EventRow(); err != nil {
			b.Fatal(err)
		}
	}
}
