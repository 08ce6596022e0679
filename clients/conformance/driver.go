package conformance

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"reflect"
	"strings"
	"time"
)

// Driver is a program on top of a helper, as README.md describes it.
type Driver struct {
	// Command is the program and its arguments; Dir is where it runs, empty for here; Env is added to the environment.
	Command []string
	Dir     string
	Env     []string
}

// Timeouts: a driver that does not end is stuck; a server that does not send for stall waits for its client.
const (
	caseTimeout = 90 * time.Second
	stall       = 500 * time.Millisecond
)

// Run plays a case and returns everything in which the driver does not conform.
func (d Driver) Run(ctx context.Context, c *Case) error {
	want, err := c.items()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, caseTimeout)
	defer cancel()
	server, err := Serve(ctx, c)
	if err != nil {
		return err
	}
	defer server.Close()
	got, err := d.start(ctx, c, server)
	var problems []error
	if err != nil {
		problems = append(problems, err)
	}
	server.script.mu.Lock()
	defer server.script.mu.Unlock()
	for _, problem := range server.script.problems {
		problems = append(problems, errors.New(problem))
	}
	if came := server.script.next; came < len(c.Connections) {
		problems = append(problems, fmt.Errorf("%d connections came, expected %d", came, len(c.Connections)))
	}
	if difference := compare(got, want); difference != "" {
		problems = append(problems, errors.New(difference))
	}
	return errors.Join(problems...)
}

// start runs the driver to its end and returns the items that it printed.
func (d Driver) start(ctx context.Context, c *Case, server *Server) (items []any, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	arguments := append(append([]string{}, d.Command[1:]...), "--grpc", server.GRPC, "--rest", server.REST)
	command := exec.CommandContext(ctx, d.Command[0], arguments...) //nolint:gosec // who runs the cases names the driver
	command.Dir = d.Dir
	command.Env = append(os.Environ(), d.Env...)
	command.WaitDelay = time.Second
	var said bytes.Buffer
	command.Stderr = &said
	input, err := command.StdinPipe()
	if err != nil {
		return nil, err
	}
	output, err := command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	client, err := json.Marshal(c.Client)
	if err != nil {
		return nil, err
	}
	if err := command.Start(); err != nil {
		return nil, err
	}
	if _, err = input.Write(append(client, '\n')); err == nil {
		items, err = follow(ctx, c, server.script, input, output)
	}
	if err != nil {
		cancel()
	}
	_ = input.Close() // it has ended if this fails
	if ended := command.Wait(); err == nil && ended != nil {
		err = ended
	}
	if err != nil && said.Len() > 0 {
		err = fmt.Errorf("%w\n%s", err, last(said.String()))
	}
	return items, err
}

// follow reads the items of a driver to the last one, and waits until the server has no call of it any more.
func follow(ctx context.Context, c *Case, s *script, input io.Writer, output io.Reader) (items []any, err error) {
	lines := bufio.NewScanner(output)
	for lines.Scan() {
		var item map[string]any
		if err := json.Unmarshal(lines.Bytes(), &item); err != nil {
			return items, fmt.Errorf("the driver printed %q: %w", last(lines.Text()), err)
		}
		items = append(items, item)
		s.print()
		if item["end"] != nil {
			if err := s.wait(ctx, func() bool { return s.open == 0 }); err != nil {
				return items, errors.New("the call goes on after the end of the stream")
			}
			return items, nil
		}
		if c.Client.HoldAfter > 0 && len(items) == c.Client.HoldAfter {
			if err := s.hold(ctx, c); err != nil {
				return items, err
			}
			if _, err := io.WriteString(input, "\n"); err != nil {
				return items, err
			}
		}
	}
	return items, errors.Join(errors.New("the driver ended without an end"), lines.Err())
}

// hold waits until the server cannot send any more, and complains if it has sent half of everything by then.
func (s *script) hold(ctx context.Context, c *Case) error {
	var total int64
	for _, connection := range c.Connections {
		for _, step := range connection.Steps {
			if step.Bulk != nil {
				total += step.Bulk.size()
			}
		}
	}
	for before := int64(-1); s.sent.Load() != before; {
		before = s.sent.Load()
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(stall):
		}
	}
	if sent := s.sent.Load(); sent > total/2 {
		s.complainf("%d of %d bytes were sent to a program that took nothing", sent, total)
	}
	return nil
}

// compare returns the first difference between two lists of items; empty if there is none.
func compare(got, want []any) string {
	for i := range max(len(got), len(want)) {
		switch {
		case i >= len(got):
			return fmt.Sprintf("item %d is missing: %s", i+1, text(want[i]))
		case i >= len(want):
			return fmt.Sprintf("item %d is too many: %s", i+1, text(got[i]))
		case !reflect.DeepEqual(got[i], want[i]):
			return fmt.Sprintf("item %d is %s, expected %s", i+1, text(got[i]), text(want[i]))
		}
	}
	return ""
}

func text(value any) string {
	raw, err := json.Marshal(value)
	if err != nil {
		return err.Error()
	}
	return string(raw)
}

// last returns the end of a long text.
func last(text string) string {
	const most = 2000
	return strings.TrimSpace(text[max(0, len(text)-most):])
}
