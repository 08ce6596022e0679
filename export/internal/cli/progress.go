package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
	"golang.org/x/term"

	"github.com/parley-gateway/parley/export"
)

// lineInterval is how often a line is written where there is no terminal.
const lineInterval = 10 * time.Second

// progressSource is a run whose progress is shown.
type progressSource interface{ Progress() export.Progress }

// show shows how far a run has come until stop is called: as a bar on a terminal, as lines elsewhere.
func show(ctx context.Context, from progressSource, to io.Writer) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	draw := lines
	if file, ok := to.(*os.File); ok && term.IsTerminal(int(file.Fd())) {
		draw = bar
	}
	go func() {
		defer close(ended)
		draw(ctx, from, to)
	}()
	return func() {
		cancel()
		<-ended
	}
}

func lines(ctx context.Context, from progressSource, to io.Writer) {
	ticks := time.NewTicker(lineInterval)
	defer ticks.Stop()
	begun := time.Now()
	first := from.Progress()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticks.C:
			now := from.Progress()
			fmt.Fprintln(to, "parley-export: "+line(now, first, time.Since(begun)))
		}
	}
}

// line is the progress in one line: users, events, why the run waits, and how long it will still take at the speed since the start.
func line(now, first export.Progress, since time.Duration) string {
	text := fmt.Sprintf("%d of %s users, %d open, %d events, %.0f events/s", now.Users, total(now), now.Open, now.Events, float64(now.Events)/max(since.Seconds(), 1))
	if now.Waiting != "" {
		text += ", waiting because of " + now.Waiting
	}
	if done := now.Users - first.Users; done > 0 && now.UsersTotal > now.Users {
		left := time.Duration(float64(since) / float64(done) * float64(now.UsersTotal-now.Users))
		text += ", about " + left.Round(time.Second).String() + " left"
	}
	return text
}

// total is the number of users, or a question mark while the directory is not listed.
func total(p export.Progress) string {
	if p.UsersTotal == 0 {
		return "?"
	}
	return strconv.FormatInt(p.UsersTotal, 10)
}

func bar(ctx context.Context, from progressSource, to io.Writer) {
	progress := mpb.New(mpb.WithOutput(to))
	begun := time.Now()
	first := from.Progress()
	drawn := progress.AddBar(0,
		mpb.PrependDecorators(decor.Any(func(decor.Statistics) string { return line(from.Progress(), first, time.Since(begun)) })),
	)
	ticks := time.NewTicker(200 * time.Millisecond)
	defer ticks.Stop()
	for {
		select {
		case <-ctx.Done():
			drawn.Abort(false)
			progress.Wait()
			return
		case <-ticks.C:
			now := from.Progress()
			drawn.SetTotal(max(now.UsersTotal, now.Users+1), false)
			drawn.SetCurrent(now.Users)
		}
	}
}
