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
	fullTime    = 90 * time.Second // at most, until the cache is full
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

// full measures a gateway whose cache is full: after the streams that filled it have ended and lists were answered, which is the bar, and
// beside the streams, where the windows that they read ahead are resident, too.
func (d *deployment) full(ctx context.Context, o options, g *graph, t *table) (err error) {
	at, err := d.start(ctx, o, g, "", fmt.Sprintf("--cache-size=%dMiB", o.cache))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, at.end()) }()
	beside, ahead, took, err := d.fill(ctx, o, g, at)
	if err != nil {
		return err
	}
	lister, err := d.lister(at, g.Users[0])
	if err != nil {
		return err
	}
	defer lister.client.CloseIdleConnections()
	if err := errors.Join(lister.warm(ctx), lister.measure(ctx, o.lists).err); err != nil {
		return err
	}
	cached, err := at.metric(ctx, "parley_cache_bytes")
	if err != nil {
		return err
	}
	if !isFull(cached, o) {
		return fmt.Errorf("the cache is no longer full: %.0f MiB", cached/(1<<20))
	}
	now, peak := at.Resident()
	ratio := now / float64(o.cache+besideCache)
	t.row("16", "resident memory with a full cache ÷ (cache size + 64 MiB)", times(ratio), "≤ 1.6×", "≤ 1.3×", ratio <= 1.6, ratio <= 1.3)
	t.notef("cache of %d MiB, full after %v, and %.0f MiB at the end: resident %.0f MiB after the streams; %.0f beside %d streams, which had %.0f read ahead; %.0f at most",
		o.cache, took.Round(time.Second), cached/(1<<20), now, beside, tightStreams, ahead, peak)
	return nil
}

// isFull reports whether so many bytes fill the cache.
func isFull(bytes float64, o options) bool { return bytes >= 0.95*float64(o.cache<<20) }

// fill has streams read until the cache is full, and on for fullMore. It returns how much was resident then at most, in MiB, how much of it
// the streams had read ahead, and how long it took until the cache was full.
func (d *deployment) fill(ctx context.Context, o options, g *graph, at *gateway) (resident, ahead float64, took time.Duration, err error) {
	_, end := day(1)
	reader, err := startReader(ctx, &reading{
		GRPC: at.GRPC, CA: d.file("cert.pem"), Token: d.streamToken, Start: end.AddDate(0, 0, -50), End: end, Sources: chats(),
		Users: g.Users[listUsers:], Lanes: tightStreams, Endless: true,
	})
	if err != nil {
		return 0, 0, 0, err
	}
	most := 0.
	for began := time.Now(); ctx.Err() == nil && (took == 0 || time.Since(began) < took+fullMore); {
		pause(ctx, 250*time.Millisecond)
		cached, failed := at.metric(ctx, "parley_cache_bytes")
		held, more := at.metric(ctx, "parley_read_ahead_bytes")
		if failed := errors.Join(failed, more); failed != nil {
			return 0, 0, 0, errors.Join(failed, reader.end())
		}
		most = max(most, cached/(1<<20))
		switch {
		case took == 0 && isFull(cached, o):
			took = time.Since(began)
		case took == 0 && time.Since(began) > fullTime:
			return 0, 0, 0, errors.Join(fmt.Errorf("the cache is not full: %.0f MiB", most), reader.end())
		case took == 0:
			continue
		}
		if now, _ := at.Resident(); now > resident {
			resident, ahead = now, held/(1<<20)
		}
	}
	_, err = reader.stop()
	return resident, ahead, took, err
}

// tight measures a gateway with little memory.
func (d *deployment) tight(ctx context.Context, o options, g *graph, t *table) error {
	at, err := d.start(ctx, o, g, tightLimit)
	if err != nil {
		return err
	}
	start, end := day(2)
	r := &reading{
		GRPC: at.GRPC, CA: d.file("cert.pem"), Token: d.streamToken, Start: start.AddDate(0, 0, -2), End: end, Sources: chats(),
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
