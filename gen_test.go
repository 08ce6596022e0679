package parley_test

import (
	"encoding/json"
	"os/exec"
	"strings"
	"testing"
)

// TestClientImports holds what a Go client of the API links: messages and stubs, and nothing of the REST transcoding.
func TestClientImports(t *testing.T) {
	t.Parallel()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", "github.com/parley-gateway/parley/gen/go/parley/v1").CombinedOutput()
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

// TestClientModules holds what a Go client of the API inherits: the generated code and the helper are modules of their own, whose
// requirements are gRPC, protobuf and the declarations of the options, and what these require. The helper is tested with goleak.
func TestClientModules(t *testing.T) {
	t.Parallel()
	allowed := []string{
		"buf.build/gen/go/bufbuild/protovalidate/", "golang.org/x/", "google.golang.org/",
		"github.com/parley-gateway/parley/gen/go", "go.uber.org/goleak",
	}
	checkModule(t, "gen/go", 0, allowed[:3])
	checkModule(t, "clients/go", 1, allowed)
}

func checkModule(t *testing.T, folder string, replaced int, allowed []string) {
	t.Helper()
	command := exec.CommandContext(t.Context(), "go", "mod", "edit", "-json")
	command.Dir = folder
	out, err := command.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	var mod struct {
		Module struct {
			Path string `json:"Path"`
		} `json:"Module"`
		Require []struct {
			Path string `json:"Path"`
		} `json:"Require"`
		Replace []any `json:"Replace"`
	}
	if err := json.Unmarshal(out, &mod); err != nil {
		t.Fatal(err)
	}
	if mod.Module.Path != "github.com/parley-gateway/parley/"+folder || len(mod.Replace) != replaced {
		t.Errorf("module %s with %d replaced ones", mod.Module.Path, len(mod.Replace))
	}
	for _, required := range mod.Require {
		known := false
		for _, prefix := range allowed {
			known = known || strings.HasPrefix(required.Path, prefix)
		}
		if !known {
			t.Errorf("clients inherit %s from %s", required.Path, folder)
		}
	}
}
