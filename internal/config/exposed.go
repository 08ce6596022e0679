package config

import (
	"io/fs"
	"maps"
	"os"
	"slices"
)

// Exposure is a file that others on the machine can read or change although it decides who may do what.
type Exposure struct {
	// Setting names the file, Path is where it is.
	Setting, Path string
	// Problem says what others can do, and the fix.
	Problem string
}

// Exposed returns the files of secrets that every user of the machine can read, and the files of secrets, authorities and rules
// that every one of them can change: all files that settings name but the audit file, which the gateway makes. Links are followed: what
// counts is the file that is read. A file that cannot be looked at is the affair of Check.
func (s *Settings) Exposed() []Exposure {
	var found []Exposure
	seen := map[string]bool{}
	look := func(own *Settings, spec settingSpec) {
		path := own.field(spec).String()
		if problem := exposure(path, spec.secret); problem != "" && !seen[path] {
			found = append(found, Exposure{Setting: envOf(spec.flag), Path: path, Problem: problem})
			seen[path] = true
		}
	}
	tenants := s.ByAlias()
	for _, spec := range settingSpecs() {
		switch {
		case !spec.path || spec.flag == auditFile:
		case spec.graph:
			for _, alias := range slices.Sorted(maps.Keys(tenants)) {
				own := tenants[alias]
				look(&own, spec)
			}
		default:
			look(s, spec)
		}
	}
	return found
}

// exposure returns what other users of the machine can do to the file at a path, and the fix; empty = nothing that matters, no path, or
// no such file.
func exposure(path string, secret bool) string {
	const others, mayRead, mayWrite fs.FileMode = 0o007, 0o004, 0o002
	if path == "" {
		return ""
	}
	info, err := os.Stat(path)
	if err != nil {
		return ""
	}
	switch mode := info.Mode().Perm() & others; {
	case mode&mayWrite != 0:
		return "every user of this machine can change the file; take the permission away (chmod o-rwx)"
	case mode&mayRead != 0 && secret:
		return "every user of this machine can read the secret; take the permission away (chmod o-rwx, in Kubernetes defaultMode: 0400)"
	default:
		return ""
	}
}
