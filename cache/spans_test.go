package cache_test

import (
	"context"
	"testing"
	"testing/synctest"

	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/parley-gateway/parley/cache"
	"github.com/parley-gateway/parley/internal/coalesce"
	"github.com/parley-gateway/parley/internal/spans"
	"github.com/parley-gateway/parley/internal/tracing"
)

// TestCoalescedWorkIsLinked: whose work was it? A look-up or a reading that takes part in that of another call has a link to the
// span of the other one, in the other one's trace, and the other one has none.
func TestCoalescedWorkIsLinked(t *testing.T) {
	t.Parallel()
	for name, ask := range map[string]func(context.Context, *cache.Cache, func()) error{
		"cache": func(ctx context.Context, c *cache.Cache, work func()) error {
			_, err := cache.Get(ctx, c, cache.Request[string]{Label: "chat", Key: cache.NewKey("page"), Fetch: func(context.Context) (cache.Fetched[string], error) {
				work()
				return cache.Fetched[string]{Value: "page"}, nil
			}})
			return err
		},
		"reading": func(ctx context.Context, c *cache.Cache, work func()) error {
			_, _, err := c.Read(ctx, "chat", "window", coalesce.Options{}, func(context.Context) any {
				work()
				return "rows"
			})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				recorder := tracetest.NewSpanRecorder()
				tracer := tracing.New(sdk.NewTracerProvider(sdk.WithSpanProcessor(recorder)))
				c, err := cache.New(cache.Config{MaxBytes: 1 << 20})
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				release, worked := make(chan struct{}), 0
				ended := make(chan error, 2)
				for range 2 {
					go func() {
						ended <- ask(spans.NewContext(t.Context(), tracer), c, func() { worked++; <-release })
					}()
					synctest.Wait() // the first one works, the second one waits for it
				}
				close(release)
				for range 2 {
					if err := <-ended; err != nil {
						t.Error(err)
					}
				}
				linked, own := map[trace.SpanID]trace.SpanContext{}, map[trace.SpanID]bool{}
				for _, span := range recorder.Ended() {
					if span.Name() != name {
						t.Errorf("a span %s", span.Name())
					}
					own[span.SpanContext().SpanID()] = true
					for _, link := range span.Links() {
						linked[span.SpanContext().SpanID()] = link.SpanContext
					}
				}
				if worked != 1 || len(own) != 2 || len(linked) != 1 {
					t.Fatalf("%d did the work, %d spans, links %v", worked, len(own), linked)
				}
				for from, to := range linked {
					if from == to.SpanID() || !own[to.SpanID()] {
						t.Errorf("%v has a link to %v", from, to)
					}
				}
			})
		})
	}
}
