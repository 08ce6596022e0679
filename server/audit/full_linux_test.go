package audit_test

import (
	"errors"
	"syscall"
	"testing"

	"github.com/parley-gateway/parley/server/audit"
)

// TestAFullDeviceIsTriedAgain is TestAFullDiskIsTriedAgain with a file of the system's that is always full.
func TestAFullDeviceIsTriedAgain(t *testing.T) {
	t.Parallel()
	file, err := audit.OpenFile("/dev/full", nil)
	if err != nil {
		t.Fatal(err)
	}
	log := audit.New(file, audit.Options{})
	if _, err := record(log, intent()); !errors.Is(err, syscall.ENOSPC) || log.OK() {
		t.Errorf("%v, well: %t", err, log.OK())
	}
	if err := log.Close(); err != nil {
		t.Error(err)
	}
}
