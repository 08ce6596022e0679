// Command modeldoc writes the handbook's page about the model from the descriptor set that the gateway serves: every
// message and enumeration of an event, conversation, usage row and user with the Graph property behind each field.
//
// Usage: modeldoc DESCRIPTOR-SET OUTPUT-FILE
package main

import (
	"fmt"
	"os"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: modeldoc DESCRIPTOR-SET OUTPUT-FILE")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "modeldoc:", err)
		os.Exit(1)
	}
}

func run(descriptorSet, output string) error {
	raw, err := os.ReadFile(descriptorSet)
	if err != nil {
		return err
	}
	page, err := render(raw)
	if err != nil {
		return err
	}
	return os.WriteFile(output, page, 0o644)
}
