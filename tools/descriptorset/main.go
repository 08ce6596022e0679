// Command descriptorset writes the two descriptor sets that the gateway serves from the one that buf builds. Both hold the
// contract with its imports and comments, and the messages of google.rpc that errors are made of. The full set is complete; the
// public set leaves out options that only the gateway reads: rules of protovalidate, and marks of Graph properties. So clients
// need no package for them.
//
// Usage: descriptorset BUILT-SET PUBLIC-SET FULL-SET
package main

import (
	"fmt"
	"os"

	"google.golang.org/protobuf/proto"
)

func main() {
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: descriptorset BUILT-SET PUBLIC-SET FULL-SET")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2], os.Args[3]); err != nil {
		fmt.Fprintln(os.Stderr, "descriptorset:", err)
		os.Exit(1)
	}
}

func run(built, public, full string) error {
	raw, err := os.ReadFile(built)
	if err != nil {
		return err
	}
	set, err := parse(raw)
	if err != nil {
		return err
	}
	if err := addErrorDetails(set); err != nil {
		return err
	}
	if err := write(full, set); err != nil {
		return err
	}
	strip(set)
	return write(public, set)
}

func write(path string, m proto.Message) error {
	raw, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		return err
	}
	return os.WriteFile(path, raw, 0o644)
}
