// Command parley-export writes what happened in a tenant into files of tables, from a Parley gateway.
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
