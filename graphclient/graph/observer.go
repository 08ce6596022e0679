package graph

import (
	"context"
	"time"
)

// Observer receives what metrics need. Its methods are called from many
// goroutines, must not block, and never see a path, a user or a body.
type Observer interface {
	// GraphRequest reports one request to Graph: the context of its span, its
	// API, the HTTP status (0 = no answer), and the time until the answer's
	// headers.
	GraphRequest(ctx context.Context, api string, status int, took time.Duration)
	// GraphWait reports time that a request spent waiting before it was sent
	// or sent again: for a budget, a Retry-After gate or a back-off.
	GraphWait(api string, waited time.Duration)
	// CredentialState reports the outcome of each login.
	CredentialState(ok bool)
}

// NoObserver is an Observer that looks away.
type NoObserver struct{}

var _ Observer = NoObserver{}

// GraphRequest implements Observer.
func (NoObserver) GraphRequest(context.Context, string, int, time.Duration) {}

// GraphWait implements Observer.
func (NoObserver) GraphWait(string, time.Duration) {}

// CredentialState implements Observer.
func (NoObserver) CredentialState(bool) {}
