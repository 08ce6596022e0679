package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxSearched bounds the search for the first mistake of a broken file: its lines times its bytes.
const maxSearched = 50 << 20

var yamlLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?`)

// wellFormed checks that the text is one YAML document.
func (r *fileReader) wellFormed(data []byte) error {
	var first, more yaml.Node
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	err := decoder.Decode(&first)
	if errors.Is(err, io.EOF) {
		return nil
	}
	if err == nil {
		if err = decoder.Decode(&more); errors.Is(err, io.EOF) || err == nil && (len(more.Content) == 0 || isNull(more.Content[0])) {
			return nil
		}
		if err == nil {
			return fmt.Errorf("%s: only one document is read; put all settings into the first", r.positionOf(&more))
		}
	}
	line, problem := firstMistake(data, err)
	return fmt.Errorf("%s:%d: is not valid YAML: %s; write one `key: value` a line", r.path, line, problem)
}

// firstMistake returns the line of the first mistake in a text that is no YAML, and what is wrong. The library's own line is at times
// that of the construct around the mistake, at times one too low, at times missing. So firstMistake looks for the longest beginning of the
// text that can be read: the mistake is in the line after it.
func firstMistake(data []byte, err error) (line int, problem string) {
	problem = err.Error()
	if match := yamlLine.FindStringSubmatch(problem); match != nil {
		problem = problem[len(match[0]):]
		line = number(match[1])
	}
	if strings.Contains(problem, "anchor") {
		problem = "an alias names no anchor" // the library quotes it
	}
	lines := bytes.SplitAfter(data, []byte("\n"))
	if len(lines)*len(data) > maxSearched {
		return max(line, 1), problem
	}
	for n := len(lines) - 1; n > 0; n-- {
		if readable := isYAML(bytes.Join(lines[:n], nil)); readable {
			return n + 1, problem
		}
	}
	return 1, problem
}

// isYAML reports whether a text is YAML.
func isYAML(text []byte) bool {
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	for {
		var node yaml.Node
		if err := decoder.Decode(&node); err != nil {
			return errors.Is(err, io.EOF)
		}
	}
}

// number returns the number that digits write; 0 where they write none.
func number(digits string) int {
	n, err := strconv.Atoi(digits)
	if err != nil {
		return 0
	}
	return n
}
