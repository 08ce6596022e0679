package conformance

import (
	"os/exec"
	"path/filepath"
	"testing"
)

// TestGo plays all cases against the helper for Go.
func TestGo(t *testing.T) {
	t.Parallel()
	program := filepath.Join(t.TempDir(), "driver")
	build := exec.CommandContext(t.Context(), "go", "build", "-race", "-o", program, "./internal/driver")
	build.Dir = "../go"
	if said, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	cases, err := Cases()
	if err != nil {
		t.Fatal(err)
	}
	driver := Driver{Command: []string{program}, Env: []string{fastExit}}
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			if err := driver.Run(t.Context(), c); err != nil {
				t.Errorf("%s\n%v", c.About, err)
			}
		})
	}
}
