// Command hostile loads a gateway in a process of its own by one caller who means harm, beside ten who do not. It prints how long these
// wait and how much memory the gateway takes. It knows the public API alone, so it can be run against older builds.
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
	parley  string
	attacks string
	limit   string
	length  time.Duration
	most    int
	flags   string
}

func main() {
	var o options
	flag.StringVar(&o.parley, "parley", ".bin/parley", "the gateway's binary")
	flag.StringVar(&o.attacks, "attacks", "none,streams,lists,filtered,alone", "what to run")
	flag.StringVar(&o.limit, "gomemlimit", "256MiB", "GOMEMLIMIT of the gateway")
	flag.DurationVar(&o.length, "for", 30*time.Second, "how long each load lasts")
	flag.IntVar(&o.most, "most", 4096, "MiB of resident memory at which the gateway is ended")
	flag.StringVar(&o.flags, "flags", "", "more flags of `parley serve`")
	flag.Parse()
	if err := run(o); err != nil {
		fmt.Fprintln(os.Stderr, "hostile:", err)
		os.Exit(1)
	}
}

// attacks are the loads of the hostile caller, by name.
func attacks() map[string]attack {
	return map[string]attack{
		"none": {},
		// Streams that nobody reads, each with a day of 7 MB of its own behind it.
		"streams": {count: 512, path: func(i int) string { return dayPath(i, ":stream", "") }},
		// Lists without an end of their own, over what Graph never comes to an end with.
		"lists": {count: 1200, path: func(i int) string {
			day := time.Date(2015, 1, 1+i, 0, 0, 0, 0, time.UTC)
			return fmt.Sprintf("/v1/users/me/events?sources=SOURCE_CHAT&startTime=%s&endTime=%s", day.Format(time.RFC3339), day.AddDate(0, 0, 1).Format(time.RFC3339))
		}},
		// Lists whose answers of 3 MB nobody reads.
		"filtered": {count: 600, path: func(i int) string {
			return dayPath(i%20, "", "&pageSize=1000&filter=event_time+%3E+%222001-01-01T00:00:00Z%22")
		}},
	}
}

// dayPath is the path of the caller's events of the day so many days ago, with a verb and more of the query.
func dayPath(ago int, verb, more string) string {
	end := time.Now().UTC().Truncate(24*time.Hour).AddDate(0, 0, -ago)
	return fmt.Sprintf("/v1/users/me/events%s?sources=SOURCE_CHAT&startTime=%s&endTime=%s%s", verb, end.AddDate(0, 0, -1).Format(time.RFC3339), end.Format(time.RFC3339), more)
}

func run(o options) (err error) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	graph, err := startGraph(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, graph.close()) }()
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "load\trefused of the ten's lists\tp50\tp99\tlists\tresident at most")
	for name := range strings.SplitSeq(o.attacks, ",") {
		if name == "alone" {
			continue
		}
		a, known := attacks()[name]
		if !known {
			return fmt.Errorf("no attack %q", name)
		}
		got, err := beside(ctx, o, graph, a)
		if err != nil {
			return err
		}
		fmt.Fprintf(table, "%s\t%.1f %%\t%v\t%v\t%d\t%s\n", name, got.refused(), got.quantile(50), got.quantile(99), len(got.took), got.memory)
	}
	if err := table.Flush(); err != nil || !strings.Contains(o.attacks, "alone") {
		return err
	}
	return alone(ctx, o, graph)
}

// beside runs an attack and the ten at one time.
func beside(ctx context.Context, o options, graph *graph, a attack) (got result, err error) {
	g, err := startGateway(ctx, o, graph)
	if err != nil {
		return got, err
	}
	defer func() { got.memory, err = fmt.Sprintf("%d MiB%s", g.peak, g.ended), errors.Join(err, g.close()) }()
	ctx, stop := context.WithTimeout(ctx, o.length)
	defer stop()
	go g.watch(ctx, o.most)
	attacking := make(chan struct{})
	go func() {
		defer close(attacking)
		a.run(ctx, g, graph.token(0))
	}()
	got = honest(ctx, g, graph)
	<-attacking
	g.look()
	return got, nil
}

// alone compares what one caller reaches with shares and without.
func alone(ctx context.Context, o options, graph *graph) error {
	const rounds = 3
	best := map[string]float64{}
	for range rounds {
		for _, share := range []string{"0.125", "1"} {
			with := o
			with.flags += " --caller-rate=0 --caller-share=" + share
			g, err := startGateway(ctx, with, graph)
			if err != nil {
				return err
			}
			rate, err := saturate(ctx, g, graph.token(1), o.length/rounds)
			if err := errors.Join(err, g.close()); err != nil {
				return err
			}
			best[share] = max(best[share], rate)
		}
	}
	fmt.Fprintf(os.Stdout, "one caller alone, lists a second, best of %d: %.0f with shares, %.0f without, ratio %.2f\n",
		rounds, best["0.125"], best["1"], best["0.125"]/best["1"])
	return nil
}
