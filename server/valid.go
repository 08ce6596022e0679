package server

import (
	"unicode/utf8"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
)

// surelyValid says that a request keeps every rule of its message, without the cost of reading the rules. It may say no of a
// valid request; whether a request is refused, and in which words, the rules of the contract decide alone. A test compares
// both.
func surelyValid(r *parleyv1.ListEventsRequest) bool {
	if len(r.GetParent()) > 4096 || r.GetPageSize() < 0 || len(r.GetPageToken()) > 16384 || len(r.GetOrderBy()) > 128 ||
		len(r.GetFilter()) > 512 || !utf8.ValidString(r.GetOrderBy()) || !utf8.ValidString(r.GetFilter()) ||
		r.GetView() < 0 || r.GetView() > parleyv1.EventView_EVENT_VIEW_FULL || len(r.ProtoReflect().GetUnknown()) > 0 {
		return false
	}
	seen := 0
	for _, src := range r.GetSources() {
		if src < parleyv1.Source_SOURCE_COPILOT || src > parleyv1.Source_SOURCE_CALL || seen&(1<<src) != 0 {
			return false
		}
		seen |= 1 << src
	}
	return true
}
