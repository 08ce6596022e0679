package cli

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// release and commit are set by the linker: `make build` takes them from git.
var release, commit = "", "" //nolint:gochecknoglobals // the linker sets them

type versionVerb struct{}

// Run prints version, commit and Go version in one line.
func (versionVerb) Run(to streams) error {
	built := runtime.Version()
	if revision := Revision(); revision != "" {
		built = revision + ", " + built
	}
	_, err := fmt.Fprintf(to.out, "parley %s (%s)\n", Version(), built)
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

// Revision is the commit that the binary was built from, with the suffix -dirty where files were changed; empty = unknown.
func Revision() string {
	if commit != "" {
		return commit
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	return revisionIn(info.Settings)
}

// revisionIn is the commit that the Go toolchain noted.
func revisionIn(settings []debug.BuildSetting) string {
	revision, dirty := "", ""
	for _, setting := range settings {
		switch {
		case setting.Key == "vcs.revision":
			revision = setting.Value
		case setting.Key == "vcs.modified" && setting.Value == "true":
			dirty = "-dirty"
		}
	}
	if revision == "" {
		return ""
	}
	return revision + dirty
}
