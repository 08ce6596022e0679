package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"

	parleyclient "github.com/parley-gateway/parley/clients/go"
	"github.com/parley-gateway/parley/export"
	"github.com/parley-gateway/parley/export/internal/dataset"
	"github.com/parley-gateway/parley/export/internal/store"
)

// runVerb has texts alone: Run reports every mistake in them at once.
type runVerb struct {
	Day string `arg:"" optional:"" help:"yesterday, or a day such as 2026-11-30 (UTC), in place of --start and --end."`

	Server    string `help:"Gateway, host:port." env:"PARLEY_EXPORT_SERVER" placeholder:"HOST:PORT"`
	Out       string `help:"Folder or bucket of the export: a path, s3://…, gs://… or azblob://…" env:"PARLEY_EXPORT_OUT" placeholder:"PLACE"`
	State     string `help:"Folder that keeps how far the run has come; default: _state in a folder of the export, else parley-export-state." env:"PARLEY_EXPORT_STATE" placeholder:"DIR"`
	Start     string `help:"First instant, RFC 3339 or a day; default: yesterday." placeholder:"TIME"`
	End       string `help:"First instant after the interval, not in the future; default: the beginning of today." placeholder:"TIME"`
	Users     string `help:"all, licensed, or a file with an object id in each line." default:"all"`
	Shard     string `help:"Part of the users, from 0/N to N-1/N, for N processes." placeholder:"I/N"`
	Sources   string `help:"copilot, chat, call, retained_chat, with commas between; default: the first three."`
	View      string `help:"metadata, basic or full; full reads each call record whole." default:"basic"`
	Format    string `help:"parquet or ndjson." default:"parquet"`
	Datasets  string `help:"events, turns, calls, users, conversations, usage, with commas between; the last two cost requests of their own." default:"events,turns,calls,users"`
	Dedupe    bool   `help:"Write an event once that several users have, and its other owners into the dataset copies."`
	LateCalls bool   `help:"Read the calls of the two days before the interval once more, too, as a run of its own: their records come late and change."`
	Strict    bool   `help:"No _SUCCESS for a run in which users are refused; exit code 4."`
	Metrics   string `name:"metrics-addr" help:"Where /metrics is served for Prometheus while the run lasts, host:port, such as 0.0.0.0:9464; unset = nowhere." env:"PARLEY_EXPORT_METRICS_ADDR" placeholder:"HOST:PORT"`
	Reason    string `help:"Why the data is read, for the gateway's audit log and the manifest." placeholder:"TEXT"`

	authFlags `embed:""`
}

// Run exports.
func (v runVerb) Run(ctx context.Context, to streams) (err error) {
	options, err := v.options(time.Now)
	access, errAccess := v.access(v.Server)
	if err := errors.Join(err, errAccess); err != nil {
		return usageError{err}
	}
	options.Stream.Token, options.Caller = access.token, access.caller
	conn, err := access.dial(v.Server)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	shown := new(metrics)
	if v.Metrics != "" {
		at, stop, errServe := shown.serve(ctx, v.Metrics)
		if errServe != nil {
			return errServe
		}
		fmt.Fprintf(to.err, "parley-export: metrics are at http://%s/metrics\n", at)
		defer func() { err = errors.Join(err, stop()) }()
	}
	err = v.export(ctx, conn, options, shown, to)
	late, ok := options.LateCalls(time.Now())
	published := err == nil || errors.Is(err, export.ErrIncomplete) || errors.Is(err, export.ErrRefusals)
	if !ok || !v.LateCalls || !published {
		return err
	}
	return errors.Join(err, v.export(ctx, conn, late, shown, to))
}

// export runs one export, and shows its progress and its end.
func (v runVerb) export(ctx context.Context, conn *grpc.ClientConn, options export.Options, shown *metrics, to streams) error {
	exporter := export.New(conn, options)
	shown.setRun(exporter)
	fmt.Fprintf(to.err, "parley-export: run %s\n", exporter.Name())
	stop := show(ctx, exporter, to.err)
	result, err := exporter.Run(ctx)
	stop()
	printResult(to.out, result)
	return err
}

// options returns the options that the flags describe. The error has a line for each mistake.
func (v runVerb) options(now func() time.Time) (export.Options, error) {
	var wrong []error
	bad := func(flag, value, fix string) {
		if value != "" {
			flag += "=" + value
		}
		wrong = append(wrong, errors.New(flag+": "+fix))
	}
	o := export.Options{
		Out: v.Out, Server: v.Server, State: v.State, Format: v.Format, Deduplicate: v.Dedupe, Strict: v.Strict, Reason: v.Reason, Shards: 1,
		Stream: parleyclient.Options{Retries: 30},
	}
	v.places(&o, bad)
	v.interval(&o, now().UTC(), bad)
	v.users(&o, bad)
	v.contents(&o, bad)
	return o, errors.Join(wrong...)
}

// places reads the flags about the gateway, the files and the metrics.
func (v runVerb) places(o *export.Options, bad func(flag, value, fix string)) {
	if host, port, ok := strings.Cut(v.Server, ":"); !ok || host == "" || port == "" {
		bad("--server", v.Server, "say host:port of the gateway's gRPC listener, such as parley.contoso.example:443")
	}
	if v.Metrics != "" {
		if _, _, err := net.SplitHostPort(v.Metrics); err != nil {
			bad("--metrics-addr", v.Metrics, "say host:port, such as 127.0.0.1:9464")
		}
	}
	if v.Out == "" {
		bad("--out", "", "say where the files go: a folder, s3://…, gs://… or azblob://…")
	}
	if o.State == "" {
		o.State = "parley-export-state"
		if folder, ok := store.Folder(v.Out); ok {
			o.State = filepath.Join(folder, "_state")
		}
	}
}

