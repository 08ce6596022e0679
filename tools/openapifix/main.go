// Command openapifix joins the OpenAPI files that protoc-gen-openapiv3 writes, one per service, into the one document that
// the gateway serves, and corrects what the generator cannot know: path parameters by their resource, limits of request
// fields, streams as newline-delimited JSON, and raw bodies.
//
// The reasons of errors come from the handbook's page on errors, the examples from the answers that openapiexamples recorded.
//
// Usage: openapifix PARTS-FOLDER DESCRIPTOR-SET ERRORS-PAGE EXAMPLES OUTPUT-FILE
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
)

func main() {
	if len(os.Args) != 6 {
		fmt.Fprintln(os.Stderr, "usage: openapifix PARTS-FOLDER DESCRIPTOR-SET ERRORS-PAGE EXAMPLES OUTPUT-FILE")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2], os.Args[3], os.Args[4], os.Args[5]); err != nil {
		fmt.Fprintln(os.Stderr, "openapifix:", err)
		os.Exit(1)
	}
}

func run(parts, descriptorSet, errorsPage, examplesFile, output string) error {
	methods, err := readMethods(descriptorSet)
	if err != nil {
		return err
	}
	doc, err := readParts(parts)
	if err != nil {
		return err
	}
	page, err := os.ReadFile(errorsPage)
	if err != nil {
		return err
	}
	recorded, err := os.ReadFile(examplesFile)
	if err != nil {
		return err
	}
	examples := object{}
	if err := json.Unmarshal(recorded, &examples); err != nil {
		return fmt.Errorf("%s: %w", examplesFile, err)
	}
	if err := finish(doc, methods, page, examples); err != nil {
		return err
	}
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(doc); err != nil {
		return err
	}
	return os.WriteFile(output, text.Bytes(), 0o644)
}
