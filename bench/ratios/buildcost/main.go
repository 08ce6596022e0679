// Command buildcost builds a program with an empty build cache and writes what that took: CPU seconds of all processes
// and the resident bytes of the largest one.
//
//	buildcost -out cost.json -cache dir [-C dir] [-tags list] package
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
)

// Cost is what a build took.
type Cost struct {
	// CPUSeconds is user and system time of the go command and all that it ran.
	CPUSeconds float64 `json:"cpu_seconds"`
	// LargestBytes is the most resident memory that one of the processes had.
	LargestBytes int64 `json:"largest_bytes"`
	// Go is the toolchain's version.
	Go string `json:"go"`
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "buildcost:", err)
		os.Exit(1)
	}
}

func run() error {
	out := flag.String("out", "", "file to write")
	dir := flag.String("C", ".", "folder to build in")
	cache := flag.String("cache", "", "build cache, which must be empty")
	tags := flag.String("tags", "", "build tags")
	flag.Parse()
	if *out == "" || *cache == "" || flag.NArg() != 1 {
		return errors.New("needs -out, -cache and one package")
	}
	path, err := filepath.Abs(*cache)
	if err != nil {
		return fmt.Errorf("find the cache: %w", err)
	}
	if entries, err := os.ReadDir(path); err == nil && len(entries) > 0 {
		return fmt.Errorf("%s is not empty", path)
	}
	build := exec.CommandContext(context.Background(), "go", "build", "-tags", *tags, "-o", os.DevNull, flag.Arg(0)) //nolint:gosec // the caller says what to build
	build.Dir = *dir
	build.Env = append(os.Environ(), "GOCACHE="+path)
	build.Stdout, build.Stderr = os.Stdout, os.Stderr
	if err := build.Run(); err != nil {
		return fmt.Errorf("build: %w", err)
	}
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_CHILDREN, &used); err != nil {
		return fmt.Errorf("ask for the usage: %w", err)
	}
	version, err := exec.CommandContext(context.Background(), "go", "env", "GOVERSION").Output()
	if err != nil {
		return fmt.Errorf("ask for the version: %w", err)
	}
	cost := Cost{
		CPUSeconds:   float64(used.Utime.Nano()+used.Stime.Nano()) / 1e9,
		LargestBytes: used.Maxrss << 10, // Linux counts in KiB
		Go:           string(version[:len(version)-1]),
	}
	raw, err := json.Marshal(cost)
	if err != nil {
		return fmt.Errorf("encode: %w", err)
	}
	if err := os.WriteFile(*out, append(raw, '\n'), 0o600); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	return nil
}
