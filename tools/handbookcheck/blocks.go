package main

import "github.com/parley-gateway/parley/tools/internal/fences"

// block is a fence of a page: commands of a kind, or a file.
type block struct {
	kind string // the second word of `sh`, or "file"
	name string // of the file
	text string
}

// readBlocks finds the fences of a page that are commands or files.
func readBlocks(page string) ([]block, error) {
	all, err := fences.Read(page)
	if err != nil {
		return nil, err
	}
	var blocks []block
	for _, b := range all {
		switch {
		case b.Language == "sh":
			blocks = append(blocks, block{kind: b.Word, text: b.Text})
		case b.Word != "":
			blocks = append(blocks, block{kind: "file", name: b.Word, text: b.Text})
		}
	}
	return blocks, nil
}
