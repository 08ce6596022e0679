package links_test

import (
	"testing"

	"github.com/parley-gateway/parley/timeline/links"
)

func TestSet(t *testing.T) {
	t.Parallel()
	s := links.Set{}
	if !s.Add("https://graph/1?skip=1") || !s.Add("https://graph/1?skip=2") {
		t.Error("a new link is known")
	}
	if s.Add("https://graph/1?skip=1") || !s.Has("https://graph/1?skip=2") || s.Has("https://graph/1?skip=3") {
		t.Error("a link that leads back is not recognized")
	}
}
