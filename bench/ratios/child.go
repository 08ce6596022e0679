package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"time"
)

// A child writes one line of JSON when it serves, and ends when its standard input does.

// childGraph serves the pages of Graph.
func childGraph(_ context.Context) error {
	plain, packed, err := serveGraph()
	if err != nil {
		return err
	}
	return serving(map[string]string{"plain": plain, "packed": packed})
}

func serving(addresses map[string]string) error {
	if err := json.NewEncoder(os.Stdout).Encode(addresses); err != nil {
		return fmt.Errorf("tell the addresses: %w", err)
	}
	_, err := io.Copy(io.Discard, os.Stdin)
	return err //nolint:wrapcheck // nobody reads it
}

// startChild runs this program again and returns its addresses; stop ends it.
func startChild(ctx context.Context, args ...string) (addresses map[string]string, stop func(), err error) {
	self, err := os.Executable()
	if err != nil {
		return nil, nil, fmt.Errorf("find this program: %w", err)
	}
	cmd := exec.CommandContext(ctx, self, args...) //nolint:gosec // our own arguments
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, nil, fmt.Errorf("start a child: %w", err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, nil, fmt.Errorf("start a child: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return nil, nil, fmt.Errorf("start a child: %w", err)
	}
	stop = func() {
		_ = in.Close() // ends the child
		_ = cmd.Wait() // whatever its status
	}
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &addresses)
	}
	if err != nil {
		stop()
		return nil, nil, fmt.Errorf("child %v: %w", args, err)
	}
	return addresses, stop, nil
}

func withGraph(ctx context.Context, do func(plain, packed string) error) error {
	addresses, stop, err := startChild(ctx, "-child", "graph")
	if err != nil {
		return err
	}
	defer stop()
	return do(addresses["plain"], addresses["packed"])
}

// serveSpent answers with what this process has spent, after a collection of garbage if asked.
func serveSpent(w http.ResponseWriter, r *http.Request) {
	if r.URL.Query().Has("collect") {
		runtime.GC()
	}
	used, err := now()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	fmt.Fprintf(w, "%d %d %d", used.cpu, used.mallocs, used.bytes)
}

// askSpent asks another process what it has spent.
func askSpent(client *http.Client, address string, g garbage) (spent, error) {
	path := "/spent"
	if g == collected {
		path += "?collect"
	}
	body, err := fetch(client, address+path)
	if err != nil {
		return spent{}, err
	}
	var used spent
	var cpu int64
	if n, err := fmt.Sscan(string(body), &cpu, &used.mallocs, &used.bytes); n != 3 {
		return spent{}, errors.Join(errors.New("no figures"), err)
	}
	used.cpu = time.Duration(cpu)
	return used, nil
}
