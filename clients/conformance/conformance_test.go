package conformance_test

import (
	"os/exec"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"github.com/parley-gateway/parley/clients/conformance"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestGo plays all cases against the helper for Go.
func TestGo(t *testing.T) {
	t.Parallel()
	program := filepath.Join(t.TempDir(), "driver")
	build := exec.CommandContext(t.Context(), "go", "build", "-race", "-o", program, "./internal/driver")
	build.Dir = "../go"
	if said, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	cases, err := conformance.Cases()
	if err != nil {
		t.Fatal(err)
	}
	// The race detector of a program waits a second at its end by default.
	driver := conformance.Driver{Command: []string{program}, Env: []string{"GORACE=atexit_sleep_ms=0"}}
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			if err := driver.Run(t.Context(), c); err != nil {
				t.Errorf("%s\n%v", c.About, err)
			}
		})
	}
}
