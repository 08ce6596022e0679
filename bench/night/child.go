package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"time"
)

// childOptions are the flags of this program as another process of a measurement.
type childOptions struct {
	role    string
	size    string
	reading string
}

func (c *childOptions) register() {
	flag.StringVar(&c.role, "child", "", "be a part of a measurement: graph or reader")
	flag.StringVar(&c.size, "child.size", "{}", "size of the graph's tenant")
	flag.StringVar(&c.reading, "child.reading", "{}", "what the reader reads")
}

func (c *childOptions) run(ctx context.Context) error {
	switch c.role {
	case "graph":
		var s size
		if err := json.Unmarshal([]byte(c.size), &s); err != nil {
			return err
		}
		return serveGraph(ctx, s, os.Stdin, os.Stdout)
	case "reader":
		var r reading
		if err := json.Unmarshal([]byte(c.reading), &r); err != nil {
			return err
		}
		return r.run(ctx, os.Stdin, os.Stdout)
	default:
		return fmt.Errorf("no child is called %q", c.role)
	}
}

// child is this program in another process. It ends when its standard input does.
type child struct {
	cmd *exec.Cmd
	in  io.Closer
	out *bufio.Reader
}

// startChild starts a child, and returns its first line.
func startChild(ctx context.Context, args ...string) (*child, []byte, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, nil, err
	}
	cmd := exec.CommandContext(ctx, self, args...) //nolint:gosec // our own arguments
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, nil, err
	}
	c := &child{cmd, in, bufio.NewReader(out)}
	line, err := c.out.ReadBytes('\n')
	if err != nil {
		return nil, nil, errors.Join(err, c.end())
	}
	return c, line, nil
}

// end ends the child, which may print more lines before.
func (c *child) end() error {
	err := c.in.Close()
	_, _ = io.Copy(io.Discard, c.out) // until it is gone
	return errors.Join(err, c.cmd.Wait())
}

// body returns the body of an answer.
func body(r *http.Request) ([]byte, error) {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := client.Do(r)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %.300s", answer.Status, text)
	}
	return text, err
}

// spent returns the CPU time of a process that has ended, and how much of it was resident at most, in MiB.
func spent(state *os.ProcessState) (cpu time.Duration, resident float64) {
	return state.UserTime() + state.SystemTime(), residentOf(state)
}
