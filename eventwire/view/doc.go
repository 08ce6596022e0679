// Package view projects messages of parley.v1, encoded or not, onto an event view. The contract itself says which fields
// EVENT_VIEW_METADATA keeps, by the proto option (parley.v1.metadata).
package view
