// Package process runs gateways in processes of their own, so that a measurement shares neither memory nor CPU time with them.
package process

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Gateway is a gateway in a process of its own, with the host and port of each listener.
type Gateway struct {
	GRPC, HTTP, Admin string

	*exec.Cmd
}

var readyLine = regexp.MustCompile(`is ready: gRPC (\S+), REST https?://(\S+), admin http://(\S+)`)

// Serve starts `parley serve` on ports that are free, and waits until it is ready. environment is added to that of this process. The end
// of the context interrupts it.
func Serve(ctx context.Context, parley string, flags []string, environment ...string) (*Gateway, error) {
	args := append([]string{"serve", "--grpc-addr=127.0.0.1:0", "--http-addr=127.0.0.1:0", "--admin-addr=127.0.0.1:0"}, flags...)
	cmd := exec.CommandContext(ctx, parley, args...) //nolint:gosec // whoever runs this says which binary
	cmd.Env = append(os.Environ(), environment...)
	cmd.Stderr = os.Stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = time.Minute
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if at := readyLine.FindStringSubmatch(lines.Text()); at != nil {
			return &Gateway{GRPC: at[1], HTTP: at[2], Admin: at[3], Cmd: cmd}, nil
		}
	}
	return nil, errors.Join(errors.New("the gateway did not start"), cmd.Wait())
}

// Resident is what the kernel counts as resident, now and at most so far, in MiB; 0 = unknown.
func (g *Gateway) Resident() (now, peak float64) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", g.Process.Pid))
	if err != nil {
		return 0, 0
	}
	read := func(name string) float64 {
		_, after, _ := strings.Cut(string(status), "\n"+name+":")
		kib, _, _ := strings.Cut(strings.TrimSpace(after), " ")
		n, _ := strconv.ParseFloat(kib, 64) // 0 for none
		return n / 1024
	}
	return read("VmRSS"), read("VmHWM")
}
