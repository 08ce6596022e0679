// Package fences reads the fences of a page of the handbook, the commands and files between lines of three backquotes, and the headings
// between them. The tools clientcheck and handbookcheck say what a fence means.
package fences

import (
	"fmt"
	"strings"
)

// Block is a heading of the second or third level, or a fence.
type Block struct {
	// Heading is set for a heading; all other fields are empty then.
	Heading bool
	// Language and Word are the first word behind the backquotes and what follows it.
	Language, Word string
	// Text is what stands in the fence, each line with its end.
	Text string
}

// Read returns the blocks of a page, in its order. A fence that does not end is an error.
func Read(page string) ([]Block, error) {
	var found []Block
	var fence *Block // the one that is open
	for line := range strings.SplitSeq(page, "\n") {
		info, isFence := strings.CutPrefix(line, "```")
		switch {
		case fence != nil && line == "```":
			found, fence = append(found, *fence), nil
		case fence != nil:
			fence.Text += line + "\n"
		case strings.HasPrefix(line, "## "), strings.HasPrefix(line, "### "):
			found = append(found, Block{Heading: true})
		case isFence:
			language, word, _ := strings.Cut(info, " ")
			fence = &Block{Language: language, Word: word}
		}
	}
	if fence != nil {
		return nil, fmt.Errorf("the fence %q does not end", strings.TrimSpace(fence.Language+" "+fence.Word))
	}
	return found, nil
}
