// Command parley serves the conversation data of a Microsoft 365 tenant over one gRPC and REST API.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/parley-gateway/parley/internal/cli"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := cli.Run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}
