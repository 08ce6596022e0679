//go:build unix

package audit

import "syscall"

// openFlags keep a symbolic link from being followed, and a pipe that nobody reads from holding up the start.
const openFlags = syscall.O_NOFOLLOW | syscall.O_NONBLOCK
