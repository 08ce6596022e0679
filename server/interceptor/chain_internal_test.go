package interceptor

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"

	"github.com/parley-gateway/parley/cache"
	"github.com/parley-gateway/parley/server/callinfo"
)

// TestChainOrder fixes the order of the interceptors: each link relies on those before it.
func TestChainOrder(t *testing.T) {
	t.Parallel()
	conditional := func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
		return next(ctx, req)
	}
	cfg := &Config{Limits: NewLimits(LimitsConfig{}), Conditional: conditional}
	first := []string{"hold", "answer headers", "metrics", "recovery", "logging", "errors", "request headers", "identity", "audit"}
	last := []string{"recheck", "deadline", "limits", "health and reflection limits", "freshness", "validation"}
	for protocol, want := range map[string][]string{
		callinfo.GRPC: slices.Concat([]string{"call", "arrival"}, first, last, []string{"selection"}),
		callinfo.REST: slices.Concat([]string{"call"}, first, []string{"reading"}, last, []string{"conditional", "selection"}),
	} {
		links, err := Chain(cfg, protocol)
		if err != nil {
			t.Fatal(err)
		}
		got, unaryAlone, streamAlone := make([]string, 0, len(links)), 0, 0
		for _, l := range links {
			got = append(got, l.Name)
			if l.Stream == nil {
				unaryAlone++
			}
			if l.Unary == nil {
				streamAlone++
			}
			onlyUnary := l.Name == "deadline" || l.Name == "conditional"
			if (l.Unary == nil) != (l.Name == "recheck" || l.Name == "health and reflection limits") || (l.Stream == nil) != onlyUnary {
				t.Errorf("%s has not the forms that it should have", l.Name)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: order (-want +got):\n%s", protocol, diff)
		}
		if len(links.Unary()) != len(want)-streamAlone || len(links.Stream()) != len(want)-unaryAlone {
			t.Errorf("%s: %d and %d interceptors", protocol, len(links.Unary()), len(links.Stream()))
		}
	}
}

func TestParseControl(t *testing.T) {
	t.Parallel()
	minute := time.Minute
	tests := []struct {
		text string
		want cache.Control
		bad  bool
	}{
		{text: "no-cache", want: cache.Control{NoCache: true}},
		{text: `only-if-cached, max-age="60"`, want: cache.Control{OnlyIfCached: true, MaxAge: &minute}},
		{text: "No-Cache ,max-stale=5,", want: cache.Control{NoCache: true}},
		{text: "max-age=soon", bad: true},
		{text: "max-age", bad: true},
		{text: "max-age=-1", bad: true},
		{text: "max-age=99999999999999", bad: true},
	}
	for _, tt := range tests {
		got, err := parseControl(tt.text)
		if (err != nil) != tt.bad {
			t.Errorf("%q: error %v", tt.text, err)
			continue
		}
		if diff := cmp.Diff(tt.want, got); !tt.bad && diff != "" {
			t.Errorf("%q (-want +got):\n%s", tt.text, diff)
		}
	}
}
