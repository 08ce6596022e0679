package view

import (
	"cmp"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
)

// OfList returns the view of an answer that is a list or a stream: the one that its request names, or BASIC.
func OfList(named parleyv1.EventView) parleyv1.EventView {
	return cmp.Or(named, parleyv1.EventView_EVENT_VIEW_BASIC)
}

// OfOne returns the view of an answer that is one resource: the one that its request names, or FULL.
func OfOne(named parleyv1.EventView) parleyv1.EventView {
	return cmp.Or(named, parleyv1.EventView_EVENT_VIEW_FULL)
}
