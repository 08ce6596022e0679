// Command handbookcheck runs the commands of handbook pages as they are printed, in the order of each page, against a demo.
//
// A fence `sh` is run by one shell for each page; a curl whose answer is an error fails. The fence's second word says otherwise:
//
//	sh auth      run against `parley demo --auth`
//	sh start     each line starts a program of its own, which is ended once it says where it serves
//	sh make      each line is a target of the Makefile, which is not made
//	sh tenant    needs a tenant and is not run
//
// Any other fence with a second word is a file of that name in the shell's folder. The addresses of the pages are those that a demo
// has by default; they are replaced by those of the demo at hand.
//
// Usage: handbookcheck BINARY ROOT PAGE…
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"

	"github.com/parley-gateway/parley/tools/demo"
)

func main() {
	if len(os.Args) < 4 {
		fmt.Fprintln(os.Stderr, "usage: handbookcheck BINARY ROOT PAGE…")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1], os.Args[2], os.Args[3:]); err != nil {
		fmt.Fprintln(os.Stderr, "handbookcheck:", err)
		os.Exit(1) //nolint:gocritic // nothing is left to be stopped
	}
}

// run checks all pages, whatever the ones before them give.
func run(ctx context.Context, binary, root string, pages []string) error {
	open, err := demo.Start(ctx, binary)
	if err != nil {
		return err
	}
	defer open.Stop()
	guarded, err := demo.Start(ctx, binary, "--auth")
	if err != nil {
		return err
	}
	defer guarded.Stop()
	c := checker{binary: binary, root: root, demos: map[string]*demo.Gateway{"": open, "auth": guarded}}
	var wrong []error
	for _, page := range pages {
		if err := c.page(ctx, page); err != nil {
			wrong = append(wrong, fmt.Errorf("%s: %w", page, err))
		}
	}
	return errors.Join(wrong...)
}

// checker runs pages against its demos, by the second word of fences.
type checker struct {
	binary, root string
	demos        map[string]*demo.Gateway
}

func (c *checker) page(ctx context.Context, page string) (err error) {
	text, err := os.ReadFile(filepath.Join(c.root, page)) //nolint:gosec // whoever runs the tool names the pages
	if err != nil {
		return err
	}
	folder, err := os.MkdirTemp("", "handbookcheck-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	blocks, err := readBlocks(string(text))
	if err != nil {
		return err
	}
	scripts := map[string]*strings.Builder{"": {}, "auth": {}}
	counts := map[string]int{}
	for _, each := range blocks {
		counts[each.kind]++
		switch each.kind {
		case "", "auth":
			scripts[each.kind].WriteString(each.text)
		case "start":
			err = c.start(ctx, folder, each.text)
		case "make":
			err = c.make(ctx, each.text)
		case "tenant":
		case "file":
			err = os.WriteFile(filepath.Join(folder, each.name), []byte(each.text), 0o600)
		default:
			err = fmt.Errorf("a fence is marked %q", each.kind)
		}
		if err != nil {
			return err
		}
	}
	for _, kind := range []string{"", "auth"} {
		if err := c.shell(ctx, c.demos[kind], folder, scripts[kind].String()); err != nil {
			return err
		}
	}
	_, err = fmt.Fprintf(os.Stdout, "%s: run %d, with sign-in %d, started %d, targets %d; need a tenant %d\n",
		page, counts[""], counts["auth"], counts["start"], counts["make"], counts["tenant"])
	return err
}

// prelude makes errors of REST errors of the shell, and says what the shell is about to run.
const prelude = `set -euo pipefail
curl() { command curl -sS --fail-with-body "$@"; }
set -x
`

// shell runs the blocks of a page in one shell. What they print is shown only if one of them fails.
func (c *checker) shell(ctx context.Context, at *demo.Gateway, folder, script string) error {
	if script == "" {
		return nil
	}
	for printed, own := range map[string]string{
		"http://127.0.0.1:8080": at.REST, "127.0.0.1:9090": at.GRPC, "https://127.0.0.1:8090": at.Sim,
	} {
		script = strings.ReplaceAll(script, printed, own)
	}
	command := exec.CommandContext(ctx, "bash", "-c", prelude+script) //nolint:gosec // running what the pages print is its purpose
	command.Dir = folder
	command.Env = append(os.Environ(), "PATH="+filepath.Join(c.root, ".bin")+":"+os.Getenv("PATH"), "H="+at.REST, "U="+at.User)
	if printed, err := command.CombinedOutput(); err != nil {
		const most = 4000
		return fmt.Errorf("%w\n%s", err, printed[max(0, len(printed)-most):])
	}
	return nil
}

// start starts the program of each line on free ports and ends it once it has said where it serves.
func (c *checker) start(ctx context.Context, folder, lines string) error {
	for line := range strings.Lines(lines) {
		words := strings.Fields(line)
		if len(words) < 2 || words[0] != "parley" {
			return fmt.Errorf("%q does not start parley", line)
		}
		if err := demo.Try(ctx, c.binary, folder, words[1:]...); err != nil {
			return fmt.Errorf("%s: %w", strings.TrimSpace(line), err)
		}
	}
	return nil
}

// make checks that each line is a target of the Makefile.
func (c *checker) make(ctx context.Context, lines string) error {
	for line := range strings.Lines(lines) {
		words := strings.Fields(line)
		if len(words) < 2 || words[0] != "make" {
			return fmt.Errorf("%q makes nothing", line)
		}
		printed, err := exec.CommandContext(ctx, "make", "--directory", c.root, "--dry-run", words[1]).CombinedOutput() //nolint:gosec // it makes nothing
		if err != nil {
			return fmt.Errorf("%s: %w\n%s", strings.TrimSpace(line), err, printed)
		}
	}
	return nil
}
