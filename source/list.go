package source

import (
	"context"
	"crypto/sha256"
	"errors"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/graphclient/graph"
	"github.com/parley-gateway/parley/source/links"
)

// maxPages bounds the pages of one list inside a Get; links that repeat end it earlier.
const maxPages = 10_000

// errEndless says that the pages of a list lead in a circle, or nowhere.
var errEndless = errors.New("source: the pages have no end")

// eachRecord follows a list from its first request to its last page and calls visit for each record. Such a list is part of one answer: the
// members of a chat, the participants and sessions of a call, a batch of names. Package links says where its pages end, as for every chain.
//
// A link that Graph gave and does not know any more makes eachRecord read the list once more from its start; records that were visited are
// then skipped. Package links has no such rule, since every reader of a chain treats the rows of the first reading in its own way: a window
// and the index of calls collect the rows of both readings, a List tells its reader that rows may come twice, and here each record is
// visited once.
func eachRecord(ctx context.Context, client Graph, first graph.Request, visit func(record []byte) error) error {
	r := first
	followed := links.Set{}
	visited := map[[sha256.Size]byte]int{} // how many equal records
	passed := map[[sha256.Size]byte]int{}  // how many of them came in the second reading
	again := false
	for pages := 1; ; pages++ {
		page, err := client.Page(ctx, r)
		if err != nil && r.Link != first.Link && graph.LinkLost(err) && !again {
			again, r = true, first
			clear(followed)
			continue
		}
		if err != nil {
			return err
		}
		for _, record := range page.Records {
			digest := sha256.Sum256(record)
			if again && passed[digest] < visited[digest] {
				passed[digest]++
				continue
			}
			if !again {
				visited[digest]++
			}
			if err := visit(record); err != nil {
				return err
			}
		}
		if more, doubt := followed.Follow(page.NextLink, pages, maxPages); !more {
			return endless(doubt)
		}
		r.Path, r.Query, r.Link = "", nil, page.NextLink
	}
}

// endless returns the error of a list whose pages do not end by themselves, as package links found; nil for one that ended.
func endless(doubt parleyv1.ErrorReason) error {
	switch doubt {
	case parleyv1.ErrorReason_ERROR_REASON_UNSPECIFIED:
		return nil
	case parleyv1.ErrorReason_ERROR_REASON_PAGING_LOOP:
		return malformed("a list inside a record repeats its pages", errEndless)
	default:
		return malformed("a list inside a record has no end", errEndless)
	}
}
