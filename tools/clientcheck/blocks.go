package main

import (
	"fmt"
	"strings"
)

// client is one client of the handbook: the files that it consists of, and the commands that make and run it.
type client struct {
	name   string
	script string            // the whole block
	files  map[string]string // by path
}

// lastLine is the last line of the script, which runs the client once it is made.
func (c client) lastLine() string {
	lines := strings.Split(strings.TrimSpace(c.script), "\n")
	return lines[len(lines)-1]
}

// sharedFile stands in no client's section and is beside every client.
const sharedFile = "service-config.json"

// block is a heading or a fence of a page.
type block struct {
	heading              bool
	language, name, body string // of a fence
}

// blocks returns the headings of clients and the fences of a page, in its order.
func blocks(page string) ([]block, error) {
	var found []block
	var fence *block // the one that is open
	info := ""
	for line := range strings.SplitSeq(page, "\n") {
		opening, isFence := strings.CutPrefix(line, "```")
		switch {
		case fence != nil && line == "```":
			found, fence = append(found, *fence), nil
		case fence != nil:
			fence.body += line + "\n"
		case strings.HasPrefix(line, "## "), strings.HasPrefix(line, "### "):
			found = append(found, block{heading: true})
		case isFence:
			info = opening
			language, name, _ := strings.Cut(info, " ")
			fence = &block{language: language, name: name}
		}
	}
	if fence != nil {
		return nil, fmt.Errorf("the fence %q does not end", info)
	}
	return found, nil
}

// readClients finds the clients of a page. A fence `sh NAME` is the commands of the client NAME, any other fence with a second
// word the file of that path; a heading ends a client.
func readClients(page string) ([]client, error) {
	all, err := blocks(page)
	if err != nil {
		return nil, err
	}
	var clients []client
	current, shared := client{files: map[string]string{}}, ""
	for _, b := range append(all, block{heading: true}) { // the end of the page ends a client, too
		switch {
		case b.heading && current.name != "":
			clients = append(clients, current)
			current = client{files: map[string]string{}}
		case b.heading && len(current.files) > 0:
			return nil, fmt.Errorf("%d files stand before the commands of no client", len(current.files))
		case b.heading, b.name == "":
		case b.name == sharedFile:
			shared = b.body
		case b.language == "sh":
			current.name, current.script = b.name, b.body
		default:
			current.files[b.name] = b.body
		}
	}
	for _, c := range clients {
		c.files[sharedFile] = shared
	}
	return clients, nil
}
