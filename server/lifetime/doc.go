// Package lifetime decides when a server ends its connections and calls: connections at their age, streams after a frame from which
// they can be resumed, calls whose places other callers need, and answers that nobody reads.
package lifetime
