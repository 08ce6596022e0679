package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"time"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
)

// exportDays are the days of an export, all of them settled.
const exportDays = 5

// exportTenant is a tenant of so many users, each with about a hundred events a day.
func exportTenant(users int) size {
	return size{Users: users, Chats: 5 * users, Messages: 300 * users, Interactions: 60 * users, Calls: 20 * users, Days: 30}
}

func allSources() []parleyv1.Source {
	return []parleyv1.Source{parleyv1.Source_SOURCE_COPILOT, parleyv1.Source_SOURCE_CHAT, parleyv1.Source_SOURCE_CALL}
}

// exported is the best of some rounds over one tenant.
type exported struct {
	events         int
	stream, export time.Duration // CPU time of gateway and client together
	read, written  time.Duration // CPU time of the client alone
	resident       float64       // of the exporter at most, in MiB
}

// exportBars are the two parts of bar 15: the CPU time of an export against that of the gRPC stream of the same, and memory for tenants of several sizes.
func exportBars(ctx context.Context, o options, t *table) (err error) {
	d, err := newDeployment(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.close()) }()
	most, ratio, alone := 0., 0., 0.
	for text := range strings.SplitSeq(o.exports, ",") {
		users, err := strconv.Atoi(text)
		if err != nil {
			return fmt.Errorf("-exports: %w", err)
		}
		got, err := d.exports(ctx, o, users)
		if err != nil {
			return err
		}
		most = max(most, got.resident)
		ratio = got.stream.Seconds() / got.export.Seconds() // of the last tenant
		alone = got.read.Seconds() / got.written.Seconds()
		rate := func(d time.Duration) float64 { return float64(got.events) / d.Seconds() / 1000 }
		t.notef("%d users, %d events: %.0fk events per CPU second of gateway and reader, %.0fk of gateway and exporter; %.0fk of the reader alone, %.0fk of the exporter, which held %.0f MiB",
			users, got.events, rate(got.stream), rate(got.export), rate(got.read), rate(got.written), got.resident)
	}
	t.row("15", "export to Parquet vs the gRPC stream of the same, events per CPU second of both ends", times(ratio), "≥ 0.4×", "≥ 0.7×", ratio >= 0.4, ratio >= 0.7)
	t.row("15", "the same, of the client alone", times(alone), "≥ 0.4×", "≥ 0.7×", alone >= 0.4, alone >= 0.7)
	t.row("15", "memory of the exporter at most", fmt.Sprintf("%.0f MiB", most), "≤ 256 MiB", "≤ 128 MiB", most <= 256, most <= 128)
	return nil
}

// exports compares an export and a reading of a tenant of so many users, whose windows the gateway has cached.
func (d *deployment) exports(ctx context.Context, o options, users int) (best exported, err error) {
	g, err := startGraph(ctx, exportTenant(users))
	if err != nil {
		return best, err
	}
	defer func() { err = errors.Join(err, g.end()) }()
	at, err := d.start(ctx, o, g, "")
	if err != nil {
		return best, err
	}
	defer func() { err = errors.Join(err, at.end()) }()
	_, end := day(2)
	r := &reading{GRPC: at.GRPC, CA: d.file("cert.pem"), Token: d.streamToken, Start: end.AddDate(0, 0, -exportDays), End: end, Sources: allSources()}
	first, _, err := readWhole(ctx, r)
	if err != nil {
		return best, err
	}
	best = exported{events: first.Events, stream: math.MaxInt64, export: math.MaxInt64, read: math.MaxInt64, written: math.MaxInt64}
	for range o.rounds {
		before := at.cpu()
		got, state, err := readWhole(ctx, r)
		if err != nil {
			return best, err
		}
		cpu, _ := spent(state)
		between := at.cpu()
		rows, state, err := d.export(ctx, o, r)
		if err != nil {
			return best, err
		}
		written, resident := spent(state)
		if rows != got.Events || rows != first.Events {
			return best, fmt.Errorf("%d events are exported, %d were read, and %d before", rows, got.Events, first.Events)
		}
		best.stream, best.read = min(best.stream, cpu+between-before), min(best.read, cpu)
		best.export, best.written = min(best.export, written+at.cpu()-between), min(best.written, written)
		best.resident = max(best.resident, resident)
	}
	return best, nil
}

var eventRows = regexp.MustCompile(`(?m)^rows +(\d+) events$`)

// export exports what a reader reads into a new folder.
func (d *deployment) export(ctx context.Context, o options, r *reading) (rows int, state *os.ProcessState, err error) {
	folder, err := os.MkdirTemp(d.folder, "export-")
	if err != nil {
		return 0, nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	cmd := exec.CommandContext(ctx, o.exporter, "--server="+r.GRPC, "--ca-file="+r.CA, "--auth=token-file", "--token-file="+d.file("token"), //nolint:gosec // as above
		"--out="+folder+"/out", "--state="+folder+"/state", "--start="+r.Start.Format(time.RFC3339), "--end="+r.End.Format(time.RFC3339))
	var printed bytes.Buffer
	cmd.Stdout, cmd.Stderr = &printed, &printed
	if err := cmd.Run(); err != nil {
		return 0, nil, fmt.Errorf("export: %w: %s", err, printed.Bytes())
	}
	found := eventRows.FindSubmatch(printed.Bytes())
	if found == nil {
		return 0, nil, fmt.Errorf("export: no events: %s", printed.Bytes())
	}
	rows, err = strconv.Atoi(string(found[1]))
	return rows, cmd.ProcessState, err
}
