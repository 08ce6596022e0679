package source

import (
	"errors"
	"slices"

	"github.com/parley-gateway/parley/graphclient/graph"
)

// isKind reports whether err is a *graph.Error of one of the kinds.
func isKind(err error, kinds ...graph.Kind) bool {
	e, ok := errors.AsType[*graph.Error](err)
	return ok && slices.Contains(kinds, e.Kind)
}

// isRejected reports whether Graph answered 400 or 501.
func isRejected(err error) bool {
	e, ok := errors.AsType[*graph.Error](err)
	return ok && e.Rejected()
}

func unexpected(problem string, err error) error {
	return failure(graph.KindUnexpected, problem, err)
}

func malformed(problem string, err error) error {
	return failure(graph.KindMalformed, problem, err)
}

func notFound(problem string) error { return failure(graph.KindNotFound, problem, nil) }

// failure returns a *graph.Error for a problem that this package found. The problem holds no content, user or URL.
func failure(kind graph.Kind, problem string, err error) error {
	cause := errors.New("source: " + problem)
	if err != nil {
		cause = errors.Join(cause, err)
	}
	return &graph.Error{Kind: kind, Err: cause}
}
