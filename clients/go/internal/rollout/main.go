// Command rollout replaces two gateways behind a balancer one after the other, while streams and lists run over gRPC and REST, and fails
// if a list fails or a stream is not resumed to its exact end. The replicas that go are of one binary, those that come of another; both may
// be the same.
//
// Usage: rollout -from PARLEY-BINARY -to PARLEY-BINARY
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"time"
)

// patience bounds the whole run.
const patience = 10 * time.Minute

func main() {
	from := flag.String("from", "", "binary of the replicas that are replaced")
	to := flag.String("to", "", "binary of the replicas in their place")
	flag.Parse()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	report, err := rollout(ctx, *from, *to)
	if err != nil {
		fmt.Fprintln(os.Stderr, "rollout:", err)
		os.Exit(1) //nolint:gocritic // nothing is open any more
	}
	fmt.Fprintln(os.Stdout, "rollout:", report)
}
