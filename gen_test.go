package parley_test

import (
	"os/exec"
	"strings"
	"testing"
)

// TestClientImports holds what a Go client of the API links: messages and stubs, and nothing of the REST transcoding.
func TestClientImports(t *testing.T) {
	t.Parallel()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", "./gen/go/parley/v1").CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if !strings.Contains(string(out), "google.golang.org/grpc\n") {
		t.Fatalf("not a list of packages: %s", out)
	}
	for pkg := range strings.SplitSeq(string(out), "\n") {
		if strings.Contains(pkg, "grpc-gateway") || strings.HasSuffix(pkg, "/gen/gateway/parley/v1") {
			t.Errorf("clients link %s", pkg)
		}
	}
}
