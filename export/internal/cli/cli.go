// Package cli is the command line of parley-export. Arguments and environment enter; it makes the options of package export of them, runs
// the export, prints its progress and its end, and returns the exit code that docs/nightly.md documents.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/parley-gateway/parley/export"
	"github.com/parley-gateway/parley/export/internal/dataset"
)

// Exit codes.
const (
	Done        = 0
	Unexpected  = 1
	Usage       = 2
	Incomplete  = 3
	Refused     = 4
	Interrupted = 5
)

type commandLine struct {
	Run    runVerb    `cmd:"" default:"withargs" help:"Export an interval; yesterday unless --start and --end say otherwise."`
	Finish finishVerb `cmd:"" help:"Write manifest and _SUCCESS of a run whose shards have all ended."`
	Schema schemaVerb `cmd:"" help:"Print the tables of an export, and views with the newest row of each key."`
}

// streams are where a verb prints.
type streams struct{ out, err io.Writer }

// usageError is a mistake on the command line.
type usageError struct{ error }

// Unwrap returns the mistakes.
func (e usageError) Unwrap() error { return e.error }

// exited carries an exit code out of kong, which would end the process itself.
type exited struct{ code int }

// Run parses args, runs a verb until it ends or ctx does, and returns the exit code.
func Run(ctx context.Context, args []string, out, errOut io.Writer) (code int) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case exited:
			code = r.code
		default:
			panic(r) //nolint:forbidigo // not ours: a programming error goes on its way
		}
	}()
	var line commandLine
	parser, err := kong.New(&line,
		kong.Name("parley-export"),
		kong.Description("Writes what happened in a Microsoft 365 tenant, as a Parley gateway tells it, into files of tables.\n\n"+
			"Exit codes: 0 done, 1 unexpected, 2 usage, 3 incomplete (the same command again reads what is missing), 4 refused, 5 interrupted (the same command goes on)."),
		kong.Writers(out, errOut),
		kong.Exit(func(code int) { panic(exited{code}) }), //nolint:forbidigo // the only way out of kong but os.Exit; recovered above
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(streams{out: out, err: errOut}),
		kong.ConfigureHelp(kong.HelpOptions{WrapUpperBound: 120}),
	)
	if err != nil {
		return report(errOut, err)
	}
	parsed, err := parser.Parse(args)
	if err != nil {
		return report(errOut, usageError{err})
	}
	return report(errOut, parsed.Run())
}

// report prints an error and returns its exit code.
func report(errOut io.Writer, err error) int {
	if err == nil {
		return Done
	}
	for line := range strings.SplitSeq(err.Error(), "\n") {
		fmt.Fprintln(errOut, "parley-export: "+line)
	}
	var usage usageError
	switch {
	case errors.As(err, &usage) || errors.Is(err, export.ErrMismatch):
		return Usage
	case errors.Is(err, export.ErrInterrupted):
		return Interrupted
	case errors.Is(err, export.ErrIncomplete):
		return Incomplete
	case errors.Is(err, export.ErrRefused):
		return Refused
	default:
		return Unexpected
	}
}

type finishVerb struct {
	Out    string `help:"Folder or bucket of the export." placeholder:"PLACE"`
	Name   string `arg:"" name:"run" help:"Name of the run, as its shards print it."`
	Strict bool   `help:"No _SUCCESS for a run in which users are refused; exit code 4."`
}

// Run merges the shards.
func (v finishVerb) Run(ctx context.Context, to streams) error {
	if v.Out == "" {
		return usageError{errors.New("--out: say where the export is: a folder, s3://…, gs://… or azblob://…")}
	}
	result, err := export.Finish(ctx, v.Out, v.Name, v.Strict)
	printResult(to.out, result)
	return err
}

type schemaVerb struct {
	Dialect  string `help:"duckdb, spark, bigquery, snowflake, or markdown for the tables of the documentation." default:"duckdb"`
	Out      string `help:"Folder or bucket of the export, for the paths in the statements." placeholder:"PLACE" default:"OUT"`
	Format   string `help:"parquet or ndjson." default:"parquet"`
	Datasets string `help:"Datasets to print, with commas between; default: all. DuckDB and Spark refuse a table whose dataset has no file."`
}

// Run prints the statements.
func (v schemaVerb) Run(to streams) error {
	var wrong []error
	if !slices.Contains(dataset.Dialects(), v.Dialect) {
		wrong = append(wrong, fmt.Errorf("--dialect=%s: use one of %s", v.Dialect, strings.Join(dataset.Dialects(), ", ")))
	}
	if v.Format != dataset.Parquet && v.Format != dataset.NDJSON {
		wrong = append(wrong, fmt.Errorf("--format=%s: use parquet or ndjson", v.Format))
	}
	names := slices.Collect(parts(v.Datasets))
	for _, name := range names {
		if !dataset.Known(name) {
			wrong = append(wrong, fmt.Errorf("--datasets=%s: use some of %s", name, strings.Join(dataset.Names(), ", ")))
		}
	}
	if names == nil {
		names = dataset.Names()
	}
	if wrong != nil {
		return usageError{errors.Join(wrong...)}
	}
	_, err := io.WriteString(to.out, dataset.SQL(v.Dialect, v.Out, v.Format, names))
	return err
}

// printResult prints how a run ended, for people; programs read the manifest. A run that did not come to its end has no result.
func printResult(out io.Writer, result export.Result) {
	if result.Run == "" {
		return
	}
	fmt.Fprintf(out, "run       %s\noutcome   %s\nusers     %d read, %d refused, %d incomplete\nfiles     %d\n",
		result.Run, result.Outcome, result.Counts.UsersRead, result.Counts.UsersRefused, result.Counts.UsersIncomplete, result.Files)
	for _, table := range dataset.Tables() {
		if rows, ok := result.Counts.Rows[table.Name]; ok {
			fmt.Fprintf(out, "rows      %d %s\n", rows, table.Name)
		}
	}
	for _, failure := range slices.Concat(result.Refusals, result.Failures) {
		fmt.Fprintf(out, "missing   %d users: %s %s\n", failure.Users, failure.Reason, failure.Source)
	}
	if result.Manifest == "" {
		fmt.Fprintln(out, "manifest  when the other shards have ended")
		return
	}
	fmt.Fprintf(out, "manifest  %s\n", result.Manifest)
}
