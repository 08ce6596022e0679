// Command run plays the conformance cases of the client helpers against a driver.
//
// Usage: run [-case NAME] [-dir FOLDER] [-parallel N] -- COMMAND [ARGUMENT…]
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"sync"
	"syscall"

	"github.com/parley-gateway/parley/clients/conformance"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "conformance:", err)
		os.Exit(1) //nolint:gocritic // stop frees nothing that outlives the process
	}
}

func run(ctx context.Context, arguments []string, out io.Writer) error {
	flags := flag.NewFlagSet("run", flag.ContinueOnError)
	name := flags.String("case", "", "play this case alone")
	dir := flags.String("dir", "", "folder that the driver runs in")
	parallel := flags.Int("parallel", runtime.GOMAXPROCS(0), "cases at a time")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	if flags.NArg() == 0 {
		return errors.New("no command of a driver")
	}
	cases, err := conformance.Cases()
	if err != nil {
		return err
	}
	driver := conformance.Driver{Command: flags.Args(), Dir: *dir}
	played, failed := 0, 0
	var mu sync.Mutex
	var group sync.WaitGroup
	slots := make(chan struct{}, max(1, *parallel))
	for _, c := range cases {
		if *name != "" && c.Name != *name {
			continue
		}
		played++
		slots <- struct{}{}
		group.Go(func() {
			err := driver.Run(ctx, c)
			<-slots
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				failed++
				fmt.Fprintf(out, "FAIL %s: %s\n%v\n", c.Name, c.About, err)
			}
		})
	}
	group.Wait()
	if played == 0 {
		return fmt.Errorf("there is no case %q", *name)
	}
	fmt.Fprintf(out, "%d of %d cases pass\n", played-failed, played)
	if failed > 0 {
		return fmt.Errorf("%d cases fail", failed)
	}
	return nil
}
