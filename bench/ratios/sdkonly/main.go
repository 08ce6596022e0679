//go:build sdk

// Command sdkonly is the smallest program that reads chat messages with msgraph-sdk-go: what a cold build of it costs is
// compared with that of Parley.
package main

import (
	"context"
	"log"
	"net/http"
	"os"

	"github.com/microsoftgraph/msgraph-sdk-go/models"

	"github.com/parley-gateway/parley/bench/ratios/sdkpeer"
)

func main() {
	reader, err := sdkpeer.New(os.Args[1], http.DefaultClient)
	if err != nil {
		log.Fatal(err)
	}
	count := 0
	err = reader.Messages(context.Background(), os.Args[2], func(models.ChatMessageable) bool { count++; return true })
	if err != nil {
		log.Fatal(err)
	}
	log.Print(count)
}
