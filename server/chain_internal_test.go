package server

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/parley-gateway/parley/cache"
)

// TestChainOrder fixes the order of the interceptors: each link relies on those before it.
func TestChainOrder(t *testing.T) {
	t.Parallel()
	s := &Server{drain: newDrainer()}
	s.limits = newLimits(&s.cfg, s.drain)
	all := []string{
		"places", "answer headers", "metrics", "recovery", "logging", "errors", "request headers", "identity", "audit", "recheck", "deadline", "limits", "freshness", "validation",
	}
	for door, want := range map[string][]string{
		doorGRPC: append([]string{"call", "arrival"}, all...),
		doorREST: append(append([]string{"call"}, all...), "conditional"),
	} {
		links, err := s.chain(door)
		if err != nil {
			t.Fatal(err)
		}
		got, unaryAlone, streamAlone := make([]string, 0, len(links)), 0, 0
		for _, l := range links {
			got = append(got, l.name)
			if l.stream == nil {
				unaryAlone++
			}
			if l.unary == nil {
				streamAlone++
			}
			onlyUnary := l.name == "deadline" || l.name == "conditional"
			if (l.unary == nil) != (l.name == "recheck") || (l.stream == nil) != onlyUnary {
				t.Errorf("%s has not the forms that it should have", l.name)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: order (-want +got):\n%s", door, diff)
		}
		if len(links.unary()) != len(want)-streamAlone || len(links.stream()) != len(want)-unaryAlone {
			t.Errorf("%s: %d and %d interceptors", door, len(links.unary()), len(links.stream()))
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
