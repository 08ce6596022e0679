package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

const (
	// besideCache is what a gateway takes beside a cache, in MiB, by the bar.
	besideCache = 64
	fullTime    = 5 * time.Minute  // at most, until the cache is full
	fullMore    = 20 * time.Second // reading goes on for so long then

	tightLimit   = "128MiB"
	tightStreams = 32
	tightReads   = 4 // streams of each lane, one after another
)

// memoryBars are the two parts of bar 16.
func memoryBars(ctx context.Context, o options, t *table) error {
	return withBusyTenant(ctx, func(d *deployment, g *graph) error {
		return errors.Join(d.full(ctx, o, g, t), d.tight(ctx, o, g, t))
	})
}

// full measures a gateway whose cache is full while 32 streams go on reading.
func (d *deployment) full(ctx context.Context, o options, g *graph, t *table) (err error) {
	at, err := d.start(ctx, o, g, "", fmt.Sprintf("--cache-size=%dMiB", o.cache))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, at.end()) }()
	_, end := day(1)
	reader, err := startReader(ctx, &reading{
		GRPC: at.GRPC, CA: d.file("cert.pem"), Token: mustToken(d), Start: end.AddDate(0, 0, -50), End: end, Sources: chats(),
		Users: g.Users, Lanes: tightStreams, Endless: true,
	})
	if err != nil {
		return err
	}
	kept, most := 0., 0.
	full := time.Time{}
	for began := time.Now(); ctx.Err() == nil && time.Since(began) < fullTime && (full.IsZero() || time.Since(full) < fullMore); {
		pause(ctx, 250*time.Millisecond)
		bytes, err := at.metric(ctx, "parley_cache_bytes")
		if err != nil {
			return errors.Join(err, reader.end())
		}
		now, _ := at.Resident()
		if kept = max(kept, bytes/(1<<20)); kept < 0.9*float64(o.cache) {
			continue
		}
		if full.IsZero() {
			full = time.Now()
		}
		most = max(most, now)
	}
	got, err := reader.stop()
	if err != nil {
		return err
	}
	if full.IsZero() {
		return fmt.Errorf("the cache is not full: %.0f MiB after %d events", kept, got.Events)
	}
	now, peak := at.Resident()
	ratio := most / float64(o.cache+besideCache)
	t.row("16", "resident memory with a full cache, streams under way, ÷ (cache size + 64 MiB)", times(ratio), "≤ 1.6×", "≤ 1.3×", ratio <= 1.6, ratio <= 1.3)
	t.notef("full cache of %d MiB: resident %.0f MiB beside %d streams, %.0f behind them, %.0f at most", o.cache, most, tightStreams, now, peak)
	return nil
}

func mustToken(d *deployment) string {
	token, _ := d.token("streams") // the one in the file was made in the same way
	return token
}

// tight measures a gateway with little memory.
func (d *deployment) tight(ctx context.Context, o options, g *graph, t *table) error {
	at, err := d.start(ctx, o, g, tightLimit)
	if err != nil {
		return err
	}
	start, end := day(2)
	r := &reading{
		GRPC: at.GRPC, CA: d.file("cert.pem"), Token: mustToken(d), Start: start.AddDate(0, 0, -2), End: end, Sources: chats(),
		Lanes: tightStreams,
	}
	for len(r.Users) < tightStreams*tightReads {
		r.Users = append(r.Users, g.Users...)
	}
	r.Users = slices.Clip(r.Users[:tightStreams*tightReads])
	reader, err := startReader(ctx, r)
	if err != nil {
		return errors.Join(err, at.end())
	}
	got, err := reader.wait()
	if err != nil {
		return errors.Join(err, at.end())
	}
	again := *r
	again.Users, again.Lanes = r.Users[:1], 1
	behind, _, lockedOut := readWhole(ctx, &again)
	_, peak := at.Resident()
	refused := 0
	for _, n := range got.Refused {
		refused += n
	}
	ended := at.end()
	holds := ended == nil && lockedOut == nil && refused == 0 && got.Incomplete == 0 && behind.Events > 0
	measured := fmt.Sprintf("%d of %d whole, %d refused", got.Streams, len(r.Users), refused)
	t.row("16", "32 streams at GOMEMLIMIT="+tightLimit, measured, "nothing killed or locked out", "", holds, holds)
	t.notef("GOMEMLIMIT=%s: %d events, refused %v, resident %.0f MiB at most; one more stream took %d events (%v); the gateway ended: %v", tightLimit, got.Events,
		got.Refused, peak, behind.Events, lockedOut, ended)
	return nil
}
