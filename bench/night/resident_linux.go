package main

import (
	"os"
	"syscall"
)

// residentOf is the most that was resident of a process that has ended, in MiB.
func residentOf(state *os.ProcessState) float64 {
	usage, ok := state.SysUsage().(*syscall.Rusage)
	if !ok {
		return 0
	}
	return float64(usage.Maxrss) / 1024
}
