package spans_test

import (
	"context"
	"testing"

	"github.com/parley-gateway/parley/internal/spans"
)

// TestUntracedCostsNothing: off is free. No memory is allocated where nobody traces.
func TestUntracedCostsNothing(t *testing.T) {
	ctx := t.Context()
	if n := testing.AllocsPerRun(100, func() {
		below, span := spans.Start(ctx, "work", spans.Internal)
		span.Text("key", "value")
		span.Number("key", 1<<40)
		span.Link(spans.Place{Span: [8]byte{1}})
		if span.Traced() || span.Place() != (spans.Place{}) || below != ctx {
			t.Error("traced")
		}
		span.End("")
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

// noted is a tracer that records the calls of its methods.
type noted struct{ calls []any }

func (n *noted) Start(ctx context.Context, name string, kind spans.Kind) (context.Context, spans.Span) {
	n.calls = append(n.calls, name, kind)
	return ctx, n
}
func (n *noted) Set(key string, value any) { n.calls = append(n.calls, key, value) }
func (n *noted) End(failed string)         { n.calls = append(n.calls, failed) }
func (n *noted) Link(to spans.Place)       { n.calls = append(n.calls, to) }
func (n *noted) Place(context.Context) spans.Place {
	return spans.Place{Span: [8]byte{7}}
}

func TestTraced(t *testing.T) {
	t.Parallel()
	tracer := &noted{}
	ctx, span := spans.Start(spans.NewContext(t.Context(), tracer), "work", spans.Client)
	span.Text("a", "b")
	span.Text("c", "")
	span.Number("d", 5)
	span.Link(spans.Place{})
	place := span.Place()
	span.Link(place)
	span.End("why")
	if current := spans.Current(ctx); current != place {
		t.Errorf("the current span is at %v, want %v", current, place)
	}
	want := []any{"work", spans.Client, "a", "b", "d", int64(5), place, "why"}
	if !span.Traced() || place.Span[0] != 7 || len(tracer.calls) != len(want) {
		t.Fatalf("calls %v", tracer.calls)
	}
	for i := range want {
		if tracer.calls[i] != want[i] {
			t.Errorf("calls %v, want %v", tracer.calls[i], want[i])
		}
	}
}
