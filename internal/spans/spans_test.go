package spans_test

import (
	"context"
	"testing"

	"github.com/parley-gateway/parley/internal/spans"
)

// TestUntracedCostsNothing is of the kind "off is free": no memory is allocated where nobody traces.
func TestUntracedCostsNothing(t *testing.T) {
	ctx := t.Context()
	if n := testing.AllocsPerRun(100, func() {
		below, span := spans.Start(ctx, "work", spans.Internal)
		span.Text("key", "value")
		span.Number("key", 1<<40)
		span.Share(spans.Place{Span: [8]byte{1}})
		if span.Traced() || span.Place() != (spans.Place{}) || below != ctx {
			t.Error("traced")
		}
		span.End("")
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

// noted is a tracer that notes what it is told.
type noted struct{ told []any }

func (n *noted) Start(ctx context.Context, name string, kind spans.Kind) (context.Context, spans.Span) {
	n.told = append(n.told, name, kind)
	return ctx, n
}
func (n *noted) Set(key string, value any) { n.told = append(n.told, key, value) }
func (n *noted) End(failed string)         { n.told = append(n.told, failed) }
func (n *noted) Link(to spans.Place) spans.Place {
	n.told = append(n.told, to)
	return spans.Place{Span: [8]byte{7}}
}

func TestTraced(t *testing.T) {
	t.Parallel()
	tracer := &noted{}
	_, span := spans.Start(spans.NewContext(t.Context(), tracer), "work", spans.Client)
	span.Text("a", "b")
	span.Text("c", "")
	span.Number("d", 5)
	span.Share(spans.Place{})
	place := span.Place()
	span.Share(place)
	span.End("why")
	want := []any{"work", spans.Client, "a", "b", "d", int64(5), spans.Place{}, place, "why"}
	if !span.Traced() || place.Span[0] != 7 || len(tracer.told) != len(want) {
		t.Fatalf("told %v", tracer.told)
	}
	for i := range want {
		if tracer.told[i] != want[i] {
			t.Errorf("told %v, want %v", tracer.told[i], want[i])
		}
	}
}
