package frame

import (
	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/source"
)

// ConcealReads clears the counts that tell what others have read before. The number of pages is one of them: a
// reading that the cache answers counts fewer pages than one that asks Graph, windows that were too wide among them.
func ConcealReads(counts *parleyv1.SourceCounts) {
	counts.Pages, counts.FromCache, counts.GraphRequests = 0, 0, 0
}

// AddCoverageGaps adds to each report the data that its source cannot hold. It belongs into the last answer of a walk.
func AddCoverageGaps(reports []*parleyv1.SourceReport) []*parleyv1.SourceReport {
	for _, report := range reports {
		if report.GetState() == parleyv1.SourceState_SOURCE_STATE_NOT_IN_CLOUD {
			report.CoverageGaps = []parleyv1.CoverageGap{parleyv1.CoverageGap_COVERAGE_GAP_CLOUD}
			continue
		}
		report.CoverageGaps = source.Describe(report.GetSource()).CoverageGaps
	}
	return reports
}
