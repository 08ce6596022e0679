package nearmiss

import (
	"strings"
	"testing"
)

func TestNearest(t *testing.T) {
	t.Parallel()
	known := []string{"event_time", "create_time", "actor.user.id", "page_size", "SOURCE_CHAT", "SOURCE_CALL"}
	for name, want := range map[string]string{
		"eventTime":               "event_time",
		"event-time":              "event_time",
		"evnt_time":               "event_time",
		"actor.userId":            "actor.user.id",
		"pagesize":                "page_size",
		"page_sise":               "page_size",
		"CHAT":                    "SOURCE_CHAT",
		"source_call":             "SOURCE_CALL",
		"SOURCE_CHATS":            "SOURCE_CHAT",
		"colour":                  "",
		"":                        "",
		"_":                       "",
		"id":                      "",
		strings.Repeat("x", 1000): "",
	} {
		if got := Nearest(name, known); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
	if got := Hint("eventTime", known); got != " did you mean event_time?" {
		t.Errorf("hint %q", got)
	}
	if got := Hint("colour", known); got != "" {
		t.Errorf("hint %q", got)
	}
}