// interval reads the flags about time.
func (v runVerb) interval(o *export.Options, now time.Time, bad func(flag, value, fix string)) {
	today := now.Truncate(24 * time.Hour)
	o.Start, o.End = today.AddDate(0, 0, -1), today
	if v.Day != "" {
		if v.Start != "" || v.End != "" {
			bad("<day>", v.Day, "leave it out, or leave out --start and --end")
		}
		if v.Day != "yesterday" {
			day, err := time.Parse(time.DateOnly, v.Day)
			if err != nil {
				bad("<day>", v.Day, "use yesterday, or a day such as 2026-11-30")
				return
			}
			o.Start, o.End = day, day.AddDate(0, 0, 1)
		}
	}
	for _, bound := range []struct {
		flag, text string
		at         *time.Time
	}{{"--start", v.Start, &o.Start}, {"--end", v.End, &o.End}} {
		if bound.text == "" {
			continue
		}
		at, err := time.Parse(time.RFC3339, bound.text)
		if err != nil {
			at, err = time.Parse(time.DateOnly, bound.text)
		}
		if err != nil {
			bad(bound.flag, bound.text, "use a time such as 2026-11-30T00:00:00Z, or a day such as 2026-11-30")
			return
		}
		*bound.at = at.UTC()
	}
	if o.End.After(now) {
		v.notOver(bad)
	}
	if !o.Start.Before(o.End) {
		bad("--start", o.Start.Format(time.RFC3339), "choose one before the end, "+o.End.Format(time.RFC3339))
	}
}

// notOver refuses an interval that ends in the future: the run would be complete without what is still to come.
func (v runVerb) notOver(bad func(flag, value, fix string)) {
	if v.End == "" {
		bad("<day>", v.Day, "choose a day that is over in UTC")
		return
	}
	bad("--end", v.End, "choose an end that is not in the future")
}

// users reads the flags about users.
func (v runVerb) users(o *export.Options, bad func(flag, value, fix string)) {
	switch v.Users {
	case "all":
		o.Users = parleyv1.UserSelection_USER_SELECTION_ALL
	case "licensed":
		o.Users = parleyv1.UserSelection_USER_SELECTION_LICENSED
	default:
		ids, err := readIDs(v.Users)
		if err != nil {
			bad("--users", v.Users, "use all, licensed, or a file with an object id in each line: "+err.Error())
		}
		o.UserIDs = ids
	}
	if v.Shard == "" {
		return
	}
	index, count, _ := strings.Cut(v.Shard, "/")
	var errIndex, errCount error
	o.Shard, errIndex = strconv.Atoi(index)
	o.Shards, errCount = strconv.Atoi(count)
	if errIndex != nil || errCount != nil || o.Shards < 1 || o.Shards > 1024 || o.Shard < 0 || o.Shard >= o.Shards {
		bad("--shard", v.Shard, "use I/N with I from 0 to N-1 and N at most 1024, such as 0/4")
	}
}

// exportSources are the sources that an export can read.
var exportSources = []parleyv1.Source{
	parleyv1.Source_SOURCE_COPILOT, parleyv1.Source_SOURCE_CHAT, parleyv1.Source_SOURCE_CALL, parleyv1.Source_SOURCE_RETAINED_CHAT,
}

// contents reads the flags about what is written, and in which form.
func (v runVerb) contents(o *export.Options, bad func(flag, value, fix string)) {
	for name := range parts(v.Sources) {
		source, ok := parleyv1.Source_value["SOURCE_"+strings.ToUpper(name)]
		if !ok || !slices.Contains(exportSources, parleyv1.Source(source)) {
			bad("--sources", name, "use copilot, chat, call, retained_chat")
			continue
		}
		o.Sources = append(o.Sources, parleyv1.Source(source))
	}
	view, ok := parleyv1.EventView_value["EVENT_VIEW_"+strings.ToUpper(v.View)]
	if o.View = parleyv1.EventView(view); !ok || view == 0 {
		bad("--view", v.View, "use metadata, basic or full")
	}
	if v.Format != dataset.Parquet && v.Format != dataset.NDJSON {
		bad("--format", v.Format, "use parquet or ndjson")
	}
	for name := range parts(v.Datasets) {
		if !dataset.Known(name) || name == dataset.Copies {
			bad("--datasets", name, "use events, turns, calls, users, conversations, usage; --dedupe adds copies")
			continue
		}
		o.Datasets = append(o.Datasets, name)
	}
}

// readIDs reads a file of object ids; empty lines and lines that begin with # are passed over. A file without an id is an error.
func readIDs(path string) ([]string, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	var ids []string
	lines := bufio.NewScanner(file)
	for n := 1; lines.Scan(); n++ {
		id := strings.TrimSpace(strings.TrimPrefix(lines.Text(), "\ufeff"))
		switch {
		case id == "" || strings.HasPrefix(id, "#"):
		case strings.ContainsAny(id, "@/ \t,;") || len(id) > 256:
			return nil, fmt.Errorf("line %d is no object id", n)
		default:
			ids = append(ids, id)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	if ids == nil {
		return nil, errors.New("there is no object id in it")
	}
	return ids, nil
}

// parts yields the texts between commas, in lower case and without spaces around them; empty ones are passed over.
func parts(text string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for part := range strings.SplitSeq(text, ",") {
			if part = strings.ToLower(strings.TrimSpace(part)); part != "" && !yield(part) {
				return
			}
		}
	}
}
