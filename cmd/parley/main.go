// Command parley serves the conversation data of Microsoft 365 tenants over one gRPC and REST API (serve, or demo over a simulated tenant).
// It also runs the simulator (sim), checks and shows the configuration (config), asks a gateway whether it is ready (healthcheck) and checks
// audit records (audit verify). Package internal/cli has the verbs.
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
