package frame

import parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"

// ConcealReads clears the counts that tell what others have read before.
func ConcealReads(counts *parleyv1.SourceCounts) { counts.FromCache, counts.GraphRequests = 0, 0 }
