package main

import (
	"fmt"
	"strings"
)

// block is a fence of a page: commands of a kind, or a file.
type block struct {
	kind string // the second word of `sh`, or "file"
	name string // of the file
	text string
}

// readBlocks finds the fences of a page that are commands or files.
func readBlocks(page string) ([]block, error) {
	var blocks []block
	lines := strings.Split(page, "\n")
	for i := 0; i < len(lines); i++ {
		info, isFence := strings.CutPrefix(lines[i], "```")
		if !isFence {
			continue
		}
		var text strings.Builder
		for i++; i < len(lines) && lines[i] != "```"; i++ {
			text.WriteString(lines[i] + "\n")
		}
		if i == len(lines) {
			return nil, fmt.Errorf("the fence %q does not end", info)
		}
		switch language, word, _ := strings.Cut(info, " "); {
		case language == "sh":
			blocks = append(blocks, block{kind: word, text: text.String()})
		case word != "":
			blocks = append(blocks, block{kind: "file", name: word, text: text.String()})
		}
	}
	return blocks, nil
}
