//go:build !linux

package cli

import "errors"

// newMemory has no files to offer: a file without a folder needs Linux.
func newMemory() (scratch, error) { return nil, errors.ErrUnsupported }
