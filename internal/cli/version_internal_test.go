package cli

import (
	"bytes"
	"runtime/debug"
	"strings"
	"testing"
)

// TestRevisionNamesTheBuild: which build runs. The linker's word goes before the toolchain's, and changed files show.
func TestRevisionNamesTheBuild(t *testing.T) {
	noted := []debug.BuildSetting{{Key: "vcs", Value: "git"}, {Key: "vcs.revision", Value: "0123abc"}, {Key: "vcs.modified", Value: "false"}}
	if got := revisionIn(noted); got != "0123abc" {
		t.Errorf("revision %q", got)
	}
	noted[2].Value = "true"
	if got := revisionIn(noted); got != "0123abc-dirty" {
		t.Errorf("revision %q of changed files", got)
	}
	if got := revisionIn(noted[2:]); got != "" {
		t.Errorf("revision %q without git", got)
	}
	defer func(r, c string) { release, commit = r, c }(release, commit)
	release, commit = "v1.2.3", "4567def"
	var out bytes.Buffer
	if err := (versionVerb{}).Run(streams{out: &out}); err != nil || !strings.HasPrefix(out.String(), "parley v1.2.3 (4567def, go") {
		t.Errorf("%v %q", err, out.String())
	}
}
