// Command driver is the program on top of the helper that the conformance cases run: clients/conformance/README.md describes it.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"

	parleyclient "github.com/parley-gateway/parley/clients/go"
	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
)

func main() {
	if err := run(context.Background(), os.Args[1:], bufio.NewReader(os.Stdin), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// client is what the driver is given.
type client struct {
	Request       json.RawMessage `json:"request"`
	Tokens        []string        `json:"tokens"`
	Retries       int             `json:"retries"`
	Memory        int             `json:"memory"`
	BackoffMillis int64           `json:"backoffMillis"`
	MaxWaitMillis int64           `json:"maxWaitMillis"`
	IdleMillis    int64           `json:"idleMillis"`
	StopAfter     int             `json:"stopAfter"`
	HoldAfter     int             `json:"holdAfter"`
}

// options are the helper's, whose zero means a default.
func (c *client) options(show func(item map[string]any) error) parleyclient.Options {
	options := parleyclient.Options{
		Retries: c.Retries, Memory: c.Memory,
		Backoff: millis(c.BackoffMillis), MaxWait: millis(c.MaxWaitMillis), Idle: millis(c.IdleMillis),
		OnNotice: func(notice *parleyv1.Notice) {
			item := map[string]any{"code": notice.GetCode()}
			if notice.GetSource() != 0 {
				item["source"] = notice.GetSource().String()
			}
			_ = show(map[string]any{"notice": item}) // the runner misses it
		},
		OnCheckpoint: func(_ context.Context, checkpoint *parleyv1.Checkpoint) error {
			return show(map[string]any{"checkpoint": checkpoint.GetResumeToken()})
		},
	}
	if c.Retries == 0 {
		options.Retries = -1
	}
	if c.Memory == 0 {
		options.Memory = -1
	}
	if asked := 0; len(c.Tokens) > 0 {
		options.Token = func(context.Context, string) (string, error) {
			asked++
			return c.Tokens[min(asked, len(c.Tokens))-1], nil
		}
	}
	return options
}

func millis(n int64) time.Duration { return time.Duration(n) * time.Millisecond }

func run(ctx context.Context, arguments []string, in *bufio.Reader, out io.Writer) error {
	flags := flag.NewFlagSet("driver", flag.ContinueOnError)
	target := flags.String("grpc", "", "host:port")
	flags.String("rest", "", "not used")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	line, err := in.ReadBytes('\n')
	if err != nil {
		return err
	}
	var given client
	request := &parleyv1.StreamEventsRequest{}
	if err := errors.Join(json.Unmarshal(line, &given), protojson.Unmarshal(given.Request, request)); err != nil {
		return err
	}
	conn, err := grpc.NewClient(*target, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }() // the program ends
	lines := json.NewEncoder(out)
	show := func(item map[string]any) error { return lines.Encode(item) }
	stream := parleyclient.Events(parleyv1.NewEventServiceClient(conn), request, given.options(show))
	end, err := given.take(ctx, stream, in, show)
	if err != nil {
		return err
	}
	if token := stream.ResumeToken(); token != "" {
		end["resumeToken"] = token
	}
	if err := show(map[string]any{"end": end}); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, in) // the runner looks whether the call has ended before this process does
	return err
}

// take takes events until the stream ends or fails, or StopAfter were taken, and returns what the driver says of the end.
func (c *client) take(
	ctx context.Context, stream *parleyclient.Stream[*parleyv1.StreamEventsResponse, *parleyv1.Event], in *bufio.Reader, show func(map[string]any) error,
) (map[string]any, error) {
	taken := 0
	for event, err := range stream.All(ctx) {
		if err != nil {
			return failure(err), nil
		}
		taken++
		item := map[string]any{"uid": event.GetUid(), "version": strconv.FormatInt(event.GetVersion(), 10)}
		if event.GetDeleteTime() != nil {
			item["deleted"] = true
		}
		if err := show(map[string]any{"event": item}); err != nil {
			return nil, err
		}
		if taken == c.HoldAfter {
			if _, err := in.ReadBytes('\n'); err != nil {
				return nil, err
			}
		}
		if taken == c.StopAfter {
			return map[string]any{"state": "stopped"}, nil
		}
	}
	return finish(stream.Summary()), nil
}

func failure(err error) map[string]any {
	if errors.Is(err, parleyclient.ErrCut) {
		return map[string]any{"state": "cut"}
	}
	return map[string]any{
		"state": "error", "code": code.Code(status.Code(err)).String(), "reason": parleyclient.ErrorInfo(err).GetReason(),
	}
}

func finish(summary *parleyv1.Summary) map[string]any {
	end := map[string]any{"state": "incomplete"}
	if summary.GetComplete() {
		end["state"] = "complete"
	}
	var gaps []map[string]any
	for _, report := range summary.GetSources() {
		for _, gap := range report.GetGaps() {
			gaps = append(gaps, map[string]any{"source": report.GetSource().String(), "reason": gap.GetReason()})
		}
	}
	if len(gaps) > 0 {
		end["gaps"] = gaps
	}
	if all := summary.GetNotices(); len(all) > 0 {
		notices := make([]string, 0, len(all))
		for _, notice := range all {
			notices = append(notices, notice.GetCode())
		}
		end["notices"] = notices
	}
	return end
}
