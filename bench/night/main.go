// Command night measures gateways in processes of their own, as they are deployed, under the load of a tenant's night: bars 13, 15, 16 and
// 17 of docs/performance.md, and what a killed replica costs. Bar 14 is TestNight of the module's root. Graph is a simulator in another
// process that keeps its limits; counts are the simulator's.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"
)

// options are the flags.
type options struct {
	parley, exporter, redis string
	only, flags, exports    string
	rounds, cache, lists    int
}

func main() {
	var o options
	var child childOptions
	flag.StringVar(&o.parley, "parley", ".bin/parley", "the gateway's binary")
	flag.StringVar(&o.exporter, "export", ".bin/parley-export", "the exporter's binary")
	flag.StringVar(&o.redis, "redis", "redis-server", "the shared store's binary")
	flag.StringVar(&o.only, "only", "latency,memory,export,replicas,killed", "what to measure")
	flag.IntVar(&o.rounds, "rounds", 3, "rounds of bars 15 and 17")
	flag.IntVar(&o.cache, "cache", 128, "MiB of the cache that bar 16 fills")
	flag.IntVar(&o.lists, "lists", 50, "lists a second of bar 17")
	flag.StringVar(&o.exports, "exports", "100,400", "users of the tenants of bar 15; the ratios are those of the last one")
	flag.StringVar(&o.flags, "flags", "", "more flags of `parley serve`")
	child.register()
	flag.Parse()
	if err := run(o, &child); err != nil {
		fmt.Fprintln(os.Stderr, "night:", err)
		os.Exit(1)
	}
}

func run(o options, child *childOptions) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if child.role != "" {
		return child.run(ctx)
	}
	t := &table{out: tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)}
	parts := map[string]func(context.Context, options, *table) error{
		"latency": latencyBar, "memory": memoryBars, "export": exportBars, "replicas": replicaBars, "killed": killedBars,
	}
	var errs []error
	for name := range strings.SplitSeq(o.only, ",") {
		part, known := parts[name]
		if !known {
			return fmt.Errorf("nothing is called %q", name)
		}
		if err := part(ctx, o, t); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", name, err))
		}
	}
	return errors.Join(append(errs, t.print())...)
}

// table has one line for each ratio, and notes.
type table struct {
	out   *tabwriter.Writer
	rows  []string
	notes []string
}

// row adds a measured value with its bar: holds says that it meets the must, reached that it meets the goal.
func (t *table) row(bar, what, measured, must, goal string, holds, reached bool) {
	verdict := "MISSED"
	switch {
	case reached:
		verdict = "goal"
	case holds:
		verdict = "must"
	}
	t.rows = append(t.rows, strings.Join([]string{bar, what, measured, must, goal, verdict}, "\t"))
}

func (t *table) notef(format string, args ...any) {
	t.notes = append(t.notes, "  "+fmt.Sprintf(format, args...))
}

func (t *table) print() error {
	fmt.Fprintln(t.out, "#\tratio\tmeasured\tmust\tgoal\t")
	for _, row := range t.rows {
		fmt.Fprintln(t.out, row)
	}
	if err := t.out.Flush(); err != nil {
		return err
	}
	for _, note := range t.notes {
		fmt.Fprintln(os.Stdout, note)
	}
	return nil
}

func times(ratio float64) string { return fmt.Sprintf("%.2f×", ratio) }

// day is the day that ended so many days before today.
func day(ago int) (start, end time.Time) {
	end = time.Now().UTC().Truncate(24*time.Hour).AddDate(0, 0, -ago)
	return end.AddDate(0, 0, -1), end
}
