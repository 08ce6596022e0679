package cli

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"google.golang.org/grpc/grpclog"
)

// TestGRPCLines: what grpc writes to a log of its own shows that it wrote, at the level for debugging, and none of its text.
func TestGRPCLines(t *testing.T) {
	var logged bytes.Buffer
	end := redirectStdLog(slog.New(slog.NewJSONHandler(&logged, &slog.HandlerOptions{Level: slog.LevelDebug})))
	grpclog.Error("write tcp 10.1.2.3:4: reset by peer")
	grpclog.Errorf("value %q", "secret")
	grpclog.Warning("secret")
	grpclog.Info("secret")
	end()
	grpclog.Error("after the end")
	if text := logged.String(); strings.Count(text, `"level":"DEBUG"`) != 2 || strings.Count(text, "\n") != 2 || strings.Contains(text, "10.1.2.3") || strings.Contains(text, "secret") {
		t.Errorf("logged %s", text)
	}
}
