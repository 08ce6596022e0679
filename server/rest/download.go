package rest

import (
	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/server/mediatype"
)

// disposition says what a browser does with the download that a request asks for, by its media type: it shows pictures of the safe types
// where they stand, and saves everything else, under a name that is the gateway's own.
func disposition(mediaType string, request any) string {
	switch {
	case mediatype.IsPicture(mediaType):
		return "inline"
	case mediaType == mediatype.Bytes:
		return `attachment; filename="hosted-content.bin"`
	default:
		return `attachment; filename="` + reportName(request) + `"`
	}
}

// reportName is the name under which the report of a request is saved.
func reportName(request any) string {
	download, _ := request.(*parleyv1.DownloadCopilotUsageRequest)
	switch download.GetReport() {
	case parleyv1.CopilotUsageReport_COPILOT_USAGE_REPORT_SUMMARY:
		return "copilot-usage-summary.csv"
	case parleyv1.CopilotUsageReport_COPILOT_USAGE_REPORT_TRENDS:
		return "copilot-usage-trends.csv"
	default:
		return "copilot-usage.csv"
	}
}
