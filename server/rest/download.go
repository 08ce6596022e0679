package rest

import (
	"net/url"
	"strconv"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/server/mediatype"
)

// disposition says what a browser does with a download of a media type: it shows pictures of the safe types where they stand, and saves
// everything else, under a name that is the gateway's own; report is the name of a report.
func disposition(mediaType, report string) string {
	switch {
	case mediatype.IsPicture(mediaType):
		return "inline"
	case mediaType == mediatype.Bytes:
		return `attachment; filename="hosted-content.bin"`
	default:
		return `attachment; filename="` + report + `"`
	}
}

// reportName is the name under which the report that the parameters ask for is saved.
func reportName(parameters url.Values) string {
	asked := parameters.Get("report")
	number, known := parleyv1.CopilotUsageReport_value[asked]
	if !known {
		n, _ := strconv.ParseInt(asked, 10, 32) // what is no number is refused before
		number = int32(n)
	}
	switch parleyv1.CopilotUsageReport(number) {
	case parleyv1.CopilotUsageReport_COPILOT_USAGE_REPORT_SUMMARY:
		return "copilot-usage-summary.csv"
	case parleyv1.CopilotUsageReport_COPILOT_USAGE_REPORT_TRENDS:
		return "copilot-usage-trends.csv"
	default:
		return "copilot-usage.csv"
	}
}
