package cli

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// release is set by the linker for released binaries.
var release = "" //nolint:gochecknoglobals // the linker sets it

type versionVerb struct{}

// Run prints version, commit and Go version in one line.
func (versionVerb) Run(to streams) error {
	_, err := fmt.Fprintf(to.out, "parley %s (%s)\n", Version(), runtime.Version())
	return err
}

// Version is the released version, or what the Go toolchain noted in the binary.
func Version() string {
	if release != "" {
		return release
	}
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "(devel)"
	}
	return info.Main.Version
}
