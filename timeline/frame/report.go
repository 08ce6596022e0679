package frame

import parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"

// ConcealReads clears the counts that tell what others have read before. The number of pages is one of them: a
// reading that the cache answers counts fewer pages than one that asks Graph, windows that were too wide among them.
func ConcealReads(counts *parleyv1.SourceCounts) {
	counts.Pages, counts.FromCache, counts.GraphRequests = 0, 0, 0
}
