// Package cli is the command line: which verbs there are, what they print, and which exit code a failure has.
package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/parley-gateway/parley/internal/config"
	"github.com/parley-gateway/parley/internal/logs"
)

// Exit codes: Failed is a failure at run time, Usage a wrong command line, setting or file.
const (
	OK     = 0
	Failed = 1
	Usage  = 2
)

type commandLine struct {
	Serve       serveVerb       `cmd:"" help:"Serve the API for one or more tenants."`
	Demo        demoVerb        `cmd:"" help:"Serve the API over a simulated tenant in the same process, and print what to try."`
	Sim         simVerb         `cmd:"" help:"Run the Microsoft Graph and Entra ID simulator alone."`
	Config      configVerb      `cmd:"" help:"Check or show the configuration."`
	Healthcheck healthcheckVerb `cmd:"" lax:"" help:"Ask a running gateway whether it is ready; exit code 0 or 1."`
	Audit       auditVerb       `cmd:"" help:"Work with audit records."`
	Version     versionVerb     `cmd:"" help:"Print the version."`
}

// streams are where a verb prints: results on out, logs and failures on err.
type streams struct {
	out, err io.Writer
}

// usageError marks a failure that the user can mend on the command line, in the environment or in the file.
type usageError struct{ err error }

func (e usageError) Error() string { return e.err.Error() }
func (e usageError) Unwrap() error { return e.err }

// exited carries an exit code out of kong, which would end the process itself.
type exited struct{ code int }

// Run parses args, runs one verb until it ends or ctx does, and returns the process's exit code.
func Run(ctx context.Context, args []string, out, errOut io.Writer) (code int) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case exited:
			code = r.code
		default:
			panic(r) //nolint:forbidigo // a programming error, not the exit of kong
		}
	}()
	var line commandLine
	parser, err := kong.New(&line,
		kong.Name("parley"),
		kong.Description("One gRPC and REST API over the conversation data of a Microsoft 365 tenant."),
		kong.Writers(out, errOut),
		kong.Exit(func(code int) { panic(exited{code}) }), //nolint:forbidigo // the only way out of kong but os.Exit; recovered above
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(streams{out: out, err: errOut}),
		kong.ConfigureHelp(kong.HelpOptions{WrapUpperBound: 120}),
		kong.ValueFormatter(config.HelpValue),
	)
	if err != nil {
		return report(errOut, err)
	}
	parsed, origins, err := config.NewCommandLine(parser).Parse(args)
	if err != nil {
		return report(errOut, usageError{err})
	}
	return report(errOut, parsed.Run(origins))
}

func report(errOut io.Writer, err error) int {
	if err == nil {
		return OK
	}
	for line := range strings.SplitSeq(err.Error(), "\n") {
		fmt.Fprintln(errOut, "parley: "+line)
	}
	if u := (usageError{}); errors.As(err, &u) {
		return Usage
	}
	return Failed
}

// newLogger returns a logger whose lines do not hold up the gateway when nobody reads them any more. The function release waits a moment
// for the last lines to be taken.
func newLogger(s *config.Settings, to io.Writer) (logger *slog.Logger, release func()) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(s.LogLevel)); err != nil {
		level = slog.LevelInfo
	}
	handler := func(to io.Writer) slog.Handler {
		options := &slog.HandlerOptions{Level: level}
		if s.LogFormat == "json" {
			return slog.NewJSONHandler(to, options)
		}
		return slog.NewTextHandler(to, options)
	}
	lines := logs.New(to, func(lost int) []byte {
		var text bytes.Buffer
		slog.New(handler(&text)).Error("log lines were lost, since nobody took them", "lines", lost)
		return text.Bytes()
	})
	return slog.New(handler(lines)), lines.Close
}
