//go:build !unix

package audit

// openFlags: there are none.
const openFlags = 0
