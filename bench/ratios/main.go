// Command bench measures Parley against what a user would do instead and against the transport it stands on, and prints
// the ratios: process CPU time over interleaved rounds, best against best. Absolute figures are this machine's alone.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"text/tabwriter"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run() error {
	child := flag.String("child", "", "serve as the other process of a measurement: graph, gateway or deployed")
	graph := flag.String("graph", "", "address of the simulated Graph, for -child gateway")
	rounds := flag.Int("rounds", 7, "rounds of each measurement")
	only := flag.String("only", "", "cold, warm, deployed or build; empty = all")
	costs := flag.String("costs", "", "folder with the build costs sdk.json and parley.json")
	profiles := flag.String("profile", "", "folder to write a CPU profile of each contender into")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	switch *child {
	case "graph":
		return childGraph(ctx)
	case "gateway":
		return childGateway(ctx, *graph)
	case "deployed":
		return childDeployed(ctx, *graph)
	case "":
	default:
		return errors.New("no such child")
	}
	t := &table{}
	p := &profiler{folder: *profiles}
	var err error
	if *only != "build" {
		err = withGraph(ctx, func(plain, packed string) error {
			for _, part := range []struct {
				name string
				bars func() error
			}{
				{"cold", func() error { return coldBars(t, p, *rounds, plain, packed) }},
				{"warm", func() error { return warmBars(ctx, t, p, *rounds, plain) }},
				{"deployed", func() error { return deployedBars(ctx, t, p, *rounds, plain) }},
			} {
				if *only != "" && *only != part.name {
					continue
				}
				if err := part.bars(); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err == nil && (*only == "" || *only == "build") {
		err = buildBars(t, *costs)
	}
	return errors.Join(err, t.print(os.Stdout))
}

// table holds one line for each ratio.
type table struct {
	rows  []row
	notes string
}

type row struct {
	bar  string
	line string
}

// number is the bar's number without a letter behind it.
func (r row) number() string { return strings.TrimRight(r.bar, "abc") }

// row adds a measured value with its bars; unmet musts are marked.
func (t *table) row(bar string, what, measured string, must, goal bound) {
	verdict := "MISSED"
	switch {
	case goal.met():
		verdict = "goal"
	case must.met():
		verdict = "must"
	}
	t.rows = append(t.rows, row{bar, fmt.Sprintf("%s\t%s\t%s\t%s\t%s\t%s\n", bar, what, measured, must.text, goal.text, verdict)})
}

// print writes the rows by their bars, and then the notes.
func (t *table) print(to io.Writer) error {
	slices.SortStableFunc(t.rows, func(a, b row) int {
		return cmp.Or(cmp.Compare(len(a.number()), len(b.number())), cmp.Compare(a.bar, b.bar))
	})
	out := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	fmt.Fprintln(out, "#\tratio\tmeasured\tmust\tgoal\t")
	for _, r := range t.rows {
		fmt.Fprint(out, r.line)
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	if _, err := io.WriteString(to, t.notes); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	return nil
}

func (t *table) notef(format string, args ...any) { t.notes += fmt.Sprintf(format+"\n", args...) }

// bound is one side of a bar: measured must be at least, or at most, the limit.
type bound struct {
	text  string
	value float64
	limit float64
	most  bool
}

func (b bound) met() bool {
	if b.most {
		return b.value <= b.limit
	}
	return b.value >= b.limit
}

func atLeast(value, limit float64, text string) bound { return bound{text, value, limit, false} }
func atMost(value, limit float64, text string) bound  { return bound{text, value, limit, true} }
