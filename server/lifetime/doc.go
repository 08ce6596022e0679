// Package lifetime ends what a server holds: connections by their age, streams at a place from which they can be resumed,
// calls whose places others need, and answers that nobody reads.
package lifetime
