package interceptor

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/internal/reasons"
	"github.com/parley-gateway/parley/server/apierror"
	"github.com/parley-gateway/parley/server/authn"
	"github.com/parley-gateway/parley/server/metrics"
)

// callerKey is the key of a context under which the name of its caller stands.
type callerKey struct{}

// named accepts every caller with a name.
type named struct{}

// Authenticate implements authn.Authenticator.
func (named) Authenticate(ctx context.Context) (*authn.Caller, error) {
	if name, ok := ctx.Value(callerKey{}).(string); ok {
		return &authn.Caller{Kind: authn.KindCertificate, Namespace: authn.DNSName, Subject: name}, nil
	}
	return nil, &authn.RefusedError{Why: authn.WhyMissing}
}

// reasonOf is the reason of an error; empty for none.
func reasonOf(err error) string {
	if err == nil {
		return ""
	}
	return apierror.Reason(apierror.FromError(err))
}

// TestBodiesAreDividedBetweenCallers: nobody takes the room of others, callers who are not accepted take none, and what was read gives its
// room back.
func TestBodiesAreDividedBetweenCallers(t *testing.T) {
	t.Parallel()
	const most, part = bodiesLimit / bodiesEach, bodiesEach / 8
	overloaded := reasons.Text(parleyv1.ErrorReason_ERROR_REASON_OVERLOADED)
	unaccepted := reasons.Text(parleyv1.ErrorReason_ERROR_REASON_CALLER_UNAUTHENTICATED)
	shed := map[string]int{}
	bodies := NewBodies(named{}, true, func(cause string) { shed[cause]++ })
	admit := func(caller string, bytes int64, want string) (leave func()) {
		ctx := t.Context()
		if caller != "" {
			ctx = context.WithValue(ctx, callerKey{}, caller)
		}
		leave, err := bodies.Admit(ctx, bytes)
		if got := reasonOf(err); got != want || (err == nil) != (leave != nil) {
			t.Fatalf("%d bytes of %q: %q, want %q", bytes, caller, got, want)
		}
		return leave
	}
	admit("", part, unaccepted)
	leave := make([]func(), 0, 8*most)
	for range 8 {
		leave = append(leave, admit("A", part, ""))
	}
	admit("A", 1, overloaded)
	for caller := 'B'; caller < 'A'+most; caller++ {
		for range 8 {
			leave = append(leave, admit(string(caller), part, ""))
		}
	}
	admit("Z", 1, overloaded)
	admit("", part, unaccepted)
	for i, end := range leave {
		end()
		if i == 0 {
			admit("Z", part, "")()
			admit("A", part, "")()
		}
	}
	if bodies.all != 0 || len(bodies.callers) != 0 {
		t.Errorf("%d bytes are held: %v", bodies.all, bodies.callers)
	}
	if diff := cmp.Diff(map[string]int{metrics.ShedBodies: 2}, shed); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestOneCallerHasAllRoomForBodies: without authentication all callers are one.
func TestOneCallerHasAllRoomForBodies(t *testing.T) {
	t.Parallel()
	bodies := NewBodies(authn.NoAuthentication{}, false, func(string) {})
	leave, err := bodies.Admit(t.Context(), bodiesLimit)
	if err != nil {
		t.Fatal(err)
	}
	defer leave()
	_, err = bodies.Admit(t.Context(), 1)
	if got := reasonOf(err); got != reasons.Text(parleyv1.ErrorReason_ERROR_REASON_OVERLOADED) {
		t.Errorf("one byte more: %q", got)
	}
}
