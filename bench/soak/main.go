// Command soak runs a gateway under a mixed load of lists and streams over a Graph that misbehaves, and prints what it cost:
// memory, goroutines and descriptors over time, and events that were lost or came twice, of which there must be none. The
// simulator runs in a process of its own, so that the figures are the gateway's (and its clients').
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	length := flag.Duration("for", 10*time.Minute, "how long the load lasts")
	graph := flag.Bool("graph", false, "be the simulator, until standard input ends")
	flag.Parse()
	if err := run(*length, *graph); err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(1)
	}
}

// run is the soak, or the simulator behind it.
func run(length time.Duration, graph bool) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if graph {
		return serveGraph(ctx, os.Stdin, os.Stdout)
	}
	return soak(ctx, length)
}

// soak learns the events of the walks, puts the load on the gateway, drains it, and checks what came and what is left.
func soak(ctx context.Context, length time.Duration) (err error) {
	sim, err := startGraph(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, sim.stop()) }()
	before := measure()
	g, err := newGateway(ctx, sim)
	if err != nil {
		return err
	}
	truth, err := learn(ctx, g)
	if err != nil {
		return errors.Join(err, g.close())
	}
	if err := sim.setFaults(ctx, trouble()); err != nil {
		return errors.Join(err, g.close())
	}
	l := &load{g: g, truth: truth}
	table := newTable(length, l)
	table.watch(ctx, func(ctx context.Context) { l.run(ctx) })
	if err := g.close(); err != nil {
		return err
	}
	after := settle(before)
	return table.check(os.Stdout, before, after)
}
