// Package spans lets the floors say what they do for a call, for whoever traces it, without knowing how it is traced. Where nobody
// traces a call, beginning a span costs a look into the context.
package spans

import "context"

// Kind says on which side of a request a span is.
type Kind int

// The kinds of spans.
const (
	Internal Kind = iota
	Server
	Client
)

// Place names a span; zero = none.
type Place struct {
	Trace [16]byte
	Span  [8]byte
}

// Tracer begins spans.
type Tracer interface {
	// Start begins a span below that of the context, and returns a context in which it is the current one.
	Start(ctx context.Context, name string, kind Kind) (context.Context, Span)
}

// Span is one piece of work. Nobody may put in a name of a user, a literal of a filter, a token or a body.
type Span interface {
	// Set adds an attribute, a string, bool, int64 or float64.
	Set(key string, value any)
	// Link says that the work was done by another span, and returns the place of this one. A zero place links nothing.
	Link(to Place) Place
	// End ends the span; failed says why the work failed, empty = it did not.
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

// Active is a span that runs. A nil Active is that of work that nobody traces.
type Active struct{ span Span }

// Start begins a span, if the context is traced.
func Start(ctx context.Context, name string, kind Kind) (context.Context, *Active) {
	tracer, ok := ctx.Value(tracerKey{}).(Tracer)
	if !ok {
		return ctx, nil
	}
	ctx, span := tracer.Start(ctx, name, kind)
	active := &Active{span}
	return context.WithValue(ctx, currentKey{}, active), active
}

// Current names the span that Start made for a context; zero where nobody traces.
func Current(ctx context.Context) Place {
	active, _ := ctx.Value(currentKey{}).(*Active)
	return active.Place()
}

// Traced reports whether somebody wants to know.
func (a *Active) Traced() bool { return a != nil }

// Text adds a word.
func (a *Active) Text(key, value string) {
	if a != nil && value != "" {
		a.span.Set(key, value)
	}
}

// Number adds a number.
func (a *Active) Number(key string, value int64) {
	if a != nil {
		a.span.Set(key, value)
	}
}

// Share links the span to the one that did its work for somebody else, if there was one.
func (a *Active) Share(from Place) {
	if a != nil && from != (Place{}) {
		a.span.Link(from)
	}
}

// Place names the span; zero where nobody traces.
func (a *Active) Place() Place {
	if a == nil {
		return Place{}
	}
	return a.span.Link(Place{})
}

// End ends the span; failed says why the work failed, empty = it did not.
func (a *Active) End(failed string) {
	if a != nil {
		a.span.End(failed)
	}
}
