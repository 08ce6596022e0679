// Command clientcheck makes and runs the clients of the handbook as it prints them, each in an empty folder, from the files that a
// demo gateway serves and nothing else. Each client runs twice, the second time over connections of which one is closed and one is reset
// in the middle, and must end with the same events both times.
//
// Usage: clientcheck PARLEY-BINARY HANDBOOK-PAGE [CLIENT…]
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/parley-gateway/parley/tools/demo"
)

// Bytes that the server sends until a connection is killed: after the first checkpoints, long before the end.
const (
	cutGRPC = 2_000_000
	cutREST = 540_000 // some clients ask for compressed answers
)

func main() {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: clientcheck PARLEY-BINARY HANDBOOK-PAGE [CLIENT…]")
		os.Exit(2)
	}
	if err := check(context.Background(), os.Args[1], os.Args[2], os.Args[3:]); err != nil {
		fmt.Fprintln(os.Stderr, "clients:", err)
		os.Exit(1)
	}
}

// check runs the named clients; no names = all.
func check(ctx context.Context, binary, page string, names []string) error {
	text, err := os.ReadFile(page)
	if err != nil {
		return err
	}
	clients, err := readClients(string(text))
	if err != nil {
		return fmt.Errorf("%s: %w", page, err)
	}
	binary, err = filepath.Abs(binary)
	if err != nil {
		return err
	}
	work, err := os.MkdirTemp("", "parley-clients-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(work) }()
	gateway, err := demo.Start(ctx, binary)
	if err != nil {
		return err
	}
	defer gateway.Stop()
	b, err := newBench(ctx, gateway, work)
	if err != nil {
		return err
	}
	fmt.Printf("clients: every one must end with %d events, uids %s\n", b.events, b.digest)
	var failed []error
	for _, c := range clients {
		if len(names) > 0 && !slices.Contains(names, c.name) {
			continue
		}
		start := time.Now()
		if err := b.check(ctx, c); err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", c.name, err))
			fmt.Printf("clients: %s FAILED after %s\n", c.name, time.Since(start).Round(time.Second))
			continue
		}
		fmt.Printf("clients: %s works, %s\n", c.name, time.Since(start).Round(time.Second))
	}
	return errors.Join(failed...)
}

// indent sets a client's output apart from the tool's.
func indent(text string) string {
	return "  " + strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n  ")
}
