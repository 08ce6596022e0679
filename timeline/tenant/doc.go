// Package tenant holds what a stream over many users knows beside the events of each: how reading a user ended and what that means for
// the whole (outcome.go), and which events were sent under another user (copies.go). Package timeline walks over the users; package
// cursor below keeps the counts in tokens.
package tenant
