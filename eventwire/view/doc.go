// Package view leaves fields out of messages of parley.v1: those that an event view does not show (Apply, Metadata), or that a caller does
// not select (Mask). A message or its encoded bytes come in, and the same form goes out. The contract itself says which fields
// EVENT_VIEW_METADATA keeps, by the proto option (parley.v1.metadata).
package view
