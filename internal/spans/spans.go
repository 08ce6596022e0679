// Package spans is how the floors report the work that they do for a call, without knowing whether and by what it is traced: a Tracer
// in the context receives the spans. Where no Tracer is in the context, to begin a span costs one look into the context.
package spans

import "context"

// Kind is the side of a request that a span is on: the side that answers it, the side that sends it, or neither.
type Kind int

// The kinds of spans.
const (
	Internal Kind = iota
	Server
	Client
)

// Place identifies a span by its trace and its own id; zero = no span.
type Place struct {
	Trace [16]byte
	Span  [8]byte
}

// Tracer begins spans.
type Tracer interface {
	// Start begins a span below the current span of a context, and returns a context in which the new span is the current one.
	Start(ctx context.Context, name string, kind Kind) (context.Context, Span)
	// Place returns the place of the current span of a context; zero where it has none.
	Place(ctx context.Context) Place
}

// Span is one piece of work. No attribute may hold a user's name, a literal of a filter, a token or a body.
type Span interface {
	// Set adds an attribute: a string, bool, int64 or float64.
	Set(key string, value any)
	// Link records that another span did the work of this one.
	Link(to Place)
	// End ends the span; failed is why the work failed, empty = it did not.
	End(failed string)
}

type (
	tracerKey  struct{}
	currentKey struct{}
)

// NewContext returns a context whose work is traced.
func NewContext(ctx context.Context, tracer Tracer) context.Context {
	return context.WithValue(ctx, tracerKey{}, tracer)
}

// Active is a span that has begun. A nil Active stands for work that nobody traces: its methods do nothing.
type Active struct {
	span  Span
	place Place
}

// Start begins a span, if the context has a Tracer.
func Start(ctx context.Context, name string, kind Kind) (context.Context, *Active) {
	tracer, ok := ctx.Value(tracerKey{}).(Tracer)
	if !ok {
		return ctx, nil
	}
	ctx, span := tracer.Start(ctx, name, kind)
	active := &Active{span, tracer.Place(ctx)}
	return context.WithValue(ctx, currentKey{}, active), active
}

// Current returns the place of the span that Start put into a context; zero where there is none.
func Current(ctx context.Context) Place {
	active, _ := ctx.Value(currentKey{}).(*Active)
	return active.Place()
}

// Traced reports whether the work is traced, so that attributes are worth their making.
func (a *Active) Traced() bool { return a != nil }

// Text adds a text as an attribute; an empty one is left out.
func (a *Active) Text(key, value string) {
	if a != nil && value != "" {
		a.span.Set(key, value)
	}
}

// Number adds a number as an attribute.
func (a *Active) Number(key string, value int64) {
	if a != nil {
		a.span.Set(key, value)
	}
}

// Link records that the span at a place did the work of this one, for another call. A zero place is left out.
func (a *Active) Link(to Place) {
	if a != nil && to != (Place{}) {
		a.span.Link(to)
	}
}

// Place returns the place of the span; zero where nobody traces.
func (a *Active) Place() Place {
	if a == nil {
		return Place{}
	}
	return a.place
}

// End ends the span; failed is why the work failed, empty = it did not.
func (a *Active) End(failed string) {
	if a != nil {
		a.span.End(failed)
	}
}
