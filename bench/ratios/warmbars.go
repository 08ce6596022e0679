package main

import (
	"context"
	"fmt"
)

const (
	longRepeats  = 3    // of the long chain by each reader, in a round
	shortRepeats = 20   // of the short one
	lists        = 1000 // unary calls and REST pages in a round
	restReaders  = 2    // of the streams of bar 8, whose slower one takes a second for each
)

// warmBars measures bars 4 to 6 and 8, with the view BASIC, and without TLS.
func warmBars(ctx context.Context, t *table, p *profiler, rounds int, graph string) error {
	at, stop, err := startChild(ctx, "-child", "gateway", "-graph", graph)
	if err != nil {
		return err
	}
	defer stop()
	w, err := newWarm(at)
	if err != nil {
		return err
	}
	w.profiler = &profiler{folder: p.folder, client: w.http1, server: "http://" + at["peers"]}
	if err := w.streamBars(t, rounds); err != nil {
		return err
	}
	return w.listBars(t, rounds)
}

// side is a contender whose server is the other process.
func (w *warm) side(name string, run func() (int, error)) *contender {
	return &contender{name: name, run: run, elsewhere: func(g garbage) (spent, error) {
		return askSpent(w.http1, "http://"+w.at["peers"], g)
	}}
}

// streamBars measures bars 4, 5, 6 and 8. The long chain is what counts; of the short one there are
// notes, which show what a call costs by itself.
func (w *warm) streamBars(t *table, rounds int) error {
	for _, c := range []struct {
		*chain

		repeats int
	}{{long, longRepeats}, {short, shortRepeats}} {
		s, err := w.prepare(c.chain)
		if err != nil {
			return err
		}
		side := func(name string, read func() error) *contender {
			return w.side(name, func() (int, error) { return together(streams, c.repeats, s, read) })
		}
		stream := side("Parley gRPC, "+c.name, overGRPC(w.parley, streamMethod, s))
		raw := side("bare codec gRPC, "+c.name, overGRPC(w.raw, rawMethod(c.chain), s))
		h2c := side("h2c, "+c.name, overHTTP(w.http2, "http://"+w.at["h2c"]+"/"+c.name, s.bytes))
		tcp := side("raw TCP, "+c.name, overTCP(w.at["tcp"], s))
		if err := race(w.profiler, rounds, stream, raw, h2c, tcp); err != nil {
			return err
		}
		perPage, perBatch := stream.allocs*pageRows, stream.allocs*float64(s.rows)/float64(s.batches)
		if c.chain == long {
			t.row("4", "cached gRPC stream vs bare codec", percent(raw.cpu/stream.cpu), atLeast(raw.cpu/stream.cpu, .9, "≥ 90 %"), atLeast(raw.cpu/stream.cpu, .97, "≥ 97 %"))
			t.row("5", "that stream vs h2c", times(h2c.cpu/stream.cpu), atLeast(h2c.cpu/stream.cpu, 1.5, "≥ 1.5×"), atLeast(h2c.cpu/stream.cpu, 2, "≥ 2×"))
			t.row("5", "that stream vs raw TCP", percent(tcp.cpu/stream.cpu), atLeast(tcp.cpu/stream.cpu, .4, "≥ 40 %"), atLeast(tcp.cpu/stream.cpu, .6, "≥ 60 %"))
			t.row("6", "allocations per cached page message of a stream", fmt.Sprintf("%.1f", perPage), atMost(perPage, 8, "≤ 8"), atMost(perPage, 4, "≤ 4"))
		}
		t.notef("  %s stream: %d events in %d batches, %d frames, %.1f MB; vs bare codec %s (server alone %s), vs h2c %s, vs raw TCP %s; "+
			"%.1f allocations for 50 events, %.1f for a batch with its checkpoint (bare codec %.1f)",
			c.name, s.rows, s.batches, s.frames, float64(s.bytes)/1e6, percent(raw.cpu/stream.cpu), percent(raw.other/stream.other),
			times(h2c.cpu/stream.cpu), percent(tcp.cpu/stream.cpu), perPage, perBatch, raw.allocs*float64(s.rows)/float64(s.batches))
		sides(t, stream, raw, h2c, tcp)
		if c.chain == long {
			if err := w.restStreams(t, s); err != nil {
				return err
			}
		}
	}
	return nil
}

// restStreams measures bar 8: both write the same events; the lengths of their lines differ by a little.
func (w *warm) restStreams(t *table, s *cachedChain) error {
	side := func(name, server string) *contender {
		read := overHTTP(w.http1, "http://"+w.at[server]+restPath(s.chain, ":stream", 0), -1)
		return w.side(name, func() (int, error) { return together(restReaders, 1, s, read) })
	}
	ndjson, plain := side("REST stream", "http"), side("grpc-gateway stream", "gateway")
	if err := race(w.profiler, 2, ndjson, plain); err != nil {
		return err
	}
	less := plain.other / ndjson.other
	t.row("8", "REST stream vs grpc-gateway's own", times(less)+" less", atLeast(less, 12, "≥ 12×"), atLeast(less, 30, "≥ 30×"))
	sides(t, ndjson, plain)
	return nil
}

// listBars measures what lists cost without TLS, on the first page of the short chain, which is in the cache: notes, no bar.
func (w *warm) listBars(t *table, rounds int) error {
	if err := w.preparePage(); err != nil {
		return err
	}
	query, err := listQuery()
	if err != nil {
		return err
	}
	room := make([]byte, 32<<10)
	repeat := func(once func() error) func() (int, error) {
		return func() (int, error) {
			for range lists {
				if err := once(); err != nil {
					return 0, err
				}
			}
			return lists, nil
		}
	}
	get := func(address string) func() (int, error) {
		return repeat(func() error { _, err := drain(w.http1, address, room); return err })
	}
	unary := w.side("ListEvents", repeat(func() error {
		size := 0
		return w.parley.Invoke(context.Background(), listMethod, &query, &size)
	}))
	rest := w.side("REST list", get("http://"+w.at["http"]+restPath(short, "", pageRows)))
	static := w.side("static bytes", get("http://"+w.at["peers"]+"/static"))
	if err := race(w.profiler, rounds, unary, rest, static); err != nil {
		return err
	}
	t.notef("  a cached unary call over gRPC: %.0f allocations; without TLS, token and policy the REST list is %s of static bytes",
		unary.allocs, percent(static.other/rest.other))
	sides(t, unary, rest, static)
	return nil
}

func sides(t *table, contenders ...*contender) {
	for _, c := range contenders {
		t.notef("  %-22s %9.2f µs, of it the server %9.2f µs, %7.2f allocations a unit", c.name, c.cpu/1e3, c.other/1e3, c.allocs)
	}
}
