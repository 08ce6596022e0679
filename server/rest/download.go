package rest

import "github.com/parley-gateway/parley/server/mediatype"

// disposition says what a browser does with a download of a media type: it shows pictures of the safe types where they stand, and saves
// everything else, under a name that is the gateway's own.
func disposition(mediaType string) string {
	switch {
	case mediatype.IsPicture(mediaType):
		return "inline"
	case mediaType == mediatype.Bytes:
		return `attachment; filename="hosted-content.bin"`
	default:
		return `attachment; filename="copilot-usage.csv"`
	}
}
