// Package pins_test checks that the modules of this repository agree where they must.
package pins_test

import (
	"os"
	"testing"

	"golang.org/x/mod/modfile"
)

// The imported protos are printed from the tools' modules and compiled against the gateway's: they must be the same.
func TestSharedModulesHaveOneVersion(t *testing.T) {
	t.Parallel()
	gateway, tools := versions(t, "../../go.mod"), versions(t, "../go.mod")
	for _, module := range []string{
		"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go",
		"google.golang.org/genproto/googleapis/api",
		"google.golang.org/genproto/googleapis/rpc",
	} {
		if gateway[module] == "" || gateway[module] != tools[module] {
			t.Errorf("%s: go.mod has %q, tools/go.mod has %q", module, gateway[module], tools[module])
		}
	}
}

func versions(t *testing.T, path string) map[string]string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	file, err := modfile.Parse(path, text, nil)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for _, require := range file.Require {
		found[require.Mod.Path] = require.Mod.Version
	}
	return found
}
