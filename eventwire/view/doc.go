// Package view cuts messages of parley.v1 down to what an event view holds. What EVENT_VIEW_METADATA keeps is not
// written here but in the contract, as the proto option (parley.v1.metadata).
package view
