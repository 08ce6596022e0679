package resource_test

import (
	"testing"

	"github.com/parley-gateway/parley/resource"
)

func TestObjectIDs(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee": true, "AAAAAAAA-0123-4567-89FF-EEEEEEEEEEEE": true, "": false,
		"aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeeg": false, "aaaaaaaa_bbbb-4ccc-8ddd-eeeeeeeeeeee": false, "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee0": false,
		"aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeee\x16e": false, "aaaaaaaaabbbb-4ccc-8ddd-eeeeeeeeeee": false,
	} {
		if resource.IsObjectID(text) != want {
			t.Errorf("%q: %t", text, !want)
		}
	}
}
