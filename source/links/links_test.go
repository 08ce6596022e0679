package links_test

import (
	"testing"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/source/links"
)

func TestASetRemembersItsLinks(t *testing.T) {
	t.Parallel()
	s := links.Set{}
	if !s.Add("https://graph/1?skip=1") || !s.Add("https://graph/1?skip=2") {
		t.Error("a new link is known")
	}
	if s.Add("https://graph/1?skip=1") || !s.Has("https://graph/1?skip=2") || s.Has("https://graph/1?skip=3") {
		t.Error("a link that leads back is not recognized")
	}
}

func TestAChainEndsByItsLinks(t *testing.T) {
	t.Parallel()
	s := links.Set{}
	for n, step := range []struct {
		link  string
		more  bool
		doubt parleyv1.ErrorReason
	}{
		{link: "1", more: true},
		{link: "2", more: true},
		{link: "1", doubt: parleyv1.ErrorReason_ERROR_REASON_PAGING_LOOP},
		{link: "3", doubt: parleyv1.ErrorReason_ERROR_REASON_TOO_MANY_PAGES},
		{},
	} {
		if more, doubt := s.Follow(step.link, n+1, 4); more != step.more || doubt != step.doubt {
			t.Errorf("link %q after %d pages: %v, %v; want %v, %v", step.link, n+1, more, doubt, step.more, step.doubt)
		}
	}
}

// TestAChainMayBeCutAtAnEmptyLastPage: a chain may have been cut where an empty last page follows a page that is short.
func TestAChainMayBeCutAtAnEmptyLastPage(t *testing.T) {
	t.Parallel()
	type page struct {
		next string
		rows int
	}
	for name, c := range map[string]struct {
		pages  []page
		filled int
		cut    bool
	}{
		"one page":            {pages: []page{{"", 3}}},
		"one empty page":      {pages: []page{{"", 0}}},
		"a full page":         {pages: []page{{"1", 10}, {"", 0}}, filled: 1},
		"a short page":        {pages: []page{{"1", 10}, {"2", 9}, {"", 0}}, filled: 2, cut: true},
		"empty pages between": {pages: []page{{"1", 9}, {"2", 0}, {"", 0}}, filled: 1, cut: true},
		"rows at the end":     {pages: []page{{"1", 9}, {"", 1}}, filled: 1},
		"nothing but links":   {pages: []page{{"1", 0}, {"2", 0}, {"", 0}}},
	} {
		var tail links.TruncationCheck
		cut := false
		for _, p := range c.pages {
			cut = tail.Add(p.next, p.rows, func(rows int) bool { return rows < 10 })
		}
		if cut != c.cut || tail.Filled != c.filled {
			t.Errorf("%s: cut %v, %d filled pages; want %v, %d", name, cut, tail.Filled, c.cut, c.filled)
		}
	}
}
