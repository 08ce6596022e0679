// Command parley-export reads what happened in a tenant from a Parley gateway and writes it into Parquet or NDJSON files in a folder or
// bucket. Package export does the work; docs/nightly.md says how the command is used.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/parley-gateway/parley/export/internal/cli"
	_ "github.com/parley-gateway/parley/export/internal/clouds" // s3://, gs://, azblob://
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := cli.Run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}
